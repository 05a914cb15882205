"""`cosmith data filter` and `cosmith data overlap`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection, read_rows
from cosmith.data.documents import Document, Section, load_documents, write_documents


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    rows = [f"question number {n},the answer to question number {n}" for n in range(10)]
    path.write_text(
        "\n".join(["question,answer", *rows, "Question number 3,The answer to question number 3", "a,b", ",x"])
    )
    return path


def test_rows_are_filtered_and_what_went_is_written_down(pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "clean.jsonl"
    done = cosmith("data", "filter", pairs, "--least-words", 2, "--output", output)
    assert done.exit_code == 0, done.output
    assert "10 rows of 12 kept" in done.stdout
    assert "length: 1 of 12 left out (8.3 %): query: fewer than 2 words 1" in done.stdout
    assert len(read_rows(output).rows) == 10
    dropped = lines_of(tmp_path / "clean.jsonl.dropped.jsonl")
    assert [(each["row"], each["reason"]) for each in dropped] == [
        (10, "the same row"), (11, "query: fewer than 2 words"),
    ]  # fmt: skip
    assert "put aside 1 row" in done.stderr
    told = json.loads(cosmith("data", "filter", pairs, "--output", output, "--json").stdout)
    assert (told["rows"], told["kept"], told["rejected"]) == (12, 11, 1)
    assert told["steps"][0]["name"] == "exact duplicates"


def test_a_data_card_stands_beside_the_rows_and_says_what_was_asked_and_left_out(pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "clean.jsonl"
    assert cosmith("data", "filter", pairs, "--least-words", 2, "--output", output).exit_code == 0
    card = (tmp_path / "clean.jsonl.data.md").read_text(encoding="utf-8")
    assert "Made by `cosmith data filter`" in card.replace("root", "cosmith")
    assert "`least_words: 2`" in card
    assert "most_words" not in card  # nobody asked for it
    assert f"{pairs.name} (" in card.replace("\\_", "_")
    assert "10 rows over 20 texts" in card
    assert "length: 1 of 12 left out" in card
    assert "question number 0" in card


def test_texts_and_documents_are_filtered(tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("a line of text\nA line  of text\nanother line of text\n")
    done = cosmith("data", "filter", texts, "-o", tmp_path / "clean.jsonl")
    assert "2 texts of 3 kept" in done.stdout
    assert [each["_id"] for each in lines_of(tmp_path / "clean.jsonl")] == ["1", "3"]
    documents = [Document(f"d{n}", f"Menu\nText {n}", sections=(Section("h", 1, 5, 11),)) for n in range(12)]
    write_documents(tmp_path / "documents.jsonl", [Document(e.id, e.text[:11], sections=e.sections) for e in documents])
    done = cosmith("data", "filter", tmp_path / "documents.jsonl", "--boilerplate", "-o", tmp_path / "left.jsonl")
    assert done.exit_code == 0, done.output
    left = list(load_documents(tmp_path / "left.jsonl"))
    assert left[3] == Document("d3", "Text 3", sections=(Section("h", 1, 0, 6),))


def test_mistakes_are_told_with_the_option(pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "clean.jsonl"
    for arguments, said in (
        (["--keep-duplicates"], "--near-duplicates 0.8"),
        (["--least-tokens", 3], "--model"),
        (["--languages", "xx"], "xx"),
        (["--near-duplicates", 7], "threshold"),
        (["--query", "nothing"], "nothing"),
    ):
        done = cosmith("data", "filter", pairs, "-o", output, *arguments)
        assert done.exit_code == 1
        assert said in done.stderr
        assert not output.exists()


def test_overlap_finds_queries_of_the_test_and_exits_with_1(pairs: Path, tmp_path: Path) -> None:
    Collection(
        "test", {"d": "the answer to question number 4"}, {"q": "Question number 4?", "r": "question numbered 5"},
        {"q": {"d": 1}, "r": {"d": 1}},
    ).write_beir(tmp_path / "test")  # fmt: skip
    done = cosmith("data", "overlap", pairs, tmp_path / "test")
    assert done.exit_code == 1
    assert "1 of 2 queries trained on (50 %), in 1 row; 1 of 1 document shared" in done.stdout
    assert "'Question number 4?' (the same words: 'question number 4')" in done.stdout
    near = json.loads(cosmith("data", "overlap", pairs, tmp_path / "test", "--near", 0.6, "--json").stdout)
    assert (near["trained"], near["near"]) == (1, 1)
    other = tmp_path / "other.jsonl"
    other.write_text('{"query": "new", "positive": "the answer to question number 5"}\n')
    clean = cosmith("data", "overlap", pairs, other)
    assert clean.exit_code == 0, clean.output
    assert "0 of 1 query trained on; 1 of 1 document shared" in clean.stdout


def test_what_parts_the_columns_is_said(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("query;positive\na, b;x\nc, d;y\n")
    done = cosmith("data", "filter", tmp_path / "rows.csv", "--output", tmp_path / "kept.jsonl")
    assert done.exit_code == 0, done.stderr
    assert "columns (CSV with semicolons between its columns): query 'query', positive 'positive'" in done.stderr
    assert [row.query for row in read_rows(tmp_path / "kept.jsonl").rows] == ["a, b", "c, d"]


def test_other_columns_are_those_of_the_rows_that_stay(tmp_path: Path) -> None:
    rows = [{"question": f"question {n}", "answer": f"the answer {n // 2}", "made_from": f"d{n}", "query": "other"}
            for n in range(6)]  # fmt: skip
    rows[2]["question"] = "x"
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = tmp_path / "kept.jsonl"
    done = cosmith("data", "filter", tmp_path / "rows.jsonl", "--query", "question", "--least-words", 2, "-o", output)
    assert done.exit_code == 0, done.output
    assert lines_of(output) == [
        {"query": row["question"], "positive": [row["answer"]], "made_from": row["made_from"],
         "original_query": "other"}
        for row in rows if row is not rows[2]
    ]  # fmt: skip
