"""The table of unique texts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

import cosmith.data
from cosmith.data import TextTable, texts
from cosmith.data.texts import TextTableBuilder, document_text, text_problem
from cosmith.errors import InputError

any_texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=40)


@given(any_texts)
def test_round_trip(given_texts: list[str]) -> None:
    table, numbers = TextTable.from_texts(given_texts)
    assert table.take(numbers) == given_texts
    assert [table[number] for number in numbers] == given_texts
    assert table.take(np.arange(len(table))) == list(dict.fromkeys(given_texts))  # once each, by first occurrence
    assert numbers.dtype == np.int64


@given(any_texts, any_texts)
def test_hashes_and_fingerprint(some: list[str], others: list[str]) -> None:
    table, _ = TextTable.from_texts(some)
    expected = [xxhash.xxh3_64_intdigest(text.encode()) for text in dict.fromkeys(some)]
    assert table.hashes.dtype == np.int64
    assert table.hashes.view(np.uint64).tolist() == expected
    same = list(dict.fromkeys(some)) == list(dict.fromkeys(others))
    assert (table.fingerprint() == TextTable.from_texts(others)[0].fingerprint()) == same


@given(any_texts, any_texts)
def test_going_on_from_a_table_keeps_its_numbers(first: list[str], second: list[str]) -> None:
    start, _ = TextTable.from_texts(first)
    builder = TextTableBuilder(start)
    numbers = [builder.add(text) for text in second]
    whole = builder.table()
    assert whole.take(np.arange(len(start))) == start.take(np.arange(len(start)))
    assert whole.take(numbers) == second
    assert whole.fingerprint() == TextTable.from_texts(first + second)[0].fingerprint()


@given(any_texts)
def test_texts_of_one_hash_are_kept_apart(given_texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "text_hash", lambda encoded: len(encoded) % 2)
        table, numbers = TextTable.from_texts(given_texts)
        builder = TextTableBuilder(table)
        again = [builder.add(text) for text in given_texts]
    assert len(table) == len(set(given_texts)) == len(builder)
    assert table.take(numbers) == given_texts
    assert again == numbers.tolist()


def test_numbers_out_of_range() -> None:
    table, _ = TextTable.from_texts(["a", "b"])
    for number in (-1, 2):
        with pytest.raises(IndexError, match=rf"text number {number} is not within \[0, 2\)"):
            table[number]
        with pytest.raises(IndexError, match=rf"text number {number} is not within \[0, 2\)"):
            table.take([0, number])
    with pytest.raises(TypeError, match="integers, not bool"):
        table.take(np.array([True, False]))


def test_the_table_cannot_be_changed() -> None:
    table, _ = TextTable.from_texts(["a"])
    with pytest.raises(ValueError, match="read-only"):
        table.hashes[0] = 1


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(InputError, match=r"half of a surrogate pair.*'bad \\ud800 text'.*Remove that character"):
        TextTable.from_texts(["fine", "bad \ud800 text"])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a", None),
        ("größer ☃", None),
        (None, "is missing"),
        ("", "is empty"),
        (" \n\u3000", "is only whitespace"),
        ("a\0b", "holds a NUL character"),
        (3, "is not a text but of type int"),
        ("\udfff", "holds half of a surrogate pair, which is no character"),
    ],
)
def test_what_cannot_be_used_as_a_text(value: object, problem: str | None) -> None:
    assert text_problem(value) == problem


@pytest.mark.parametrize(
    ("title", "text", "document"),
    [("T", "x", "T x"), ("", " x ", "x"), (None, "x", "x"), ("T", None, "T"), ("", "", ""), ("T", 3, 3)],
)
def test_document_of_title_and_text(title: object, text: object, document: object) -> None:
    assert document_text(title, text) == document


def test_every_public_name_is_there() -> None:
    assert all(getattr(cosmith.data, name) is not None for name in cosmith.data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Sources'"):
        cosmith.data.Sources  # noqa: B018


def test_the_room_does_without_torch() -> None:
    script = "import sys, cosmith.data; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
