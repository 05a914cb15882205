"""Vectors as a model's modules leave them, and by what they are compared, as sentence-transformers has both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.models import CachedEncoder, Encoder, VectorCache, tiny_encoder
from cosmith.models.similarity import SIMILARITIES, encode_compared, encode_unscaled, leaves_unit_rows, similarity_of

TEXTS = ["a b c", "d e", "a longer text of more words than the others", ""]


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_a_model_without_a_normalize_module_is_as_in_sentence_transformers(tmp_path: Path, similarity: str) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    encoder = tiny_encoder("bert")
    encoder.spec = replace(encoder.spec, head=(), similarity=similarity)
    encoder.save(tmp_path / "model")
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert theirs.similarity_fn_name == similarity
    loaded = Encoder.load(tmp_path / "model")
    assert similarity_of(loaded) == similarity
    expected = theirs.encode(TEXTS)
    np.testing.assert_allclose(encode_unscaled(loaded, TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(encode_unscaled(loaded, TEXTS, dim=5), expected[:, :5], atol=1e-5)
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(
        encode_compared(loaded, TEXTS), unit if similarity == "cosine" else expected, atol=1e-5
    )  # fmt: skip
    cached = CachedEncoder(loaded, VectorCache(None))
    np.testing.assert_array_equal(encode_unscaled(cached, TEXTS), encode_unscaled(loaded, TEXTS))
    np.testing.assert_allclose(cached.encode(TEXTS, dim=5), loaded.encode(TEXTS, dim=5), atol=1e-6)


def test_dot_products_of_unit_rows_are_cosines(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    encoder.spec = replace(encoder.spec, similarity="dot")
    assert leaves_unit_rows(encoder)
    assert similarity_of(encoder) == "cosine"
    np.testing.assert_array_equal(encode_unscaled(encoder, TEXTS, dim=5), encoder.encode(TEXTS, dim=5))


def test_a_similarity_that_is_none_is_refused(tmp_path: Path) -> None:
    tiny_encoder("bert").save(tmp_path / "model")
    path = tmp_path / "model" / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"similarity_fn_name": "dott"}))
    with pytest.raises(InputError, match="'dott' is no way to compare vectors") as raised:
        Encoder.load(tmp_path / "model")
    assert raised.value.field == "similarity_fn_name"
