"""The data card of prepared rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import Source, SourceSettings, TrainingRow, cards
from cosmith.data.cards import Contents, DataCard, write_data_card


@pytest.mark.parametrize("at_once", [1, 3, 65536])
def test_contents_count_rows_that_say_the_same_whatever_the_order_of_their_answers(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "_ROWS", at_once)
    rows = [
        TrainingRow("one", ("a", "b"), ("c",)),
        TrainingRow("one", ("b", "a"), ("d",)),
        TrainingRow("one", ("a",)),
        TrainingRow("two", ("a", "b")),
    ]
    source = Source.from_rows("rows", rows, SourceSettings(instruction="find it"))
    found = Contents.of(source, "data.train")
    assert (found.rows, found.texts, found.positives, found.negatives) == (4, 6, 7, 2)
    assert (found.duplicates, found.several) == (1, 1)
    assert found.fingerprint == source.fingerprint()
    labelled = Source.from_rows("rows", [TrainingRow("one", ("a",), label=label) for label in (3, -1, 3, 0, 3)])
    assert Contents.of(labelled, "data.train").duplicates == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from("abcd"), min_size=1, max_size=3))))
def test_contents_are_counted_as_sets_count_them(rows: list[tuple[str, list[str]]]) -> None:
    rows = [("a", ["b"]), *rows]
    found = Contents.of(Source.from_rows("rows", [TrainingRow(query, tuple(texts)) for query, texts in rows]), "rows")
    assert found.duplicates == len(rows) - len({(query, tuple(sorted(texts))) for query, texts in rows})
    assert found.several == sum(count > 1 for count in Counter(query for query, _ in rows).values())


def test_a_card_is_a_page_whose_texts_are_no_markup(tmp_path: Path) -> None:
    source = Source.from_rows("rows", [TrainingRow("a | b", ("# not a heading",))])
    card = DataCard(
        title="pairs: data",
        how_made="Made by hand.",
        settings={"path": "pairs.jsonl", "dev": 0.1, "prompts": None},
        where_from=["the file pairs.jsonl (abc)"],
        contents=[Contents.of(source, "data.train")],
        counts={"pairs": 12345, "threshold": 0.123456},
        splits={"train": {"pairs": 1}},
        dropped={"the query is empty": 3},
        steps=["length: 3 of 4 left out"],
        samples=[{"query": "a | b", "document": "# not a *heading*\nwith <b>lines</b>"}],
    )
    path = write_data_card(tmp_path, card)
    text = path.read_text(encoding="utf-8")
    assert path.name == "data.md"
    assert text.startswith("# pairs: data\n\nMade by hand.\n")
    assert "`path: pairs.jsonl`, `dev: 0.1`, `prompts: null`" in text
    assert "| pairs | 12,345 |" in text
    assert "| threshold | 0.1235 |" in text
    assert "| the query is empty | 3 |" in text
    assert "0 of 1 row (0 %) have the query" in text
    assert "Not held against a test set" in text
    assert r"* **query**: a \| b" in text
    assert r"\# not a \*heading\* with \<b>lines\</b>" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Where from", "## How made", "## What is in it", "## Counts", "## Left out", "## Duplicates",
        "## Contamination", "## Samples",
    ]  # fmt: skip
