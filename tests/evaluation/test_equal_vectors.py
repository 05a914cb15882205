"""Documents of one vector have one score, and the greater id comes first."""

from __future__ import annotations

import numpy as np
import pytest

from cosmith.data import Collection
from cosmith.evaluation import search_collection
from cosmith.evaluation.equal_vectors import distinct_rows, search_by_score_and_id
from cosmith.retrieval import search_dense


class OfText:
    """Gives each text the vector that a generator seeded by it draws."""

    name = "of-text"
    dimension = 37

    def encode(self, texts, **_):
        drawn = [np.random.default_rng(sum(map(ord, text))).normal(size=37) for text in texts]
        return np.array([each / np.linalg.norm(each) for each in drawn], dtype=np.float32)


@pytest.mark.parametrize("k", [3, 20, 30])
def test_identical_documents_come_by_the_greater_id_also_at_the_cut(k):
    names = [f"d{number:02}" for number in np.random.default_rng(0).permutation(20)]
    queries = {f"q{number}": f"question {number}" for number in range(7)}
    collection = Collection("same", dict.fromkeys(names, "one text"), queries, {each: {"d19": 1} for each in queries})
    found = search_collection(OfText(), collection, k)
    expected = sorted(names, reverse=True)[:k]
    assert all(row == expected for row in found.ids.tolist())
    assert all(len(set(row)) == 1 for row in found.scores.tolist())


@pytest.mark.parametrize("k", [1, 4, 9, 60])
def test_every_vector_is_searched_once_and_stands_for_all_its_documents(k):
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(12, 8)).astype(np.float32)
    of = draw.integers(0, 12, size=40)
    ids = [f"{number:03}" for number in draw.permutation(40)]
    queries = draw.normal(size=(5, 8)).astype(np.float32)
    positions, scores = search_by_score_and_id(queries, vectors[of], ids, k)
    exact = np.round(queries.astype(np.float64) @ vectors.T.astype(np.float64), 5)
    for row in range(5):
        by_hand = sorted(range(40), key=lambda each: (exact[row, of[each]], ids[each]), reverse=True)[:k]
        assert positions[row].tolist() == by_hand
        np.testing.assert_allclose(scores[row], exact[row, of[by_hand]], atol=2e-5)
    assert scores.dtype == np.float32


def test_distinct_vectors_are_searched_as_ever():
    draw = np.random.default_rng(2)
    queries, documents = draw.normal(size=(3, 8)), draw.normal(size=(30, 8))
    found, expected = search_by_score_and_id(queries, documents, ["x"] * 30, 5), search_dense(queries, documents, 5)
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    first, group_of = distinct_rows(documents[[4, 1, 4, 1, 0]])
    assert (first.tolist(), group_of.tolist()) == ([0, 1, 4], [0, 1, 0, 1, 2])
