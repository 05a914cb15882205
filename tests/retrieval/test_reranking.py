"""A better order for hits: that of the scorer where it reads, the old one behind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.models import tiny_cross_encoder
from cosmith.retrieval import Hits, rerank

DOCUMENTS = {name: f"document {name} " * number for number, name in enumerate("abcdef", start=1)}


class ByLength:
    """Scores a document by how near its length is to the number in the query."""

    def __init__(self) -> None:
        self.read = 0

    def score(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        instruction: str = "",
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        self.read += len(documents)
        return np.array([-abs(int(q) - len(d)) for q, d in zip(queries, documents, strict=True)], dtype=np.float32)


def hits(rows: Sequence[str]) -> Hits:
    width = max(map(len, rows))
    ids = np.array([list(row) + [""] * (width - len(row)) for row in rows], dtype=object).reshape(len(rows), width)
    return Hits(ids, np.where(ids == "", -np.inf, -np.arange(width)).astype(np.float32))


def test_hand_made_order() -> None:
    found, scorer = hits(["abcd", "dca"]), ByLength()
    got = rerank(found, scorer, ["1000", "0"], DOCUMENTS, top=3)
    assert [[name for name, _ in got.of(row)] for row in (0, 1)] == [["c", "b", "a", "d"], ["a", "c", "d"]]
    assert scorer.read == 6
    assert got.of(0)[3][1] == got.of(0)[2][1] - 1  # what was not read stands behind


found_ids = st.builds(lambda order, count: "".join(order[:count]), st.permutations("abcdef"), st.integers(0, 6))


@given(st.lists(found_ids, min_size=1), st.integers(1, 8))
@settings(deadline=None, max_examples=50)
def test_nothing_is_lost_and_scores_fall(rows: list[str], top: int) -> None:
    found = hits(rows)
    got = rerank(found, ByLength(), ["40"] * len(rows), DOCUMENTS, top=top)
    for row, before in enumerate(rows):
        after = [name for name, _ in got.of(row)]
        assert sorted(after) == sorted(before)
        assert sorted(after[:top]) == sorted(before[:top])
        assert after[top:] == list(before[top:])
        scores = [score for _, score in got.of(row)]
        assert scores == sorted(scores, reverse=True)
        assert after[:top] == sorted(before[:top], key=lambda name: abs(40 - len(DOCUMENTS[name])))


def test_with_a_cross_encoder() -> None:
    model = tiny_cross_encoder("bert")
    got = rerank(hits(["abc"]), model, ["where is it"], DOCUMENTS)
    ranked = model.rank("where is it", [DOCUMENTS[name] for name in "abc"])
    assert [name for name, _ in got.of(0)] == ["abc"[number] for number, _ in ranked]


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(InputError, match="2 queries"):
        rerank(hits(["ab"]), ByLength(), ["1", "2"], DOCUMENTS)
    with pytest.raises(InputError, match="no document"):
        rerank(hits(["az"]), ByLength(), ["1"], DOCUMENTS)
    with pytest.raises(InputError, match="at least 1"):
        rerank(hits(["ab"]), ByLength(), ["1"], DOCUMENTS, top=0)
