"""`cosmith data synthesise` and `templates` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import read_rows
from cosmith.mining.synthesis import builtin_templates, load_template
from cosmith.models import tiny_encoder

DOCUMENTS = {
    "a": "Red apples ripen early in warm orchards.",
    "b": "Rivers swell in spring because mountain snow melts.",
    "c": "Quick sorting algorithms partition arrays around pivots.",
    "d": "Lanterns guided sailors towards harbours during storms.",
}


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tiny_encoder("bert").save(tmp_path / "model")
    lines = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in DOCUMENTS.items()]
    (tmp_path / "documents.jsonl").write_text("".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(url: str, *more: Any) -> list[Any]:
    return ["data", "synthesise", "documents.jsonl", "--endpoint", url, "--llm", "stand-in", "--output", "pairs.jsonl",
            "--encoder", "model", *more]  # fmt: skip


def test_documents_become_pairs_that_the_next_command_reads(language_model: Any, world: Path) -> None:
    with language_model() as model:
        done = cosmith(*command(model.url, "--each", 2, "--input-price", 1, "--output-price", 2, "--most-money", 5))
        asked = len(model.asked)
        again = cosmith("--json", *command(model.url, "--each", 2))
        assert len(model.asked) == asked
    assert done.exit_code == 0, done.output
    assert "8 rows from 4 of 4 passages; 12 answers asked for, 0 there already" in done.stdout
    assert "spent" in done.stdout
    assert "They are in pairs.jsonl" in done.stdout
    assert {row.positives[0] for row in read_rows("pairs.jsonl").rows} == set(DOCUMENTS.values())
    value = json.loads(again.stdout.splitlines()[-1])
    assert (value["pairs"], value["requests"], value["cached"]) == (8, 0, 12)
    card = (world / "pairs.jsonl.data.md").read_text(encoding="utf-8")
    assert "from earlier answers: 12" in card
    assert "| requests |" not in card  # it would say 0
    assert "`words: 5, 20`" in card  # the default


def test_a_dry_run_shows_prompts_and_asks_nobody(world: Path) -> None:
    shown = cosmith(*command("https://nowhere.invalid/v1", "--key-variable", "UNSET_KEY", "--dry-run", "--words", 3, 4))
    assert shown.exit_code == 0, shown.output
    assert "── a: configuration" in shown.stdout
    assert "── c: query" in shown.stdout
    assert "── d" not in shown.stdout
    assert DOCUMENTS["b"] in shown.stdout
    assert "Nothing was asked. 4 passages: about 8 requests" in shown.stdout
    assert {place.name for place in world.iterdir()} == {"model", "documents.jsonl"}


def test_what_is_wrong_is_named_by_its_option(language_model: Any, world: Path) -> None:
    for more, told in (
        (["--most-money", 5], "[--most-money]: money is limited, but no price is known"),
        (["--key-variable", "UNSET_KEY"], "[--key-variable]: the environment variable UNSET_KEY is not set"),
        (["--type", "poem"], "[--type]: 'poem' is unknown"),
        (["--make", "translations"], "[--language]: no language to translate into"),
        (["--template", "absent.md"], "absent.md [--template]: no such file, and no built-in template"),
        (["--words", 9, 3], "[--words]: is [9, 3]"),
        (["--parameter", "top_p"], "[--parameter]"),
    ):
        refused = cosmith(*command("http://localhost:1/v1", *more))
        assert refused.exit_code == 1
        assert told in refused.stderr.splitlines()[-1]
    assert not (world / "pairs.jsonl").exists()


def test_answers_of_no_use_are_told_and_written_down(language_model: Any, world: Path) -> None:
    def fails(number: int, body: dict[str, Any]) -> str | None:
        prompt = body["messages"][-1]["content"]
        return "refusal" if "Lanterns" in prompt and '"query"' in prompt else None

    with language_model(fails) as model:
        done = cosmith(*command(model.url, "--parameter", "top_p=0.5", "--tokens-parameter", "max_completion_tokens"))
    assert "answers of no use: refusal 1; all are in pairs.jsonl.rejected.jsonl" in done.stdout
    assert json.loads((world / "pairs.jsonl.rejected.jsonl").read_text())["passage"] == "d"
    assert model.asked[0]["top_p"] == 0.5
    assert model.asked[0]["max_completion_tokens"] == 400


def test_templates_are_listed_and_printed_to_be_changed(world: Path) -> None:
    listed = cosmith("data", "templates")
    for name, each in builtin_templates().items():
        assert name in listed.stdout
        assert each.description in listed.stdout
    (world / "mine.md").write_text(cosmith("data", "templates", "query").stdout, encoding="utf-8")
    assert load_template("mine.md", "query").prompt == builtin_templates()["query"].prompt
    wrong = cosmith("data", "templates", "querry")
    assert wrong.exit_code == 1
    assert "Did you mean 'query'?" in wrong.stderr
