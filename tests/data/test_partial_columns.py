"""Columns in which only some rows have a value: no good row is lost for one that others lack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import Source, open_rows, read_rows
from cosmith.errors import InputError

PAIRS: list[dict[str, Any]] = [{"query": f"q{n}", "positive": f"a{n}"} for n in range(100)]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(("column", "value"), [("score", 0.5), ("label", 3)])
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_row_with_a_value_costs_no_other_row(tmp_path: Path, column: str, value: Any, place: int) -> None:
    rows = [row | ({column: value} if number == place else {}) for number, row in enumerate(PAIRS)]
    read = read_rows(written(tmp_path, rows))
    assert [row.query for row in read.rows] == [row["query"] for row in PAIRS]
    assert not read.rejected
    assert {row.scores for row in read.rows} == {row.label for row in read.rows} == {None}
    (note,) = read.notes
    assert note.startswith(f"column {column!r} is not used: 1 of 100 rows have a value")
    part = "scores" if column == "score" else column
    assert f"{part}={column!r}" in note
    named = read_rows(tmp_path / "pairs.jsonl", **{part: column})
    assert (len(named.rows), len(named.rejected), named.notes) == (1, 99, ())


def test_what_most_rows_have_is_used_and_the_others_are_put_aside(tmp_path: Path) -> None:
    rows = [row | ({"score": number / 100} if number % 2 else {}) for number, row in enumerate(PAIRS)]
    read = read_rows(written(tmp_path, rows))
    assert (len(read.rows), len(read.rejected), read.notes) == (50, 50, ())
    assert read.rows[0].scores == (0.01,)
    assert {row.reason for row in read.rejected} == {"score 1 is missing"}


def test_rows_that_cannot_be_used_are_not_asked(tmp_path: Path) -> None:
    """Half of the good rows have a label; that many bad ones have none does not count."""
    rows = [row | ({"label": 1} if number % 2 else {}) for number, row in enumerate(PAIRS)]
    read = read_rows(written(tmp_path, rows + [{"query": "", "positive": ""}] * 60))
    assert {row.label for row in read.rows} == {1}


def test_both_columns_of_flag_embedding_are_left_out_together(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"query": f"q{n}", "pos": [f"a{n}"], "neg": ["x"]} for n in range(9)]
    some = rows[4] | {"pos_scores": [0.9], "neg_scores": [0.1]}
    read = read_rows(written(tmp_path, [*rows[:4], some, *rows[5:]]))
    assert [row.query for row in read.rows] == [f"q{n}" for n in range(9)]
    assert "'pos_scores' is not used: 1 of 9 rows" in read.notes[0]
    most = [row | {"pos_scores": [0.9], "neg_scores": [0.1]} for row in rows[1:]]
    used = read_rows(written(tmp_path, [rows[0], *most]))
    assert [row.scores for row in used.rows] == [(0.9, 0.1)] * 8


def test_an_empty_column_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("query,positive,score\n" + "".join(f"q{n},a{n},{'0.5' if n == 7 else ''}\n" for n in range(20)))
    read = read_rows(path)
    assert (len(read.rows), read.rejected) == (20, [])


@pytest.mark.parametrize("column", ["group", "document_group"])
def test_a_row_without_a_group_is_a_group_of_its_own(tmp_path: Path, column: str) -> None:
    values: list[Any] = ["g", None, "g", " ", "h", ""]
    path = written(tmp_path, [row | {column: value} for row, value in zip(PAIRS, values, strict=False)])
    read = read_rows(path)
    assert not read.rejected
    found = [getattr(row, column) for row in read.rows]
    assert (found[0], found[2], found[4]) == ("g", "g", "h")
    assert len(set(found)) == 5
    with pytest.raises(InputError, match="none of which can be used"):
        read_rows(written(tmp_path, [PAIRS[0] | {column: None}]), **{column: column})  # named: required


def test_own_groups_of_shards_do_not_depend_on_where_they_lie(tmp_path: Path) -> None:
    prints = set()
    for place in ("here", "there"):
        for part in "ab":
            folder = tmp_path / place / part
            folder.mkdir(parents=True)
            written(folder, [PAIRS[0] | {"query": part}, PAIRS[1] | {"query": f"{part} 2", "group": "g"}])
        file = open_rows(tmp_path / place)
        assert len({row.group for row in file}) == 3
        prints.add(Source.from_rows("rows", file).fingerprint())
    assert len(prints) == 1


def test_the_rest_of_the_records_is_that_of_the_rows_that_can_be_used(tmp_path: Path) -> None:
    rows = [{"anchor": "q", "positive": "a", "negative_1": "x", "myid": 7, "group": None}, {"anchor": "", "myid": 8},
            {"anchor": "r", "positive": "b", "source": {"page": 1}}]  # fmt: skip
    file = open_rows(written(tmp_path, rows))
    assert [row.query for row in file] == ["q", "r"]
    assert list(file.rest()) == [{"myid": 7, "group": None}, {"source": {"page": 1}}]
