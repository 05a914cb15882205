"""`cosmith data chunk`, and an index of chunks, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data.documents import read_documents, write_documents
from cosmith.models import tiny_encoder

LEAVE = "everyone has thirty days. ask early. plan ahead."
TRAVEL = "book the train. keep the ticket."


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "model")
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text(f"# Handbook\n\n## Leave\n\n{LEAVE}\n\n## Travel\n\n{TRAVEL}\n")
    (folder / "docs" / "b.txt").write_text("a note")
    (folder / "docs" / "c.txt").write_bytes("ä".encode("latin-1"))
    (folder / "texts.jsonl").write_text(
        "".join(json.dumps({"_id": name, "title": "T", "text": text}) + "\n" for name, text in
                (("leave", LEAVE), ("travel", TRAVEL)))
    )  # fmt: skip
    return folder


def test_a_folder_is_cut_along_its_sections(world: Path, tmp_path: Path) -> None:
    done = cosmith("data", "chunk", world / "docs", "--output", tmp_path / "chunks.jsonl")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"3 chunks in {tmp_path / 'chunks.jsonl'}\n"
    assert "2 documents (1 markdown, 1 text)" in done.stderr
    assert f"c.txt: is not UTF-8; all that cannot be read are in {tmp_path}" in done.stderr
    chunks = lines_of(tmp_path / "chunks.jsonl")
    assert [(each["document"], each["title"], each["text"].split("\n")[0]) for each in chunks] == [
        ("a.md", "Handbook", "Leave"),
        ("a.md", "Handbook", "Travel"),
        ("b.txt", "", "a note"),
    ]


def test_the_model_says_the_limit_and_json_the_counts(world: Path, tmp_path: Path) -> None:
    output = tmp_path / "chunks.jsonl"
    options = (
        "--model",
        world / "model",
        "--how",
        "sentences",
        "--tokens",
        40,
        "--overlap",
        12,
        "--format",
        "markdown",
    )
    done = cosmith("--json", "data", "chunk", world / "docs", "--output", output, *options)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["documents"], told["formats"], told["chunks"]) == (1, {"markdown": 1}, len(lines_of(output)))
    assert told["passed_over"] == {"text, not asked for": 2}
    assert told["chunks"] > 2


def test_texts_of_a_file_and_documents_of_a_stage_are_cut_too(world: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    assert cosmith("data", "chunk", world / "texts.jsonl", "--output", first, "--tokens", 8).exit_code == 0
    assert [(each["document"], each["title"]) for each in lines_of(first)][:2] == [("leave", "T"), ("leave", "T")]
    write_documents(tmp_path / "documents.jsonl", read_documents(world / "docs"))
    assert cosmith("data", "chunk", tmp_path / "documents.jsonl", "--output", second).exit_code == 0
    assert [each["text"].split("\n")[0] for each in lines_of(second)] == ["Leave", "Travel", "a note"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no such file or folder"),
        (["docs", "--how", "pages"], "no way to cut documents"),
        (["docs", "--format", "word"], "no format of documents"),
        (["texts.jsonl", "--pattern", "*.md"], "for folders of documents"),
        (["docs", "--tokens", "0"], "is 0"),
    ],
)
def test_refusals(world: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = cosmith("data", "chunk", world / arguments[0], *arguments[1:], "--output", tmp_path / "chunks.jsonl")
    assert done.exit_code == 1
    assert said in done.stderr
    assert not (tmp_path / "chunks.jsonl").exists()


def test_an_index_of_chunks_shows_passages(world: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    made = cosmith(
        "--json", "index", world / "model", world / "texts.jsonl", "--output", index, "--chunk-tokens", 24,
        "--chunk-overlap", 4,
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert (told["documents"], told["cut"]) == (2, 0)
    assert told["chunks"] > 3
    found = cosmith("--json", "search", index, "the ticket", "-k", 2)
    hits = json.loads(found.stdout)["hits"]
    assert {hit["id"] for hit in hits} == {"leave", "travel"}
    for hit in hits:
        assert hit["text"][hit["start"] : hit["stop"]] == hit["passage"]
        assert len(hit["passage"]) < len(hit["text"])
    shown = cosmith("search", index, "the ticket", "-k", 1).stdout
    assert hits[0]["passage"] in shown


def test_an_overlap_without_chunks_is_refused(world: Path, tmp_path: Path) -> None:
    for options, said in (((), "--chunk-overlap]: is given without"), (("--chunk-tokens", 6), "[--chunk-overlap]")):
        command = ("index", world / "model", world / "texts.jsonl", "--output", tmp_path / "i", "--chunk-overlap", 4)
        done = cosmith(*command, *options)
        assert done.exit_code == 1
        assert said in done.stderr
