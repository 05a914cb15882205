"""What is guessed, and from which state: masked words, or masked next tokens where a decoder has learnt these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.models.attention import DECODERS
from cosmith.models.language_head import read_language_head
from cosmith.training.pretraining.language_head import DecoderHead, LanguageHead

HeadOrigin = Literal["new", "tied", "read"]
"""Whether a head was begun anew, is the input embeddings, or was read from a model's folder."""

_BLANK = "_"  # what LLM2Vec hides words behind where the tokenizer has no mask token


@dataclass(frozen=True)
class Objective:
    """How hidden words are guessed.

    Attributes:
        kind: ``masked-language`` (BERT, arXiv:1810.04805) or ``masked-next-token`` (LLM2Vec, arXiv:2404.05961, section
            3.1: as a decoder has learnt, a token is guessed from the state of the one before it).
        mask: Id of the token that hides others.
        shift: How many places before a hidden token the state stands that guesses it.
    """

    kind: Literal["masked-language", "masked-next-token"]
    mask: int
    shift: int


def objective_of(encoder: Encoder) -> Objective:
    """The objective that suits a backbone.

    A tokenizer with a mask token was made for masked language, whatever the layers are: models that
    :func:`cosmith.models.initialise` makes have learnt no next token yet, and their states keep the words that they
    stand at. Decoders that others have trained have no mask token.

    Raises:
        InputError: When an encoder has no mask token, or a decoder cannot see ahead, so that nothing new would be
            learnt.
    """
    config, tokenizer = _config(encoder), encoder.tokenizer.tokenizer
    decoder = config.model_type in DECODERS
    if decoder and getattr(config, "is_causal", True):
        raise InputError(
            f"the tokens of {encoder.name} see only what stands before them", field="encoder",
            remedy="Let them see the whole text first: Encoder.set_bidirectional, in a recipe a stage `rebuild`.",
        )  # fmt: skip
    if tokenizer.mask_token_id is not None:
        return Objective("masked-language", int(tokenizer.mask_token_id), 0)
    if not decoder:
        raise InputError(
            f"the tokenizer of {encoder.name} has no mask token", field="encoder",
            remedy="Pre-training is for encoders with one, such as BERT's family, and for decoders.",
        )  # fmt: skip
    blank = tokenizer.convert_tokens_to_ids(_BLANK)
    if blank is None or blank == tokenizer.unk_token_id:
        raise InputError(f"the tokenizer of {encoder.name} has neither a mask token nor {_BLANK!r}",
                         field="encoder", remedy="Give it a mask token.")  # fmt: skip
    return Objective("masked-next-token", int(blank), 1)


def has_words_of_its_own(encoder: Encoder) -> bool:
    """Whether it is a decoder whose head is not tied to its input embeddings, so that a backbone alone has no head."""
    config = _config(encoder)
    return config.model_type in DECODERS and not config.tie_word_embeddings


def head_of(
    encoder: Encoder, objective: Objective, words: torch.Tensor, seed: int, origin: str | Path | None = None
) -> tuple[LanguageHead | DecoderHead, HeadOrigin]:
    """What turns states into words, and where it comes from.

    Args:
        encoder: Whose states.
        objective: What is guessed.
        words: Its input embeddings, [V, width].
        seed: Of a new head.
        origin: For a decoder whose head is not tied to its input embeddings: the model that has its head; None: the one
            that the encoder was loaded from, and where that has none, a new one is begun.

    Raises:
        InputError: When the model that is named has no head, or one for other words.
    """
    config = _config(encoder)
    if objective.kind == "masked-language":
        return LanguageHead(int(config.hidden_size), words.shape[1], words.shape[0], seed).to(encoder.device), "new"
    cap = getattr(config, "final_logit_softcapping", None)
    if not has_words_of_its_own(encoder):
        return DecoderHead(cap), "tied"
    weight = _words_of(origin, words) if origin is not None else _words_beside(encoder, words)
    if weight is not None:
        return DecoderHead(cap, weight).to(encoder.device), "read"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weight = torch.empty(words.shape).normal_(std=getattr(config, "initializer_range", 0.02))
    return DecoderHead(cap, weight).to(encoder.device), "new"


def _words_of(origin: str | Path, words: torch.Tensor) -> torch.Tensor:
    """The head of a model that the user has named."""
    weight = read_language_head(origin)
    if weight is None or weight.shape != words.shape:
        has = "no lm_head.weight" if weight is None else f"an lm_head.weight of the shape {list(weight.shape)}"
        raise InputError(
            f"{origin} has {has}, and the encoder reads words of the shape {list(words.shape)}", field="head",
            remedy="Name the language model that the encoder was made from, or none for a new head.",
        )  # fmt: skip
    return weight


def _words_beside(encoder: Encoder, words: torch.Tensor) -> torch.Tensor | None:
    """The head in the folder that the encoder was loaded from; None where there is none, or one for other words."""
    place = _config(encoder).name_or_path
    if not place or (Path(place).is_absolute() and not Path(place).is_dir()):
        return None
    weight = read_language_head(place)
    return weight if weight is not None and weight.shape == words.shape else None


def _config(encoder: Encoder) -> Any:
    return encoder.module["backbone"].config
