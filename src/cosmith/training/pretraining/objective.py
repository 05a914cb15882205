"""What is guessed, and from which state: masked words for encoders, masked next tokens for decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.models.attention import DECODERS
from cosmith.training.pretraining.language_head import LanguageHead, TiedHead

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

    Raises:
        InputError: When an encoder has no mask token, or a decoder cannot see ahead, so that nothing new would be
            learnt.
    """
    config, tokenizer = _config(encoder), encoder.tokenizer.tokenizer
    if config.model_type not in DECODERS:
        if tokenizer.mask_token_id is None:
            raise InputError(
                f"the tokenizer of {encoder.name} has no mask token", field="encoder",
                remedy="Pre-training is for encoders with one, such as BERT's family, and for decoders.",
            )  # fmt: skip
        return Objective("masked-language", int(tokenizer.mask_token_id), 0)
    if getattr(config, "is_causal", True):
        raise InputError(
            f"the tokens of {encoder.name} see only what stands before them", field="encoder",
            remedy="Let them see the whole text first: Encoder.set_bidirectional, in a recipe a stage `rebuild`.",
        )  # fmt: skip
    mask = tokenizer.mask_token_id
    if mask is None:
        mask = tokenizer.convert_tokens_to_ids(_BLANK)
        if mask is None or mask == tokenizer.unk_token_id:
            raise InputError(f"the tokenizer of {encoder.name} has neither a mask token nor {_BLANK!r}",
                             field="encoder", remedy="Give it a mask token.")  # fmt: skip
    return Objective("masked-next-token", int(mask), 1)


def head_of(encoder: Encoder, objective: Objective, words: torch.Tensor, seed: int) -> LanguageHead | TiedHead:
    """What turns states into words.

    Raises:
        InputError: When a decoder's output words are others than its input words: the model folder of an encoder does
            not hold them.
    """
    config = _config(encoder)
    if objective.kind == "masked-language":
        return LanguageHead(int(config.hidden_size), words.shape[1], words.shape[0], seed).to(encoder.device)
    if not config.tie_word_embeddings:
        raise InputError(
            f"the words that {encoder.name} writes are not those that it reads (tie_word_embeddings is false)",
            field="encoder", remedy="Take a decoder with tied embeddings, e.g. of Qwen3's or Gemma's small sizes.",
        )  # fmt: skip
    return TiedHead(getattr(config, "final_logit_softcapping", None))


def _config(encoder: Encoder) -> Any:
    return encoder.module["backbone"].config
