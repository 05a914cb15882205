"""Pairs of documents' heads and the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import weak_pairs
from cosmith.errors import InputError

REST = "And here stands enough of a text behind it to be worth searching for."


def pairs(titles: list[str], bodies: list[str], **settings: int) -> list[tuple[str, str]]:
    return [(row.query, row.positives[0]) for row in weak_pairs(titles, bodies, **settings).rows]


def test_a_title_goes_before_a_sentence_and_is_taken_off_its_body() -> None:
    found = weak_pairs(["Fever", "", "Colds"], [f"FEVER: {REST}", f"What helps a cough? {REST}", REST])
    assert [(row.query, row.positives) for row in found.rows] == [
        ("Fever", (REST,)), ("What helps a cough?", (REST,)), ("Colds", (REST,)),
    ]  # fmt: skip
    assert (found.from_titles, found.numbers) == (2, [0, 1, 2])


@pytest.mark.parametrize(
    ("head", "separator"),
    [
        ("Ask J. R. Tolkien, e.g. on hobbits.", " "),
        ("Version 2.5 of the program is out.", " "),
        ('"Where is the key?"', "\n"),
        ("A heading without a full stop", "\n\n"),
        ("这是一个关于密码的很长的句子。", ""),
        ("Yes. That is how it is done.", " "),  # too short alone, so the next goes along
    ],
)
def test_where_the_first_sentence_ends(head: str, separator: str) -> None:

    assert pairs([""], [f"{head}{separator}{REST}"]) == [(head, REST)]


def test_documents_without_a_pair_are_left_out() -> None:
    body = f"A sentence of its own. {REST}"
    shared = [f"Read our newsletter. {number} {REST}" for number in range(4)]
    bodies = ["One sentence that never ends", "A sentence of its own. Too short.", *shared, body]
    found = weak_pairs([""] * len(bodies), bodies)
    assert found.numbers == [len(bodies) - 1]
    assert len(pairs([""] * len(bodies), bodies, most_shared=4)) == 5
    with pytest.raises(InputError, match="none of the documents") as caught:
        weak_pairs([""] * 2, bodies[:2])
    assert "self-pairs" in str(caught.value.remedy)


@given(st.lists(st.text(alphabet="ab .!?\n。A", min_size=0, max_size=80), min_size=1, max_size=6))
def test_a_pair_is_the_document_in_two_parts(bodies: list[str]) -> None:
    try:
        found = weak_pairs([""] * len(bodies), bodies, shortest_query=2, shortest_document=3)
    except InputError:
        return
    for number, row in zip(found.numbers, found.rows, strict=True):
        body = bodies[number].strip()
        assert body.startswith(row.query)
        assert body.endswith(row.positives[0])
        between = body[len(row.query) : len(body) - len(row.positives[0])]
        assert len(row.query) + len(row.positives[0]) <= len(body)
        assert between == "" or between.isspace()
