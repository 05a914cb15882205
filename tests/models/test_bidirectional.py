"""A decoder whose tokens see the whole text: equal to transformers' own model under a full mask made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.models import Encoder, tiny_encoder
from cosmith.models.attention import DECODERS

TEXTS = ["how do I bake bread", "", "a", "the quick brown fox jumps over it", "how to bake", "fox " * 7]
# A window shorter than the texts, layers with and without one, and Gemma's soft cap.
EXTRA: dict[str, dict[str, Any]] = {
    "mistral": {"sliding_window": 5},
    "qwen2": {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    "gemma": {"head_dim": 8},
    "gemma2": {"head_dim": 8, "sliding_window": 5, "attn_logit_softcapping": 2.0, "query_pre_attn_scalar": 8},
    "gemma3_text": {"head_dim": 8, "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"]},
}


def decoder(model_type: str, **extra: Any) -> Encoder:
    config = {
        "model_type": model_type, "vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 64,
        "initializer_range": 0.2, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None,
    }  # fmt: skip
    return Encoder.from_config(
        config | EXTRA.get(model_type, {}) | extra, tiny_encoder("qwen3").tokenizer.tokenizer, max_length=60
    )


def by_hand(encoder: Encoder) -> np.ndarray:
    """The vectors by transformers' eager attention, a text at a time, under masks made here."""
    model: Any = encoder.copy().module["backbone"]
    model.set_attn_implementation("eager")
    if hasattr(model.config, "is_causal"):
        del model.config.is_causal
    window = getattr(model.config, "sliding_window", None)
    rows = []
    for text in TEXTS:
        ids = torch.from_numpy(encoder.tokenize([text]).values.astype(np.int64))[None]
        position = torch.arange(ids.shape[1])
        near = (position[:, None] - position[None]).abs() <= (window if window is not None else len(position))
        masks: dict[str, torch.Tensor] = {}
        for kind, allowed in (("full_attention", torch.ones_like(near)), ("sliding_attention", near)):
            masks[kind] = torch.zeros(near.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[None, None]
        kinds = set(getattr(model.config, "layer_types", None) or [])
        if not kinds:
            kinds = {"sliding_attention" if window is not None else "full_attention"}
        given: Any = (
            masks
            if len(kinds) > 1 or model.config.model_type in ("gemma2", "gemma3_text", "qwen2", "qwen3")
            else masks[kinds.pop()]
        )
        with torch.no_grad():
            states = model(input_ids=ids, attention_mask=given).last_hidden_state[0]
        rows.append(torch.nn.functional.normalize(states.mean(0), dim=0).numpy())
    return np.stack(rows)


def padded(encoder: Encoder) -> Encoder:
    other = encoder.copy()
    other.variable_length = False
    other.module["backbone"].set_attn_implementation("eager")  # type: ignore[operator]
    return other


@pytest.mark.parametrize("model_type", DECODERS)
def test_every_family_equals_a_full_mask_made_by_hand(model_type: str) -> None:
    causal = decoder(model_type)
    encoder = causal.copy().set_bidirectional()
    expected = by_hand(encoder)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=2e-6)
    np.testing.assert_allclose(padded(encoder).encode(TEXTS), expected, atol=2e-6)
    assert np.abs(causal.encode(TEXTS) - expected).max() > 1e-2
    np.testing.assert_allclose(causal.encode(TEXTS), padded(causal).encode(TEXTS), atol=2e-6)
    np.testing.assert_array_equal(encoder.set_bidirectional(False).encode(TEXTS), causal.encode(TEXTS))


def test_gemma_3_with_a_switch_of_its_own_equals_transformers() -> None:
    encoder = decoder("gemma3_text", use_bidirectional_attention=True, sliding_window=6)
    np.testing.assert_allclose(encoder.encode(TEXTS), padded(encoder).encode(TEXTS), atol=2e-6)
    assert np.abs(encoder.encode(TEXTS) - decoder("gemma3_text", sliding_window=6).encode(TEXTS)).max() > 1e-2
    with pytest.raises(InputError, match="was trained with its tokens seeing the whole text"):
        encoder.set_bidirectional(False)


@pytest.mark.parametrize("model_type", ["qwen3", "mistral", "gemma"])
def test_the_switch_travels_with_the_folder_and_sentence_transformers_obeys_it(model_type: str, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    encoder = decoder(model_type)
    causal = encoder.fingerprint()
    encoder.set_bidirectional().save(tmp_path / "model")
    assert encoder.fingerprint() != causal
    loaded = Encoder.load(tmp_path / "model")
    assert loaded.fingerprint() == encoder.fingerprint()
    np.testing.assert_array_equal(loaded.encode(TEXTS), encoder.encode(TEXTS))
    theirs = library.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    for texts in (TEXTS, ["same", "size"]):  # with padding and without
        np.testing.assert_allclose(theirs.encode(texts), encoder.encode(texts), atol=1e-5)
    assert Encoder.load(tmp_path / "model", bidirectional=False).fingerprint() == causal


@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_equal_the_padded_ones_also_with_texts_of_which_some_end_before_the_window(
    bidirectional: bool,
) -> None:
    encoder = decoder("mistral").set_bidirectional(bidirectional)
    other = padded(encoder)
    direction = torch.randn(len(TEXTS), encoder.dimension, generator=torch.Generator().manual_seed(0))
    for model in (encoder, other):
        (model.embed(model.tokenize(TEXTS)) * direction).sum().backward()
    for (name, mine), (_, theirs) in zip(
        encoder.module.named_parameters(), other.module.named_parameters(), strict=True
    ):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert (mine.grad - theirs.grad).norm() <= 1e-5 * theirs.grad.norm(), name


def test_what_cannot_be_switched_is_refused() -> None:
    with pytest.raises(InputError, match=r"type 'bert' cannot be switched.*it is for gemma"):
        tiny_encoder("bert").set_bidirectional()
    with pytest.raises(InputError, match="in one half of this family's attention only"):
        decoder("gemma", use_bidirectional_attention=True)
