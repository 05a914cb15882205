"""Documents of one vector have one score, and the greater id comes first."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import Collection
from cosmith.data.chunking import Chunk
from cosmith.evaluation import search_collection
from cosmith.evaluation.equal_vectors import (
    distinct_rows,
    members_of,
    search_equal_alike,
    search_late_interaction_equal_alike,
)
from cosmith.models import TokenVectors
from cosmith.retrieval import search_dense


class OfText:
    """Gives each text the vector that a generator seeded by it draws."""

    name = "of-text"
    dimension = 37

    def __init__(self, best=""):
        self.best = best

    def encode(self, texts, **_):
        drawn = [np.random.default_rng(sum(map(ord, text))).normal(size=37) for text in texts]
        if self.best:  # queries and this text are near to each other, others are not
            drawn = [
                each + (100 if text == self.best or text.startswith("question") else 0)
                for each, text in zip(drawn, texts, strict=True)
            ]
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


@pytest.mark.parametrize("k", [3, 20, 30])
def test_identical_chunks_tie_and_come_by_the_greater_id_also_at_the_cut(k):
    draw = np.random.default_rng(0)
    names = [f"d{number:02}" for number in draw.permutation(20)]
    queries = {f"q{number}": f"question {number}" for number in range(7)}
    chunks = []
    for name in names:
        parts = [f"part of {name}"] * int(draw.integers(0, 4))
        parts.insert(int(draw.integers(0, len(parts) + 1)), "one text")
        chunks += [Chunk(f"{name}#{n}", name, n, n + 1, part) for n, part in enumerate(parts)]
    collection = Collection("same", dict.fromkeys(names, "0123"), queries, {each: {"d19": 1} for each in queries})
    encoder = OfText(best="one text")
    found = search_collection(encoder, collection, k, chunks=chunks)
    expected = sorted(names, reverse=True)[:k]
    assert all(row == expected for row in found.ids.tolist())
    assert all(len(set(row)) == 1 for row in found.scores.tolist())
    where = {chunk.document: (chunk.start, chunk.stop) for chunk in chunks if chunk.text == "one text"}
    assert [tuple(span) for span in found.spans[0].tolist()] == [where[name] for name in expected]


@pytest.mark.parametrize("k", [1, 4, 9, 60])
def test_every_vector_is_searched_once_and_stands_for_all_its_documents(k):
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(12, 8)).astype(np.float32)
    of = draw.integers(0, 12, size=40)
    queries = draw.normal(size=(5, 8)).astype(np.float32)
    positions, scores = search_equal_alike(queries, vectors[of], k)
    exact = np.round(queries.astype(np.float64) @ vectors.T.astype(np.float64), 5)
    for row in range(5):
        by_hand = sorted(range(40), key=lambda each: (-exact[row, of[each]], each))[:k]
        assert positions[row].tolist() == by_hand
        np.testing.assert_allclose(scores[row], exact[row, of[by_hand]], atol=2e-5)
    assert scores.dtype == np.float32


@given(
    group_of=st.lists(st.integers(0, 6), min_size=1, max_size=30),
    levels=st.lists(st.integers(0, 3), min_size=21, max_size=21),
    k=st.integers(1, 40),
)
def test_members_of_groups_are_the_best_documents_whatever_ties(group_of, levels, k):
    groups = np.unique(group_of, return_inverse=True)[1].reshape(-1).astype(np.int64)
    count = int(groups.max()) + 1
    scores = np.array(levels, dtype=np.float32).reshape(3, 7)[:, :count]
    best = np.argsort(-scores, axis=1, kind="stable")
    # as a search gives them: of equal scores those that stand first, whose first documents stand first, too
    firsts = np.array([np.flatnonzero(groups == group)[0] for group in range(count)])
    best = np.array([sorted(range(count), key=lambda g, row=row: (-row[g], firsts[g]))[:k] for row in scores])
    positions, values = members_of(best, np.take_along_axis(scores, best, axis=1), groups, k)
    for row, own in enumerate(scores[:, groups]):
        by_hand = sorted(range(len(groups)), key=lambda each, own=own: (-own[each], each))[:k]
        assert positions[row].tolist() == by_hand
        assert values[row].tolist() == own[by_hand].tolist()


@pytest.mark.parametrize("k", [11, 30])
def test_token_vectors_of_equal_documents_tie(k):
    draw = np.random.default_rng(3)
    texts = [draw.normal(size=(int(draw.integers(2, 9)), 16)).astype(np.float32) for _ in range(5)]
    of = draw.integers(0, 5, size=30)
    made = [TokenVectors(each, np.array([0, len(each)])) for each in texts]
    documents = TokenVectors.concatenate([made[each] for each in of], 16)
    queries = TokenVectors.concatenate([made[0], made[3]], 16)
    positions, scores = search_late_interaction_equal_alike(queries, documents, k)
    for row, values in zip(positions, scores, strict=True):
        for text in set(of[row].tolist()):
            own = values[of[row] == text]
            assert len(set(own.tolist())) == 1
        keys = list(zip((-values).tolist(), row.tolist(), strict=True))
        assert keys == sorted(keys)


def test_distinct_vectors_are_searched_as_ever():
    draw = np.random.default_rng(2)
    queries, documents = draw.normal(size=(3, 8)), draw.normal(size=(30, 8))
    found, expected = search_equal_alike(queries, documents, 5), search_dense(queries, documents, 5)
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    first, group_of = distinct_rows(documents[[4, 1, 4, 1, 0]])
    assert (first.tolist(), group_of.tolist()) == ([0, 1, 4], [0, 1, 0, 1, 2])


def test_different_documents_of_one_score_are_cut_by_their_ids():
    """Binary vectors tie often; which of those at the cut are found must not depend on where they stand."""
    draw = np.random.default_rng(4)
    vectors = {f"{number:02}": np.sign(draw.normal(size=8)) for number in draw.permutation(60)}
    collection = Collection("ties", {name: name for name in vectors}, {"q": "q"}, {"q": {"00": 1}})
    encoder = SimpleNamespace(encode=lambda texts, **_: np.array(
        [np.ones(8) if text == "q" else vectors[text] for text in texts], dtype=np.float32))  # fmt: skip
    found = search_collection(encoder, collection, 13)
    expected = sorted(vectors, key=lambda name: (vectors[name].sum(), name), reverse=True)[:13]
    assert found.ids[0].tolist() == expected
