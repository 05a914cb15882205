"""`cosmith data inspect`: what it prints and writes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.models import tiny_encoder


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [{"question": f"how do I reset number {n}?", "answer": f"Press button {n} " * (n + 1)} for n in range(20)]
    rows += [rows[0], {"question": "", "answer": "x"}, {"question": "<b>bold</b>"}]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_for_people(pairs: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    test.write_text("query,positive\nHow do I reset number 3?,x\n")
    done = cosmith("data", "inspect", pairs, "--against", test)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        f"{pairs}: JSON lines", "21 rows that can be used, 1 of them the same as an earlier one",
        "columns: query 'question', positive 'answer'",
    ]  # fmt: skip
    assert (
        "21 queries, 20 different (4.8 % repeated); words: half have at most 6, 95 % at most 6, all at most 6" in lines
    )
    assert ["5–8", "21", "█" * 40] in [line.split() for line in lines]
    assert "  1 × the query is empty (line 22)" in lines
    assert f"{test}: 1 of its 1 queries stand here too" in lines
    assert f"{test}: 0 of its 1 documents stand here too" in lines


def test_for_machines_and_with_a_model(pairs: Path, tmp_path: Path) -> None:
    tiny_encoder("bert", max_length=16).save(tmp_path / "model")
    done = cosmith("--json", "data", "inspect", pairs, "--model", tmp_path / "model")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows"], found["unit"], found["model"]) == (21, "tokens", str(tmp_path / "model"))
    query, answer = found["parts"]
    assert query["limit"] == answer["limit"] == 16
    lengths = {int(length): count for length, count in answer["lengths"].items()}
    assert answer["overlong_count"] == sum(count for length, count in lengths.items() if length > 16) > 0
    assert answer["cut_length"] == sum((length - 16) * count for length, count in lengths.items() if length > 16)
    assert [kind["reason"] for kind in found["rejected"]] == ["the query is empty", "has no positive"]
    told = cosmith("data", "inspect", pairs, "--model", tmp_path / "model").stdout
    assert "← cut from here" in told
    assert f"reads 16 tokens: it cuts {answer['overlong_count']} of them" in told


class _Closed(HTMLParser):
    """Checks that every tag that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page(pairs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = cosmith("data", "inspect", pairs, "--html", page, "--against", pairs)
    assert done.exit_code == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    parser = _Closed()
    parser.feed(text)
    assert not parser.open
    assert text.count("<figure>") >= 2
    assert "<b>bold</b>" not in text
    assert "What cannot be used" in text
    assert "https://" not in text
    assert "<script" not in text


def test_which_column_is_said_by_the_option(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("left,right\na,b\n")
    done = cosmith("data", "inspect", tmp_path / "pairs.csv")
    assert done.exit_code == 1
    assert "[--query]" in done.stderr
    assert "Say which it is: --query COLUMN" in done.stderr
    assert cosmith("data", "inspect", tmp_path / "pairs.csv", "--query", "left", "--positive", "right").exit_code == 0
    missing = cosmith("data", "inspect", tmp_path / "none.csv")
    assert missing.exit_code == 1
    assert "there is no such file" in missing.stderr


def test_a_folder_of_documents_is_read_as_documents(tmp_path: Path) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "travel.md").write_text("# Travel\n\nThe desk books trips.\n\nAsk early.\n")
    (folder / "it.txt").write_text("The help desk stands below.\n\nBring a badge.\n")
    (folder / "logo.bin").write_bytes(b"\0")
    done = cosmith("data", "inspect", folder)
    assert done.exit_code == 0, done.stderr
    assert f"{folder}: a folder of documents" in done.stdout
    assert "2 texts that can be used, each different" in done.stdout
    assert "2 documents (1 text, 1 markdown); passed over 1 file (1 of another format)" in done.stdout
    kept = cosmith("data", "filter", folder, "--output", tmp_path / "kept.jsonl")
    assert kept.exit_code == 0, kept.stderr
    rows = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert [(row["_id"], row["title"], row["format"]) for row in rows] == [
        ("it.txt", "", "text"), ("travel.md", "Travel", "markdown"),
    ]  # fmt: skip


def test_the_file_is_told_of_rows_in_a_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"query": "q", "positive": "p"}\n{"query": "", "positive": "x"}\n')
    told = cosmith("data", "inspect", tmp_path).stdout
    assert f"  2 × the query is empty ({tmp_path}/a.jsonl:2, {tmp_path}/b.jsonl:2)" in told


