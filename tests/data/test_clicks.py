"""Click logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import TrainingRow, clicked_rows, read_clicks
from cosmith.errors import InputError


def _log(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_are_gathered_by_query_and_document(tmp_path: Path) -> None:
    events = [
        {"query": "reset password", "document": "d1", "action": "click", "time": "2024-05-01T12:00:00+02:00"},
        {"query": " reset password ", "document": "d1", "action": "buy", "time": 1714550400},
        {"query": "reset password", "document": "d2", "action": "click", "time": 1714550400000},
        {"query": "reset password", "document": "d1", "action": "click", "time": "2024-04-30"},
        {"query": "login", "document": 7, "action": "click", "time": "1714550400"},
    ]
    read = read_clicks(_log(tmp_path / "log.jsonl", events))
    assert [(each.query, each.document, dict(each.actions), each.count) for each in read.clicks] == [
        ("reset password", "d1", {"click": 2, "buy": 1}, 3),
        ("reset password", "d2", {"click": 1}, 1),
        ("login", "7", {"click": 1}, 1),
    ]
    assert read.clicks[0].first == datetime(2024, 4, 30, tzinfo=UTC)
    assert read.clicks[0].last == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert read.clicks[1].first == read.clicks[2].last == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert read.columns == {"query": "query", "document": "document", "action": "action", "time": "time"}
    bought = read_clicks(tmp_path / "log.jsonl", actions=["buy"])
    assert [(each.document, each.count) for each in bought.clicks] == [("d1", 1)]
    assert list(clicked_rows(read.clicks)) == [
        TrainingRow("reset password", ("d1", "d2")),
        TrainingRow("login", ("7",)),
    ]
    texts = {"d1": "How to reset it", "7": "Log in"}
    assert list(clicked_rows(read.clicks, texts, least=2)) == [TrainingRow("reset password", ("How to reset it",))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": "yesterday"}, "the time 'yesterday' cannot be read"),
        ({"time": None}, "the time is missing"),
        ({"time": True}, "the time True cannot be read"),
        ({"time": 0}, "the time 0 is before 1990"),
        ({"time": "9999-01-01"}, "the time '9999-01-01' is in the future"),
        ({"time": 1e300}, "the time 1e+300 cannot be read"),
        ({"time": "nan"}, "the time 'nan' cannot be read"),
        ({"time": [1]}, "the time [1] cannot be read"),
        ({"query": " "}, "the query is only whitespace"),
        ({"document": None}, "the document is missing"),
        ({"action": ""}, "the action is empty"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    good = {"query": "q", "document": "d", "action": "click", "time": 1714550400}
    path = _log(tmp_path / "log.jsonl", [good, good | change, good])
    read = read_clicks(path, rejected=tmp_path / "bad.jsonl")
    assert [each.count for each in read.clicks] == [2]
    assert [(row.line, row.reason) for row in read.rejected] == [(2, reason)]
    assert json.loads((tmp_path / "bad.jsonl").read_text())["reason"] == reason


def test_columns_are_found_or_given(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("search_term,url,who\nq,/a,x\nq,/a,y\n")
    read = read_clicks(tmp_path / "log.csv")
    assert read.columns == {"query": "search_term", "document": "url"}
    assert [(each.document, dict(each.actions), each.first) for each in read.clicks] == [("/a", {"click": 2}, None)]
    assert read_clicks(tmp_path / "log.csv", document="who").clicks[0].document == "x"
    (tmp_path / "log.csv").write_text("words,url\nq,/a\n")
    with pytest.raises(InputError, match=r"\[query\]: no column is called query or search"):
        read_clicks(tmp_path / "log.csv")
