"""Graded pairs as training rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import StsPairs
from cosmith.errors import InputError
from cosmith.mining import graded_rows

PAIRS = [
    ("a red cat sleeps", "the red cat is asleep", 4.6),
    ("a red cat sleeps", "a red dog sleeps", 2.0),
    ("a red cat sleeps", "a cat sleeps in red light", 3.0),
    ("the bird sings", "the bird sings", 5.0),
    ("the bird sings", "birds are singing", 4.0),
    ("birds are singing", "the bird sings", 4.2),
    ("nothing alike", "at all", 0.0),
]


def of(*pairs: tuple[str, str, float], instruction: str = "") -> StsPairs:
    first, second, scores = zip(*pairs, strict=True)
    return StsPairs(list(first), list(second), np.array(scores), instruction=instruction)


def test_alike_pairs_stand_both_ways_and_near_texts_are_no_negatives() -> None:
    made = graded_rows("graded", of(*PAIRS, instruction="Find what means the same"), negatives=2)
    rows = list(made.source.rows())
    cat, bird = PAIRS[0][:2], PAIRS[4][:2]
    assert [(row.query, *row.positives) for row in rows] == [cat, cat[::-1], bird, bird[::-1]]
    assert (made.pairs, made.alike) == (7, 2)
    # Of the texts that share words with it, one is graded 3.0 and so too near; the one graded 2.0 comes first.
    assert rows[0].negatives[0] == "a red dog sleeps"
    assert "a cat sleeps in red light" not in rows[0].negatives
    # With the other text of the pair nobody has graded it.
    assert rows[1].negatives == ("a cat sleeps in red light", "a red dog sleeps")
    assert all(len(row.negatives) == 2 for row in rows)
    assert (made.found + made.drawn, made.drawn > 0) == (8, True)
    assert (made.source.settings.task, made.source.settings.instruction) == ("sts", "Find what means the same")
    assert not made.source.settings.uses_in_batch_negatives


words = st.text("abcde ", min_size=1, max_size=6).filter(str.strip)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(words, words, st.integers(0, 5).map(float)), min_size=1, max_size=15),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_no_negative_is_near_its_query(pairs: list[tuple[str, str, float]], count: int, seed: int) -> None:
    alike = {frozenset((a, b)) for a, b, score in pairs if score >= 4 and a != b}
    if not alike:
        return
    made = graded_rows("any", of(*pairs), negatives=count, seed=seed, language=None)
    assert made.alike == len(alike)
    texts = {text for a, b, _ in pairs for text in (a, b)}
    rows = list(made.source.rows())
    assert len(rows) == 2 * len(alike)
    for row in rows:
        near = {row.query} | {b if a == row.query else a for a, b, s in pairs if s > 2.5 and row.query in (a, b)}
        assert frozenset((row.query, row.positives[0])) in alike
        assert not near & set(row.negatives)
        assert len(set(row.negatives)) == len(row.negatives) == min(count, len(texts - near))
    assert rows == list(graded_rows("any", of(*pairs), negatives=count, seed=seed, language=None).source.rows())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"least": 4.9}, r"\[least\].*no pair of different texts is graded 4\.9 or higher; the highest grade is 5"),
        ({"least": 2.0}, r"\[unlike\].*2\.5 is not below 2"),
        ({"negatives": 0}, r"\[negatives\]"),
        ({"language": "klingon"}, r"\[language\]"),
    ],
)
def test_what_cannot_work_says_why(options, said) -> None:
    with pytest.raises(InputError, match=said):
        graded_rows("graded", of(*PAIRS), **options)