def test_a_click_log_is_no_file_of_pairs(tmp_path: Path) -> None:
    log, page = tmp_path / "clicks.csv", tmp_path / "page.html"
    log.write_text(
        "query,document,action,time\nreset password,d7,click,2024-05-01T12:00:00Z\n"
        "reset password,d7,click,2024-05-02\nvpn,d8,click,yesterday\nforgot password,d7,buy,2024-05-03\n"
        "forgot password,d7,click,2024-05-04\n"
    )
    done = cosmith("data", "inspect", log, "--html", page)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        f"{log}: CSV, a click log", "4 rows that can be used, 2 of them the same as an earlier one",
        "columns: query 'query', document 'document', action 'action', time 'time'",
    ]  # fmt: skip
    assert "  1 × the time 'yesterday' cannot be read (line 4)" in lines
    command = f"cosmith data pairs --clicks {log} --output pairs.jsonl"
    assert command in done.stdout
    assert "<h2>Documents</h2>" in page.read_text(encoding="utf-8")
    made = cosmith(*command.split()[1:-1], tmp_path / "pairs.jsonl")
    assert made.exit_code == 0, made.stderr
    assert "forgot password" in (tmp_path / "pairs.jsonl").read_text()
    asked = cosmith("data", "inspect", log, "--query", "query", "--positive", "document")
    assert asked.stdout.startswith(f"{log}: CSV\n5 rows that can be used"), asked.stderr


@pytest.mark.parametrize(
    ("header", "log"),
    [
        ("query,document", False), ("query,document,date", False), ("query,document,type", False),
        ("query,document,event", True), ("query,document,type,date", True), ("q,doc_id,ts", True),
        ("search_term,url,action", True), ("query,positive,item_id,time", False),
        ("query,document,action,answer", False),
    ],
)  # fmt: skip
def test_what_makes_a_click_log(header: str, log: bool, tmp_path: Path) -> None:
    names = header.split(",")
    values = ["2024-05-01" if name in ("date", "time", "ts") else "some text" for name in names]
    (tmp_path / "rows.csv").write_text(f"{header}\n{','.join(values)}\n")
    done = cosmith("data", "inspect", tmp_path / "rows.csv")
    assert ("a click log" in done.stdout) == log, done.stderr


def test_threads_with_answers(tmp_path: Path) -> None:
    threads = tmp_path / "threads.jsonl"
    rows = [
        {"title": f"Login {n} fails", "body": "Since 2.1", "answers": [{"text": "Me too."}, {"text": f"Clear {n}."}]}
        for n in range(3)
    ]
    threads.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"title": "", "answers": []}]))
    done = cosmith("data", "inspect", threads)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"{threads}: JSON lines, threads with answers", "3 rows that can be used, each different"]
    assert any(line.startswith("3 queries, 3 different") for line in lines)
    assert any(line.startswith("6 answers, 4 different") for line in lines)
    assert "  1 × has neither a title nor a post (line 4)" in lines
    assert f"cosmith data pairs --threads {threads} --output pairs.jsonl" in done.stdout
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps({"title": "T", "text": "x", "comments": "none"}) + "\n")
    assert "columns: text 'text', title 'title'" in cosmith("data", "inspect", texts).stdout


@pytest.mark.parametrize("command", ["inspect", "pairs", "chunk"])
def test_an_id_that_stands_twice_is_refused(command: str, tmp_path: Path) -> None:
    lines = [{"_id": each, "title": f"Title {each}", "text": "long enough " * 9} for each in "abcba"]
    documents, output = tmp_path / "documents.jsonl", tmp_path / "out.jsonl"
    documents.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = cosmith("data", command, documents, *([] if command == "inspect" else ["--output", output]))
    assert done.exit_code == 1
    told = f"{documents}:4 [_id]: the id 'b' stands on line 2 already; 1 more such line. Remove one of the two, or give"
    assert told in done.stderr
    assert not output.exists()


def test_an_id_that_stands_in_two_files_is_refused(tmp_path: Path) -> None:
    for name, given in (("a", "xy"), ("b", "zy")):
        lines = [json.dumps({"id": each, "text": f"text {each}"}) + "\n" for each in given]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    done = cosmith("data", "inspect", tmp_path)
    assert f"b.jsonl:2 [id]: the id 'y' stands on line 2 of {tmp_path}/a.jsonl already. Remove" in done.stderr
