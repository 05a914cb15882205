from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.retrieval import BestSoFar, search_dense
from cosmith.retrieval import dense as dense_module


def by_sorting(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    positions = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return positions, np.take_along_axis(scores, positions, axis=1)


def unit(rng: np.random.Generator, count: int, width: int) -> np.ndarray:
    vectors = rng.normal(size=(count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(
    seed=st.integers(0, 2**32 - 1),
    queries=st.integers(0, 8),
    documents=st.integers(0, 60),
    k=st.integers(1, 70),
    block=st.integers(1, 70),
    values=st.integers(1, 4),
)
def test_whole_numbers_are_found_exactly_in_order_with_ties_by_position(seed, queries, documents, k, block, values):
    # Small whole numbers: inner products are exact and full of ties, so every position is determined.
    rng = np.random.default_rng(seed)
    asked = rng.integers(-values, values + 1, (queries, 3)).astype(np.float32)
    corpus = rng.integers(-values, values + 1, (documents, 3)).astype(np.float32)
    positions, scores = search_dense(asked, corpus, k, block=block)
    expected_positions, expected_scores = by_sorting(asked @ corpus.T, k)
    assert positions.dtype == np.int64
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(positions, expected_positions)
    np.testing.assert_array_equal(scores, expected_scores)


def test_real_vectors_are_found_as_by_sorting_all_scores(monkeypatch):
    monkeypatch.setattr(dense_module, "QUERY_BLOCK", 7)
    rng = np.random.default_rng(1)
    queries, documents = unit(rng, 30, 48), unit(rng, 2000, 48)
    positions, scores = search_dense(queries, documents, 25, block=300)
    expected_positions, expected_scores = by_sorting(queries @ documents.T, 25)
    np.testing.assert_array_equal(positions, expected_positions)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


def test_ascending_and_descending_scores_across_blocks():
    # The worst case for a selection that keeps what beats the best so far: every block beats all before it.
    queries = np.array([[1.0], [-1.0]], dtype=np.float32)
    documents = np.arange(1000, dtype=np.float32)[:, None]
    positions, _ = search_dense(queries, documents, 5, block=64)
    assert positions.tolist() == [[999, 998, 997, 996, 995], [0, 1, 2, 3, 4]]


def test_faiss_finds_the_same():
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(2)
    queries, documents = unit(rng, 40, 32), unit(rng, 3000, 32)
    expected, positions = faiss.knn(queries, documents, 10, metric=faiss.METRIC_INNER_PRODUCT)
    found, scores = search_dense(queries, documents, 10)
    np.testing.assert_array_equal(found, positions)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_masked_documents_lose_to_everything_and_are_marked():
    best = BestSoFar(rows=2, k=2)
    best.add(np.array([[-np.inf, -5.0], [-np.inf, -np.inf]], dtype=np.float32), first=0)
    best.add(np.array([[-9.0, -np.inf], [-np.inf, 1.0]], dtype=np.float32), first=2)
    positions, scores = best.result()
    assert scores.tolist() == [[-5.0, -9.0], [1.0, -np.inf]]
    assert positions[0].tolist() == [1, 2]
    assert positions[1, 0] == 3


def test_a_memory_mapped_corpus_of_float16_may_be_searched(tmp_path):
    documents = unit(np.random.default_rng(3), 100, 8).astype(np.float16)
    np.save(tmp_path / "vectors.npy", documents)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    positions, scores = search_dense(documents[:4], mapped, 1, block=30)
    assert scores.dtype == np.float32
    assert positions[:, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["queries", "documents"])
def test_vectors_that_are_not_finite_are_refused(bad, side):
    arrays = {"queries": np.ones((3, 4), np.float32), "documents": np.ones((9, 4), np.float32)}
    arrays[side][2, 1] = bad
    with pytest.raises(InputError, match="not finite") as refused:
        search_dense(**arrays, k=2, block=4)
    if side == "documents":
        assert "document number 2 " in str(refused.value)


@pytest.mark.parametrize(
    ("queries", "documents", "options", "field"),
    [
        ((2, 3), (4, 3), {"k": 0}, "k"),
        ((2, 3), (4, 3), {"k": 1, "block": 0}, "block"),
        ((2, 3), (4, 5), {"k": 1}, "queries"),
        ((3,), (4, 3), {"k": 1}, "queries"),
    ],
)
def test_arguments_that_cannot_be_searched_are_refused_by_name(queries, documents, options, field):
    with pytest.raises(InputError) as refused:
        search_dense(np.zeros(queries, np.float32), np.zeros(documents, np.float32), **options)
    assert refused.value.field == field
