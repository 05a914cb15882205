"""`cosmith data mine`: a file of pairs in, the same with negatives out, and what to judge."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Source, TrainingRow, read_rows, write_rows
from cosmith.mining import mine_hard_negatives
from cosmith.models import Encoder, tiny_cross_encoder, tiny_encoder


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    for seed in (0, 1):
        tiny_encoder("bert", seed=seed).save(folder / f"model{seed}")
    tiny_cross_encoder("bert").save(folder / "reader")
    rows = [TrainingRow(f"query {n}", (f"answer {n * n}",), (f"judged {n}",), group=f"g{n % 3}") for n in range(30)]
    write_rows(folder / "pairs.jsonl", rows)
    (folder / "more.txt").write_text("".join(f"extra {n}\n" for n in range(20)))
    return folder


def test_pairs_get_the_negatives_that_the_library_finds(world: Path, tmp_path: Path) -> None:
    output = tmp_path / "mined.jsonl"
    done = cosmith("data", "mine", world / "pairs.jsonl", "--model", world / "model0", "--model", world / "model1",
                   "--corpus", world / "more.txt", "--negatives", 2, "--candidates", "both", "--depth", 9, "--scores",
                   "--ratio", 0, "--margin", 0.001, "--precision", "float32", "-o", output)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    encoders = [Encoder.load(world / f"model{n}", precision="float32") for n in (0, 1)]
    expected = mine_hard_negatives(
        encoders, Source.from_rows("pairs", read_rows(world / "pairs.jsonl").rows), negatives_per_row=2,
        corpus=[f"extra {n}" for n in range(20)], candidates="both", depth=9, scores=True, ratio=None, margin=0.001,
    )  # fmt: skip
    rows, found = read_rows(output).rows, list(expected.source.rows())
    assert [(row.query, row.positives, row.negatives, row.group) for row in rows] == [
        (row.query, row.positives, row.negatives, row.group) for row in found
    ]
    assert [row.scores for row in rows] == [pytest.approx(row.scores) for row in found]
    assert expected.describe() in done.stdout
    assert (tmp_path / "mined.jsonl.vectors").is_dir()


def test_chunks_of_a_rows_own_document_are_no_negatives(world: Path, tmp_path: Path) -> None:
    rows = [TrainingRow(f"query {n}", (f"part {n} 0",), document_group=f"d{n}") for n in range(4)]
    write_rows(tmp_path / "pairs.jsonl", rows)
    chunks = ({"_id": f"d{n}#{m}-{m + 1}", "text": f"part {n} {m}"} for n in range(4) for m in range(3))
    (tmp_path / "chunks.jsonl").write_text("".join(json.dumps(chunk) + "\n" for chunk in chunks))
    done = cosmith("data", "mine", tmp_path / "pairs.jsonl", "--model", world / "model0", "--corpus",
                   tmp_path / "chunks.jsonl", "--negatives", 12, "--ratio", 0,
                   "-o", tmp_path / "mined.jsonl")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    for n, row in enumerate(read_rows(tmp_path / "mined.jsonl").rows):
        assert set(row.negatives) == {f"part {other} {m}" for other in range(4) if other != n for m in range(3)}


def test_a_judged_review_is_followed(world: Path, tmp_path: Path) -> None:
    review, output = tmp_path / "review.jsonl", tmp_path / "mined.jsonl"
    command = ["data", "mine", world / "pairs.jsonl", "--model", world / "model0", "--review", review, "-o", output,
               "--precision", "float32", "--json", "--ratio", 0.9999, "--replace"]  # fmt: skip
    first = json.loads(cosmith(*command).stdout.splitlines()[-1])
    lines = [json.loads(line) for line in review.read_text().splitlines()]
    assert first["to_judge"] == len(lines) > 1
    assert first["judged"] == 0
    lines[0]["answers"], lines[1]["answers"] = True, False
    review.write_text("".join(json.dumps(line) + "\n" for line in lines))
    second = json.loads(cosmith(*command).stdout.splitlines()[-1])
    assert second["judged"] == 2
    rows = {row.query: row for row in read_rows(output).rows}
    assert lines[0]["document"] in rows[lines[0]["query"]].positives
    assert lines[1]["document"] in rows[lines[1]["query"]].negatives
    kept = [json.loads(line) for line in review.read_text().splitlines()]
    assert kept[:2] == lines[:2]
    assert len(kept) == 2 + second["to_judge"]


def test_a_cross_encoder_reads_what_was_found(world: Path, tmp_path: Path) -> None:
    results = [
        json.loads(
            cosmith("data", "mine", world / "pairs.jsonl", "--model", world / "model0", "--ratio", 0, "--depth", 5,
                    "-o", tmp_path / f"{len(more)}.jsonl", "--json", *more).stdout.splitlines()[-1]
        )
        for more in ([], ["--cross-encoder", world / "reader"])
    ]  # fmt: skip
    assert results[0]["rejected"] == 0
    assert 0 < results[1]["rejected"] <= 30 * 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--agreement", 3], "[--agreement]: 3 rankings cannot agree"),
        (["--candidates", "words"], "[--candidates]: 'words' is not known"),
        (["--sample", "random", "--depth", 1, "--negatives", 2], "[--depth]: is 1"),
        (["--query", "nothing"], "--query"),
        (["--corpus", "none.txt"], "no such file"),
    ],
)
def test_what_is_wrong_is_told_by_its_option(world: Path, tmp_path: Path, options: list[Any], says: str) -> None:
    output = tmp_path / "mined.jsonl"
    done = cosmith("data", "mine", world / "pairs.jsonl", "--model", world / "model0", "-o", output, *options)
    assert done.exit_code == 1
    assert says in done.stderr
    assert not output.exists()


def test_documents_and_texts_are_told_from_pairs(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my documents"
    folder.mkdir()
    (folder / "leave.md").write_text("# Leave\n\nYou have thirty days of leave a year. Ask your manager for them.\n")
    (tmp_path / "texts.jsonl").write_text('{"_id": "1", "text": "The office opens at eight."}\n')
    said = {
        folder: "holds documents",
        folder / "leave.md": "holds documents",
        tmp_path / "texts.jsonl": "has the column 'text' and no queries",
        world / "more.txt": "has lines of text and no queries",
    }
    for path, there in said.items():
        done = cosmith("data", "mine", path, "-o", tmp_path / "mined.jsonl")
        assert done.exit_code == 1
        assert there in done.stderr
        assert f"cosmith data pairs {quote(str(path))} --output pairs.jsonl" in done.stderr
        assert "cosmith data synthesise" in done.stderr
    assert cosmith("data", "pairs", folder, "--output", tmp_path / "pairs.jsonl").exit_code == 0
    assert read_rows(tmp_path / "pairs.jsonl").rows
    done = cosmith("data", "filter", folder, "--output", tmp_path / "clean.jsonl")
    assert done.exit_code == 0, done.stderr  # where texts do as well, they are taken


def test_rows_of_which_none_or_few_get_a_negative_are_told(world: Path, tmp_path: Path) -> None:
    asked = ("data", "mine", world / "pairs.jsonl", "--model", world / "model0", "--replace", "--precision", "float32")
    none = cosmith(*asked, "--max-score", -2, "-o", tmp_path / "none.jsonl")
    assert none.exit_code == 1
    assert "none of the 30 rows has a negative" in none.stderr
    assert "raise `max_score` (now -2" in none.stderr
    assert not (tmp_path / "none.jsonl").exists()

    few = cosmith(*asked, "--max-score", 0.9, "--ratio", 0, "-o", tmp_path / "few.jsonl")
    assert few.exit_code == 0, few.stderr
    bare = sum(not row.negatives for row in read_rows(tmp_path / "few.jsonl").rows)
    assert bare > 3
    assert f"warning: {bare} of 30 rows have no negative" in few.stderr


def test_other_columns_stay_and_a_card_shows_what_was_found(world: Path, tmp_path: Path) -> None:
    pairs, output = tmp_path / "pairs.jsonl", tmp_path / "mined.jsonl"
    rows = [{"query": f"query {n}", "positive": f"answer {n * n}", "myid": n, "made": {"by": "hand"}} for n in range(9)]
    rows[4] |= {"score": 0.5}
    pairs.write_text("".join(json.dumps(row) + "\n" for row in [*rows[:3], {"query": "", "myid": -1}, *rows[3:]]))
    done = cosmith("data", "mine", pairs, "--model", world / "model0", "--ratio", 0.9999, "-o", output)
    assert done.exit_code == 0, done.stderr
    assert "column 'score' is not used: 1 of 9 rows have a value" in done.stderr.replace("\n", " ")
    mined = [json.loads(line) for line in output.read_text().splitlines()]
    kept = [{name: each[name] for name in ("query", "myid", "made")} for each in mined]
    assert kept == [{name: each[name] for name in ("query", "myid", "made")} for each in rows]
    assert [each["positive"] for each in mined] == [[each["positive"]] for each in rows]
    assert mined[4]["score"] == 0.5
    assert any(each.get("negative") for each in mined)
    card = (tmp_path / "mined.jsonl.data.md").read_text(encoding="utf-8")
    assert all(f"`{said}`" in card.replace(", ", "`, `") for said in ("ratio: 0.9999", "negatives: 1", "sample: top"))
    assert "**negative**: answer" in card
    assert "left out: query" in done.stdout


def test_an_output_that_is_an_input_is_refused(world: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_bytes((world / "pairs.jsonl").read_bytes())
    (tmp_path / "link.jsonl").symlink_to(pairs)
    shards = tmp_path / "shards"
    shards.mkdir()
    (shards / "part.jsonl").write_bytes(pairs.read_bytes())
    before = pairs.read_bytes()
    asked = [
        ["mine", pairs, "-o", pairs], ["mine", pairs, "-o", tmp_path / "link.jsonl"],
        ["mine", shards, "-o", shards / "part.jsonl"], ["mine", world / "pairs.jsonl", "--corpus", pairs, "-o", pairs],
        ["filter", pairs, "-o", pairs], ["pairs", pairs, "-o", pairs], ["pairs", "--threads", pairs, "-o", pairs],
        ["chunk", pairs, "-o", pairs],
        ["synthesise", pairs, "--endpoint", "http://localhost:1/v1", "--llm", "none", "-o", pairs],
    ]  # fmt: skip
    for each in asked:
        done = cosmith("data", *each)
        assert done.exit_code == 1
        assert "is read from" in done.stderr, each
        assert "--output" in done.stderr
    assert pairs.read_bytes() == before == (shards / "part.jsonl").read_bytes()
