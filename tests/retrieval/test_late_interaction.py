"""Search by late interaction finds what the whole matrix of scores says, and puts hits of others in its order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data.ragged import offsets_of
from cosmith.errors import InputError
from cosmith.losses import max_similarity
from cosmith.models import LateInteractionEncoder, QueryExpansion, TokenVectors, tiny_encoder
from cosmith.retrieval import Hits, rerank, search_late_interaction


def vectors(counts: list[int], seed: int = 0, width: int = 2) -> TokenVectors:
    values = np.random.default_rng(seed).integers(-2, 3, (sum(counts), width)).astype(np.float32)  # many equal scores
    return TokenVectors(values, offsets_of(np.array(counts, dtype=np.int64)))


def whole(queries: TokenVectors, documents: TokenVectors) -> np.ndarray:
    parts = [torch.from_numpy(part) for each in (queries, documents) for part in (each.values, each.offsets)]
    scores: np.ndarray = max_similarity(*parts).numpy()
    return scores


@given(st.lists(st.integers(1, 4), max_size=5), st.lists(st.integers(1, 5), max_size=9), st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_as_the_whole_matrix(asked: list[int], read: list[int], k: int) -> None:
    queries, documents = vectors(asked), vectors(read, 1)
    expected = whole(queries, documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cosmith.retrieval.late_interaction._QUERIES", 2)
        patch.setattr("cosmith.retrieval.late_interaction._DOCUMENTS", 3)
        positions, scores = search_late_interaction(queries, documents, k)
    order = np.argsort(-expected, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(positions, order)
    np.testing.assert_array_equal(scores, np.take_along_axis(expected, order, axis=1))


def test_half_precision_and_pooling_find_nearly_the_same() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((300, 16)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    documents = TokenVectors(values, offsets_of(np.full(30, 10)))
    queries = TokenVectors(values[::75], offsets_of(np.full(4, 1)))
    expected, _ = search_late_interaction(queries, documents, 3)
    np.testing.assert_array_equal(search_late_interaction(queries, documents.half(), 3)[0], expected)
    assert search_late_interaction(queries, documents.pooled(1.5), 1)[0].shape == (4, 1)


def test_hits_of_another_search_are_put_in_order() -> None:
    encoder = LateInteractionEncoder.from_encoder(tiny_encoder("bert"), 8, expansion=QueryExpansion(8))
    documents = {"a": "red sky", "b": "a cow, a cow", "c": "tin"}
    hits = Hits(np.array([["a", "b", "c"], ["c", "a", ""]], dtype=object), np.array([[3, 2, 1], [2, 1, -np.inf]], "f4"))
    ordered = rerank(hits, encoder, ["red", "tin"], documents)
    scores = whole(encoder.encode_queries(["red", "tin"]), encoder.encode_documents([*documents.values()]))
    assert ordered.ids[0].tolist() == [list("abc")[n] for n in np.argsort(-scores[0])]
    np.testing.assert_allclose(ordered.scores[0], np.sort(scores[0])[::-1], rtol=1e-5)
    assert set(ordered.ids[1]) == {"c", "a", ""}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((vectors([1]), vectors([1]), 0), "at least 1"),
        ((vectors([1]), vectors([1], width=3), 1), "2 dimensions, documents 3"),
        ((vectors([1]), TokenVectors(np.full((1, 2), np.nan, "f4"), np.array([0, 1])), 1), "not finite"),
    ],
)
def test_what_does_not_fit_is_said(arguments: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        search_late_interaction(*arguments)
