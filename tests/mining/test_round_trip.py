"""Round-trip consistency."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cosmith.data import Source, TrainingRow, passages_of
from cosmith.errors import InputError
from cosmith.mining import round_trip


class Points:
    """Texts that name a unit vector: ``"0.6 0.8 …"``; what stands behind the third word only tells them apart."""

    dimension, max_length = 2, 10

    def encode(self, texts: Any, **_: Any) -> np.ndarray:
        vectors = np.array([[float(part) for part in text.split()[:2]] for text in texts], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def fingerprint(self) -> str:
        return "points"


def source(*rows: tuple[str, ...]) -> Source:
    return Source.from_rows("rows", [TrainingRow(query, tuple(positives)) for query, *positives in rows])


def test_a_row_is_kept_when_its_document_is_found() -> None:
    rows = source(("1 0", "1 0.1"), ("0 1", "1 0.2"), ("0.9 0.1", "1 0.3"))
    found = round_trip(Points(), rows, ["0.1 1"], k=1)
    # The third query lies nearest to the first document, and then to its own.
    assert found.kept.tolist() == [True, False, False]
    assert found.ranks.tolist() == [1, 0, 0]
    assert found.documents == 4
    assert found.missed[0].found == "0.1 1"
    assert found.missed[0].document == "1 0.2"
    assert found.margins[0] == pytest.approx(1 / np.hypot(1, 0.1) - 1 / np.hypot(1, 0.2), abs=1e-6)
    assert [row.query for row in found.source.rows()] == ["1 0"]
    assert "1 row of 3 kept (33 %); of 4 documents their own came first for 1 (33 %)" in found.describe()
    deeper = round_trip(Points(), rows, ["0.1 1"], k=3)
    assert deeper.ranks.tolist() == [1, 2, 3] or deeper.kept.tolist() == [True, True, True]


def test_other_answers_of_the_query_do_not_stand_in_the_way() -> None:
    rows = source(("1 0", "1 0.1"), ("1 0", "1 0.2", "1 0.3"), ("0 1", "0 1 x"))
    found = round_trip(Points(), rows, k=1)
    assert found.kept.all()
    assert found.ranks.tolist() == [1, 1, 1]
    assert not found.missed


def test_a_rows_own_document_does_not_compete_with_its_answer() -> None:
    rows = Source.from_rows("rows", [
        TrainingRow("1 0", ("1 0.3",), document_group="a"), TrainingRow("0 1", ("0.3 1",), document_group="b#0-5"),
        TrainingRow("1 1", ("1 1.2",), document_group="c"),
    ])  # fmt: skip
    corpus = {"a": "1 0.1", "a#3-9": "1 0.2", "b": "0.1 1", "b#5-7": "0.2 1", "d": "1 1.1"}
    found = round_trip(Points(), rows, corpus, k=1)
    assert found.kept.tolist() == [True, True, False]
    assert found.ranks.tolist() == [1, 1, 0]
    assert found.margins[0] == pytest.approx(1 / np.hypot(1, 0.3) - 1.2 / np.hypot(1, 1.1) / 1.2, abs=1e-6)
    assert [each.found for each in found.missed] == ["1 1.1"]
    deeper = round_trip(Points(), rows, passages_of(corpus), k=2)
    assert deeper.ranks.tolist() == [1, 1, 2]
    with pytest.raises(InputError, match="none of 3 rows finds"):
        round_trip(Points(), rows, corpus.values(), k=1)


def test_any_number_of_queries_at_a_time_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    angles = np.random.default_rng(0).uniform(0, 1.5, (30, 2))
    rows = Source.from_rows("rows", [
        TrainingRow(f"{np.cos(q)} {np.sin(q)}", (f"{np.cos(p)} {np.sin(p)}",), document_group=f"d{n // 4}")
        for n, (q, p) in enumerate(angles.tolist())
    ])  # fmt: skip
    corpus = {f"d{n}": f"{np.cos(n)} {np.sin(n)}" for n in range(8)}
    whole = round_trip(Points(), rows, corpus, k=9)
    monkeypatch.setattr(sys.modules["cosmith.mining.round_trip"], "_QUERIES", 7)  # not the function of that name
    parted = round_trip(Points(), rows, corpus, k=9)
    assert 0 < whole.kept.sum() < len(rows)
    np.testing.assert_array_equal(parted.ranks, whole.ranks)
    np.testing.assert_allclose(parted.margins, whole.margins, atol=1e-6)
    assert [each.query for each in parted.missed] == [each.query for each in whole.missed]


def test_a_margin_asks_for_more_than_the_first_place() -> None:
    rows = source(("1 0", "1 0.1"), ("0 1", "0 1 x"), ("1 0 y", "1 0.11"))
    assert round_trip(Points(), rows, k=2).kept.all()
    clear = round_trip(Points(), rows, k=2, margin=0.1)
    assert clear.kept.tolist() == [False, True, False]


def test_what_cannot_be_searched_for_is_refused() -> None:
    rows = source(("1 0", "0 1"), ("0 1", "1 0"))
    with pytest.raises(InputError, match="none of 2 rows finds"):
        round_trip(Points(), rows, k=1)
    with pytest.raises(InputError, match="at least 1"):
        round_trip(Points(), rows, k=0)
    with pytest.raises(InputError, match="without a positive"):
        round_trip(Points(), Source.from_rows("rows", [TrainingRow("1 0", (), label=1)]))


POINT = st.tuples(st.integers(-9, 9), st.integers(-9, 9)).filter(any).map(lambda at: f"{at[0]} {at[1]}")


@given(
    st.lists(st.tuples(POINT, st.lists(POINT, min_size=1, max_size=3)), min_size=1, max_size=8),
    st.lists(POINT, max_size=8),
    st.integers(1, 4),
)
@hypothesis_settings(max_examples=60)
def test_as_a_search_of_each_query_by_itself(
    given_rows: list[tuple[str, list[str]]], corpus: list[str], k: int
) -> None:
    rows = source(*((query, *positives) for query, positives in given_rows))
    try:
        found = round_trip(Points(), rows, corpus, k)
    except InputError:
        found = None
    encode = Points().encode
    own = {text for _, positives in given_rows for text in positives}
    numbers = sorted(own, key=lambda text: next(n for n in range(len(rows.texts)) if rows.texts[n] == text))
    documents = list(dict.fromkeys([*numbers, *corpus]))
    vectors = encode(documents)
    kept = []
    for query, positives in given_rows:
        known = {text for other, some in given_rows if other == query for text in some}
        scores = dict(zip(documents, (encode([query]) @ vectors.T)[0].tolist(), strict=True))
        order = {text: place for place, text in enumerate(documents)}
        ranks = [
            1
            + sum(
                other not in known and (scores[other], -order[other]) > (scores[text], -order[text])
                for other in documents
            )
            for text in positives
        ]
        kept.append(max(ranks) <= k)
    # Scores may differ in the last bit with the shape of the product, so equal ones are left to the other tests.
    rounded = [round(value, 5) for query, _ in given_rows for value in set((encode([query]) @ vectors.T)[0].tolist())]
    distinct = [round(value, 5) for query, _ in given_rows for value in (encode([query]) @ vectors.T)[0].tolist()]
    if len(rounded) == len(distinct) == len(set(rounded)):
        assert (found.kept.tolist() if found is not None else [False] * len(kept)) == kept
    if found is not None:
        assert len(found.source) == found.kept.sum()
        assert ((found.ranks > 0) == found.kept).all()
