"""Small random models of two families, for tests, teaching and trying things out in a second."""

from __future__ import annotations

import string
from typing import Any, Literal

import torch

from cosmith.models.cross_encoder import CrossEncoder
from cosmith.models.cross_encoder.folder import CrossEncoderSpec, default_words
from cosmith.models.encoder import Encoder
from cosmith.models.pooling import Pooling

Family = Literal["bert", "qwen3"]


def tiny_encoder(
    family: Family,
    *,
    seed: int = 0,
    dropout: float = 0.0,
    pooling: Pooling | None = None,
    layers: int = 2,
    hidden: int = 32,
    projection: int | None = None,
    max_length: int = 64,
) -> Encoder:
    """A random model that reads ASCII text character by character.

    Args:
        family: ``bert`` (bidirectional, mean pooling) or ``qwen3`` (causal, grouped keys, last-token pooling on an
            appended end token).
        seed: Seeds the weights.
        dropout: Share dropped in attention and, for ``bert``, hidden states.
        pooling: Another pooling than the family's.
        layers, hidden: Depth and width (a multiple of 8).
        projection: Width of a final linear layer.
        max_length: The most tokens of a text.
    """
    if family == "bert":
        return Encoder.from_config(
            {
                "model_type": "bert",
                "vocab_size": len(_vocabulary()),
                "hidden_size": hidden,
                "num_hidden_layers": layers,
                "num_attention_heads": 4,
                "intermediate_size": 2 * hidden,
                "max_position_embeddings": max_length,
                "hidden_dropout_prob": dropout,
                "attention_probs_dropout_prob": dropout,
                "pad_token_id": 0,
            },
            _tokenizer("[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1"),
            pooling=pooling or "mean",
            projection=projection,
            max_length=max_length,
            name="tiny-bert",
            seed=seed,
        )
    return Encoder.from_config(
        {
            "model_type": "qwen3",
            "vocab_size": len(_vocabulary()),
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": hidden // 4,
            "intermediate_size": 2 * hidden,
            "max_position_embeddings": max_length,
            "attention_dropout": dropout,
            "pad_token_id": 0,
        },
        _tokenizer("$A [SEP]"),
        pooling=pooling or "last_token",
        projection=projection,
        max_length=max_length,
        name="tiny-qwen3",
        seed=seed,
    )


def _vocabulary() -> dict[str, int]:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    characters = string.ascii_lowercase + string.digits + string.punctuation
    return {token: i for i, token in enumerate([*special, *characters, *(f"##{c}" for c in characters)])}


def tiny_cross_encoder(family: Family, *, seed: int = 0, dropout: float = 0.0, max_length: int = 96) -> CrossEncoder:
    """A random scorer of pairs.

    Args:
        family: ``bert`` (a classifier) or ``qwen3`` (a language model that says yes or no).
        seed: Seeds the weights.
        dropout: As in :func:`tiny_encoder`.
        max_length: The most tokens of a pair.
    """
    if family == "bert":
        encoder = tiny_encoder(family, seed=seed, dropout=dropout, max_length=max_length)
        return CrossEncoder.from_encoder(encoder, seed=seed)
    from transformers import AutoModelForCausalLM

    length = 320  # its template takes 240 tokens of one character
    encoder = tiny_encoder(family, seed=seed, dropout=dropout, max_length=length + max_length)
    backbone: Any = encoder.module["backbone"]
    tokenizer, config = encoder.tokenizer.tokenizer, backbone.config
    tokenizer.add_tokens(["yes", "no"])
    config.vocab_size = len(tokenizer)
    make: Any = AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make.from_config(config, dtype=torch.float32)
    spec = CrossEncoderSpec(words=default_words(tokenizer), max_length=length + max_length)
    return CrossEncoder(model, tokenizer, spec, name="tiny-qwen3-reranker")


def _tokenizer(template: str, pair: str | None = None) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = _vocabulary()
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]") if token in template]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, pair=pair, special_tokens=special)
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        mask_token=None,
        **({} if pair is None else {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}),
    )
