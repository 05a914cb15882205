"""Rows follow their texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cosmith.data import Source, TrainingRow
from cosmith.data.cleaning import BoilerplateLines, ExactDuplicates, Length, NearDuplicates, clean_rows
from cosmith.errors import InputError


def test_a_row_goes_with_its_query_or_its_last_positive_and_its_scores_follow() -> None:
    rows = [
        TrainingRow("a good query", ("a good answer", "bad"), ("a good negative", "bad"), scores=(1.0, 2.0, 3.0, 4.0)),
        TrainingRow("bad", ("a good answer",), (), scores=(5.0,)),
        TrainingRow("another good query", ("bad",), ("a good negative",), scores=(6.0, 7.0)),
        TrainingRow("a third good query", ("a good answer",), (), scores=(8.0,)),
    ]
    cleaned = clean_rows(rows, [Length(least_words=2)])
    assert list(cleaned.source.rows()) == [
        TrainingRow("a good query", ("a good answer",), ("a good negative",), scores=(1.0, 3.0)),
        rows[3],
    ]
    assert cleaned.numbers.tolist() == [0, 3]
    assert {number: fault.reason for number, fault in cleaned.dropped.items()} == {
        1: "query: fewer than 2 words",
        2: "document: fewer than 2 words",
    }
    assert cleaned.steps[0].changed == 1
    assert cleaned.steps[0].dropped == {"query: fewer than 2 words": 1, "document: fewer than 2 words": 1}
    by_query = clean_rows(rows, [Length(least_words=2)], part="query")
    assert by_query.numbers.tolist() == [0, 2, 3]
    assert next(by_query.source.rows()) == rows[0]
    assert clean_rows(rows, [Length(least_words=2)], part="document").numbers.tolist() == [0, 1, 3]


def test_duplicates_are_of_query_and_answers_unless_said_otherwise() -> None:
    rows = [
        TrainingRow("how to pay", ("By card.", "By bank.")),
        TrainingRow("How to  pay", ("by bank.", "By card.")),
        TrainingRow("how to pay", ("By cheque.",)),
        TrainingRow("where to pay", ("By card.", "By bank.")),
    ]
    assert clean_rows(rows, [ExactDuplicates()]).numbers.tolist() == [0, 2, 3]
    assert clean_rows(rows, [ExactDuplicates()], part="query").numbers.tolist() == [0, 3]
    assert clean_rows(rows, [ExactDuplicates()], part="document").numbers.tolist() == [0, 2]
    assert clean_rows(rows, [ExactDuplicates()]).dropped[1].evidence == "as row 0"


def test_rows_with_labels_are_duplicates_only_of_rows_with_the_same() -> None:
    rows = [TrainingRow("a text", (), label=1), TrainingRow("A text", (), label=1), TrainingRow("a text", (), label=2)]
    assert clean_rows(rows, [ExactDuplicates()]).numbers.tolist() == [0, 2]
    assert clean_rows(rows, [ExactDuplicates()], part="document").numbers.tolist() == [0, 1, 2]


def test_boilerplate_leaves_documents_but_never_queries() -> None:
    line = "Subscribe to our newsletter"
    rows = [TrainingRow(f"query {n}", (f"{line}\nAnswer {n}",), (f"No answer {n}\n{line}",)) for n in range(12)]
    rows += [TrainingRow(line, ("The answer to it",), ("nothing",)), TrainingRow("query", (line,), ("none",))]
    cleaned = clean_rows(rows, [BoilerplateLines()])
    kept = list(cleaned.source.rows())
    assert len(kept) == 13
    assert kept[2] == TrainingRow("query 2", ("Answer 2",), ("No answer 2\n",))
    assert kept[-1].query == line
    assert cleaned.dropped[13].reason == "document: nothing but boilerplate"
    assert cleaned.steps[0].changed == 12
    assert cleaned.steps[0].examples[0].text == line


def test_a_source_on_the_disk_is_cleaned_and_can_be_saved(tmp_path: Path) -> None:
    rows = [TrainingRow(f"query number {n % 5}", (f"document number {n % 5}",), group=f"g{n}") for n in range(20)]
    source = Source.write(tmp_path / "source", "rows", rows)
    cleaned = clean_rows(source, [ExactDuplicates()])
    saved = cleaned.source.save(tmp_path / "clean")
    assert list(saved.rows()) == rows[:5]
    assert len(saved.texts) == 10
    assert saved.settings == source.settings


def test_nothing_left_and_unknown_parts_are_refused() -> None:
    rows = [TrainingRow("a", ("b",))]
    with pytest.raises(InputError, match="leaves nothing of 1: query: fewer than 5 words 1"):
        clean_rows(rows, [Length(least_words=5)])
    with pytest.raises(InputError, match="Did you mean 'query'"):
        clean_rows(rows, [ExactDuplicates()], part="querry")  # type: ignore[arg-type]


WORDS = st.lists(st.sampled_from(["one", "two", "three", "four", "five", "six", "seven"]), min_size=1, max_size=6).map(
    " ".join
)
ROWS = st.lists(
    st.builds(
        TrainingRow,
        WORDS,
        st.lists(WORDS, min_size=1, max_size=3).map(tuple),
        st.lists(WORDS, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=15,
)


@given(ROWS, st.sampled_from(["both", "query", "document"]))
@hypothesis_settings(max_examples=50)
def test_what_was_kept_is_kept_again(rows: list[TrainingRow], part: str) -> None:
    asked = [ExactDuplicates(), NearDuplicates(0.6)]
    once = clean_rows(rows, asked, part=part)  # type: ignore[arg-type]
    kept = list(once.source.rows())
    assert kept == [rows[number] for number in once.numbers]
    assert set(once.numbers.tolist()) | set(once.dropped) == set(range(len(rows)))
    twice = clean_rows(once.source, asked, part=part)  # type: ignore[arg-type]
    assert list(twice.source.rows()) == kept
    assert list(clean_rows(kept, asked, part=part).source.rows()) == kept  # type: ignore[arg-type]
