"""Keeping the best rows of a source."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import InputError
from cosmith.mining import keep_best_rows


def scored(*rows: tuple[float, ...], negatives: int = 0) -> Source:
    """Rows ``q0``, ``q1``, … of these scores, those of the last ``negatives`` texts being negatives'."""
    made = []
    for number, scores in enumerate(rows):
        texts = tuple(f"d{number}.{place}" for place in range(len(scores)))
        count = len(texts) - negatives
        made.append(TrainingRow(f"q{number}", texts[:count], texts[count:], scores=scores))
    return Source.from_rows("scored", made, SourceSettings(instruction="i"))


def queries(source: Source) -> list[str]:
    return [row.query for row in source.rows()]


def test_a_row_is_as_good_as_its_lowest_positive() -> None:
    source = scored((0.9, 0.2), (0.7, 0.8), (0.69, 0.95), (0.71, 0.7))
    best = keep_best_rows(source, least=0.7)
    assert queries(best.source) == ["q1", "q3"]
    assert best.threshold == pytest.approx(0.7)
    assert best.kept.tolist() == [False, True, False, True]
    assert [each.query for each in best.barely_left_out] == ["q2", "q0"]
    assert (best.barely_left_out[0].document, best.barely_left_out[0].score) == ("d2.0", pytest.approx(0.69))
    assert {each.query for each in best.barely_kept} == {"q1", "q3"}
    assert best.source.settings == source.settings
    assert list(best.source.rows()) == [source.row(1), source.row(3)]
    assert best.describe().startswith("2 rows of 4 kept (50 %), the lowest of them at 0.700; median of all 0.695")


def test_negatives_do_not_count_and_given_scores_go_first() -> None:
    source = scored((0.1, 0.9), (0.5, 0.0), negatives=1)
    assert queries(keep_best_rows(source, least=0.4).source) == ["q1"]
    assert queries(keep_best_rows(source, [3.0, 0.0, -3.0, 9.0], least=0.4).source) == ["q0"]


def test_a_share_takes_the_first_of_equal_rows_and_meets_a_threshold() -> None:
    source = scored((1.0,), (2.0,), (2.0,), (2.0,), (0.0,))
    assert queries(keep_best_rows(source, top=0.4).source) == ["q1", "q2"]
    assert queries(keep_best_rows(source, top=0.001).source) == ["q1"]
    assert queries(keep_best_rows(source, top=0.8, least=1.5).source) == ["q1", "q2", "q3"]
    assert queries(keep_best_rows(source, top=1.0).source) == ["q0", "q1", "q2", "q3", "q4"]


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.floats(-5, 5, width=16), min_size=1, max_size=3), min_size=1, max_size=12),
    st.floats(0.01, 1.0),
)
def test_nothing_left_out_is_better_than_what_is_kept(grades: list[list[float]], top: float) -> None:
    source = scored(*map(tuple, grades))
    best = keep_best_rows(source, top=top)
    assert len(best.source) == max(1, round(top * len(grades)))
    lowest = np.array([min(row) for row in grades], dtype=np.float32)
    np.testing.assert_array_equal(best.scores, lowest)
    assert best.threshold == lowest[best.kept].min()
    assert not best.kept.all() or best.barely_left_out == best.worst == ()
    assert best.kept.all() or lowest[~best.kept].max() <= best.threshold
    shown = [each.score for each in (*best.barely_left_out, *best.worst[::-1])]
    assert shown == sorted(shown, reverse=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "neither least nor top"),
        ({"top": 0.0}, r"\[top\].*above 0"),
        ({"top": 1.5}, r"\[top\].*not above 1"),
        ({"least": float("nan")}, r"\[least\].*finite"),
        ({"least": 3.0}, r"none of 2 rows scores 3 or more; the best scores 0.900, the median is 0.500"),
        ({"least": 0.0, "scores": [1.0]}, r"scores of shape \[1\] for 2 positives"),
        ({"least": 0.0, "scores": [1.0, float("nan")]}, r"score 1 .* not finite"),
    ],
)
def test_what_cannot_work_says_why(options, said) -> None:
    with pytest.raises(InputError, match=said):
        keep_best_rows(scored((0.9,), (0.1,)), **options)


def test_rows_without_scores_or_positives_are_refused() -> None:
    with pytest.raises(InputError, match="no scores"):
        keep_best_rows(Source.from_rows("bare", [TrainingRow("q", ("d",))]), least=0.5)
    classes = Source.from_rows("classes", [TrainingRow("q", ("d",), label=1), TrainingRow("r", (), label=2)])
    with pytest.raises(InputError, match="1 row without a positive to judge it by, row 1 the first"):
        keep_best_rows(classes, [0.1], least=0.0)
