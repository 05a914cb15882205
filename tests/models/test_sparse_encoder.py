"""Sparse encoders: sentence-transformers' vectors, every family's word scores, sparse rows of any texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosmith.errors import InputError
from cosmith.models import Encoder, SparseEncoder, SparseVectors, tiny_encoder

TEXTS = ["the cat sleeps", "red", "it is long, " * 12, "red", "", "where does the dog sleep in june"]


def sparse(seed: int = 0, dropout: float = 0.0, **changes: Any) -> SparseEncoder:
    """With weights large enough that vectors differ by more than rounding, and that half of the words have none."""
    model = SparseEncoder.from_encoder(tiny_encoder("bert", seed=seed, dropout=dropout, **changes), seed=seed)
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
        model._model.cls.predictions.bias.sub_(0.4)
    return model


def theirs(folder: Path) -> Any:
    from sentence_transformers import SparseEncoder as Theirs

    return Theirs(str(folder), device="cpu")


@pytest.mark.parametrize(("pooling", "saturation"), [("max", "relu"), ("sum", "relu"), ("max", "log1p_relu")])
def test_saved_folders_give_the_same_in_sentence_transformers(pooling: Any, saturation: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    made = sparse()
    made.spec = replace(made.spec, pooling=pooling, saturation=saturation)
    ours = made.encode(TEXTS).dense()
    loaded = SparseEncoder.load(made.save(tmp_path / "m"))
    assert loaded.fingerprint() == made.fingerprint()
    np.testing.assert_allclose(loaded.encode(TEXTS).dense(), ours, atol=1e-6)
    np.testing.assert_allclose(ours, theirs(tmp_path / "m").encode(TEXTS).to_dense().numpy(), atol=1e-5)
    assert 0.2 < (ours > 0).mean() < 0.8
    assert np.ptp(ours) > 0.5


def test_folders_of_sentence_transformers_and_bare_ones_give_the_same_here(tmp_path: Path) -> None:
    made = sparse(seed=3)
    made._model.save_pretrained(tmp_path / "bare")
    made.tokenizer.tokenizer.save_pretrained(tmp_path / "bare")
    model = theirs(tmp_path / "bare")
    model.prompts["query"] = "find: "
    model.save_pretrained(str(tmp_path / "theirs"))
    for folder in ("bare", "theirs"):
        ours = SparseEncoder.load(tmp_path / folder)
        np.testing.assert_allclose(ours.encode(TEXTS).dense(), model.encode(TEXTS).to_dense().numpy(), atol=1e-5)
    asked = ours.encode(TEXTS, prompt="query").dense()
    np.testing.assert_allclose(asked, model.encode_query(TEXTS).to_dense().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1, "max_position_embeddings": 66},
        {"model_type": "xlm-roberta", "pad_token_id": 1, "type_vocab_size": 1, "max_position_embeddings": 66},
        {"model_type": "distilbert", "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "pad_token_id": 0},
        {"model_type": "bert", "pad_token_id": 0},
    ],
)
def test_every_family_gives_the_word_scores_of_transformers(config: dict[str, Any]) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    base = tiny_encoder("bert")
    config = {"vocab_size": len(base.tokenizer.tokenizer), "max_position_embeddings": 64} | sizes | config
    if config["model_type"] == "distilbert":
        config = {key: value for key, value in config.items() if key not in sizes}
    made = SparseEncoder.from_encoder(Encoder.from_config(config, base.tokenizer.tokenizer, seed=1), seed=2)
    tokens = made.tokenize(TEXTS)
    with torch.no_grad():
        got = made.embed(tokens)
        for number, (start, end) in enumerate(zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)):
            ids = torch.from_numpy(tokens.values[start:end].astype(np.int64))[None]
            expected = made._model(input_ids=ids).logits[0].relu().log1p().amax(0)
            torch.testing.assert_close(got[number], expected, atol=1e-5, rtol=1e-4)


def test_micro_batches_and_order_change_nothing_and_words_explain() -> None:
    made = sparse()
    whole = made.encode(TEXTS)
    assert (whole.values > 0).all()
    np.testing.assert_allclose(made.encode(TEXTS, token_budget=1).dense(), whole.dense(), atol=1e-6)
    np.testing.assert_allclose(made.encode(TEXTS[::-1]).dense()[::-1], whole.dense(), atol=1e-6)
    assert made.encode([]).dense().shape == (0, made.dimension)
    words = made.words(whole, 0, top=3)
    row = whole.dense()[0]
    vocabulary = made.tokenizer.tokenizer.get_vocab()
    assert [row[vocabulary[word]] for word, _ in words] == sorted(row, reverse=True)[:3]


@given(
    arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 7)), elements=st.sampled_from([0.0, 0.0, 1.5, 2.0]))
)
@settings(deadline=None, max_examples=60)
def test_sparse_rows_are_the_dense_ones(dense: np.ndarray) -> None:
    rows = SparseVectors.of(dense)
    np.testing.assert_array_equal(rows.dense(), dense)
    np.testing.assert_array_equal(rows.by_dimension().dense(), dense.T)
    numbers = np.arange(len(dense))[::-1].repeat(2)
    np.testing.assert_array_equal(rows.take(numbers).dense(), dense[numbers])
    np.testing.assert_array_equal(
        SparseVectors.concatenate([rows, rows], dense.shape[1]).dense(), np.concatenate([dense] * 2)
    )
    assert rows.counts.tolist() == (dense != 0).sum(1).tolist()


def test_what_is_no_sparse_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make no sparse encoder"):
        SparseEncoder.load(tiny_encoder("bert").save(tmp_path / "encoder"))
    tiny_encoder("bert")._backbone.save_pretrained(tmp_path / "bare")
    with pytest.raises(InputError, match="no head for masked"):
        SparseEncoder.load(tmp_path / "bare")
    with pytest.raises(InputError, match="no head of the kind MaskedLM"):
        SparseEncoder.from_encoder(tiny_encoder("qwen3"))
    with pytest.raises(InputError, match="one text"):
        sparse().encode("red")
