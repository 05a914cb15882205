"""A model that nobody has trained yet: a tokenizer learnt from texts, and random weights of a chosen size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch

from cosmith.errors import InputError
from cosmith.models.encoder import Encoder

Backbone = Literal["gemma", "bert"]
"""Whose layers: rotary positions, gated feed-forward and norms before each part (Gemma, arXiv:2403.08295), every token
seeing the whole text; or learnt positions and norms after each part (BERT, arXiv:1810.04805)."""

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_tokenizer(texts: Iterable[str], vocabulary: int, *, lowercase: bool = True) -> Any:
    """Learn a byte-level BPE vocabulary (Radford et al. 2019, section 2.2): nothing is unknown to it, code included.

    Args:
        texts: What to learn from; read once.
        vocabulary: The most tokens, special ones and the 256 bytes included; small corpora give fewer.
        lowercase: Whether upper and lower case are the same.

    Returns:
        A transformers fast tokenizer that puts ``[CLS]`` before and ``[SEP]`` after a text. The same texts in the same
        order give the same one (WordPiece's trainer breaks ties by chance).

    Raises:
        InputError: When the vocabulary has no room for a merge, or there is no text.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    least = len(SPECIAL_TOKENS) + len(alphabet)
    if vocabulary <= least:
        raise InputError(f"is {vocabulary}, too few", field="vocabulary", remedy=f"Give more than {least}.")
    tokenizer = Tokenizer(models.BPE())
    steps: list[Any] = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer: Any = trainers.BpeTrainer
    tokenizer.train_from_iterator(
        texts,
        trainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    if tokenizer.get_vocab_size() <= least:
        raise InputError("hold nothing to learn tokens from", field="texts", remedy="Give texts with words.")
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    make: Any = PreTrainedTokenizerFast
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return make(tokenizer_object=tokenizer, **names)


def initialise(
    texts: Iterable[str],
    *,
    vocabulary: int = 16_000,
    layers: int = 6,
    hidden: int = 256,
    heads: int = 4,
    max_length: int = 256,
    dropout: float = 0.0,
    lowercase: bool = True,
    backbone: Backbone = "gemma",
    seed: int = 0,
    name: str = "from-scratch",
) -> Encoder:
    """An encoder with mean pooling, random weights and a tokenizer learnt from the texts.

    Small models with Gemma's layers learn language in far fewer steps than with BERT's, which stay for long where they
    know no more than how frequent words are: after 600 steps of 32 pieces of 64 tokens of Wikipedia the loss of masked
    words was 5.9 with the one and 6.7 with the other (4 layers of width 256, 8,000 words, one seed).

    Args:
        texts: What the tokenizer learns from.
        vocabulary: The most tokens.
        layers: Transformer layers.
        hidden: Their width, a multiple of ``heads``, for ``gemma`` of twice as many. The feed-forward parts have about
            as many weights for both: BERT's are four times as wide, Gemma's, with a gate, 2⅔ times.
        heads: Attention heads.
        max_length: The most tokens of a text.
        dropout: Share dropped in training: of BERT's states and attention, of Gemma's attention.
        lowercase: Whether upper and lower case are the same.
        backbone: Whose layers.
        seed: Of the weights.
        name: What to call it.

    Raises:
        InputError: When a size makes no sense.
    """
    for field, value in (("layers", layers), ("hidden", hidden), ("heads", heads)):
        if value < 1:
            raise InputError(f"is {value}", field=field, remedy="Give 1 or more.")
    twice = backbone == "gemma"  # its rotary positions turn pairs of a head's numbers
    if hidden % (heads * (1 + twice)):
        raise InputError(
            f"{hidden} is no multiple of {'twice ' * twice}the {heads} heads", field="hidden",
            remedy="Change one of them.",
        )  # fmt: skip
    tokenizer = train_tokenizer(texts, vocabulary, lowercase=lowercase)
    config = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": max_length,
        "attention_probs_dropout_prob" if backbone == "bert" else "attention_dropout": dropout,
        "pad_token_id": tokenizer.pad_token_id,
        **(_bert(hidden, dropout) if backbone == "bert" else _gemma(hidden, heads)),
    }
    encoder = Encoder.from_config(config, tokenizer, max_length=max_length, name=name, seed=seed)
    if backbone == "gemma":
        _silence_layers(encoder)
    return encoder


def _silence_layers(encoder: Encoder) -> None:
    """Let every layer add nothing at first, so that the vector of a text begins as the mean of its words' vectors.

    The states of Gemma are a sum of the word's embedding and of what each layer adds, and at random what the layers add
    is ten times as large: the words drown in it. Zeros in the last matrix of each part are a known remedy (Zhang et
    al., arXiv:1901.09321, section 3).
    """
    for name, weight in encoder.module.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.zeros_(weight)


def _bert(hidden: int, dropout: float) -> dict[str, Any]:
    return {"model_type": "bert", "intermediate_size": 4 * hidden, "hidden_dropout_prob": dropout}


def _gemma(hidden: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "gemma",
        "intermediate_size": -(-8 * hidden // 3 // 32) * 32,  # whole blocks of the matrix product
        "num_key_value_heads": heads,
        "head_dim": hidden // heads,
        "is_causal": False,
        "tie_word_embeddings": True,
    }
