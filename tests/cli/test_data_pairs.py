"""`cosmith data pairs` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import read_rows

BODY = "What stands here is long enough to be searched for."


def pairs(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first(["data", "pairs", *map(str, arguments)]))


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "documents.jsonl"
    lines = [{"_id": "a", "title": "Fever", "text": f"Rest helps. How long does it last?\n\n{BODY}"}]
    lines += [{"_id": "b", "title": "", "text": f"Drink some tea. {BODY}"}, {"_id": "c", "text": 5}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_pairs_of_documents_and_threads(documents: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.jsonl"
    done = pairs(documents, "--output", output)
    assert done.exit_code == 0, done.output
    assert "2 pairs of 2 documents" in done.stdout
    assert "first-sentence, e.g. Drink some tea." in done.stdout
    assert "put aside 1 row" in done.output
    rows = read_rows(output)
    assert [(row.query, row.group, row.document_group) for row in rows.rows] == [
        ("Fever", "a", "a"), ("Drink some tea.", "b", "b"),
    ]  # fmt: skip
    threads = tmp_path / "threads.jsonl"
    threads.write_text(json.dumps({"title": "Does it hurt?", "answers": [{"text": BODY, "accepted": True}]}) + "\n")
    done = pairs(documents, "--threads", threads, "--forms", "question,forum,title", "-o", output, "--json")
    value = json.loads(done.stdout)
    assert (value["pairs"], value["rejected"]) == (3, 1)
    assert {name: each["kept"] for name, each in value["forms"].items()} == {"question": 1, "forum": 1, "title": 1}
    assert [json.loads(line)["form"] for line in output.open()] == ["question", "title", "forum"]
    assert pairs("--threads", threads, "-o", output).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--forms", "titel"], "[--forms]: unknown form 'titel'. Did you mean 'title'?"),
        (["--forms", "forum"], "[--threads]: the form forum is made of threads"),
        (["--column", "body"], "[--column]: has no column 'body'"),
        (["--forms", "heading"], "none of the documents (2) gives a pair"),
    ],
)
def test_what_cannot_be_done_is_said_by_the_option(arguments: list[str], said: str, documents: Path) -> None:
    output = documents.with_name("pairs.jsonl")
    done = pairs(documents, *arguments, "-o", output)
    assert done.exit_code == 1
    assert said in done.output
    assert not output.exists()


def test_nothing_to_make_pairs_of(tmp_path: Path) -> None:
    done = pairs("-o", tmp_path / "pairs.jsonl")
    assert done.exit_code == 1
    assert "neither documents nor threads nor clicks are given" in done.output


def test_pairs_of_a_folder_and_of_a_click_log(tmp_path: Path) -> None:
    folder, output = tmp_path / "handbook", tmp_path / "pairs.jsonl"
    (folder / "finance").mkdir(parents=True)
    (folder / "a.md").write_text(
        f"# Start\n\nSee [how to claim costs](finance/travel.md). {BODY}\n\n## Who pays the ticket?\n\n{BODY}\n"
    )
    (folder / "finance" / "travel.md").write_text(f"# Travel\n\n{BODY} For a flight.\n")
    done = pairs(folder, "--forms", "title,question,anchor", "-o", output, "--json")
    assert done.exit_code == 0, done.output
    found = {name: each["kept"] for name, each in json.loads(done.stdout)["forms"].items()}
    assert found == {"title": 2, "question": 1, "anchor": 1}
    anchor = next(json.loads(line) for line in output.open() if "anchor" in line)
    assert (anchor["query"], anchor["group"], anchor["origin"]) == ("how to claim costs", "finance/travel.md", "a.md")
    clicks = tmp_path / "clicks.csv"
    clicks.write_text("query,document\n" + "vpn wont start,d1\n" * 2 + "connect to vpn,d1\n" * 3 + "vpn,d1\n" + ",d1\n")
    done = pairs("--clicks", clicks, "-o", output, "--json")
    assert done.exit_code == 0, done.output
    rows = read_rows(output).rows
    assert [(row.query, row.positives, row.group) for row in rows] == [("vpn wont start", ("connect to vpn",), "d1")]
    assert json.loads(done.stdout)["rejected"] == 1
