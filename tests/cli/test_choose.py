"""`cosmith choose` on two tiny models, of which one is a static one that it makes itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection
from cosmith.models import Encoder, tiny_cross_encoder, tiny_encoder

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    documents = {f"d{n}": f"all about the {word} and its parts" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is a {word}" for n, word in enumerate(WORDS)}
    Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(12)}).write_beir(folder / "task")
    pairs = ["sentence1\tsentence2\tscore", "red apples\tgreen apples\t4", "a river\tcode\t0", "a list\tlists\t5"]
    (folder / "pairs.tsv").write_text("\n".join(pairs) + "\n")
    tiny_encoder("bert").save(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def chosen(world: Path) -> tuple[Result, dict[str, Any]]:
    told = cosmith("choose", world / "tiny", "--static", "--task", world / "task", "--task", world / "pairs.tsv",
                   "--dims", "32,16", "--precisions", "float32,binary", "--bytes", 64, "--sample", 8,
                   "--languages", "en,ja", "--output", world / "out", "--no-cache")  # fmt: skip
    assert told.exit_code == 0, told.output
    return told, json.loads((world / "out" / "choice.json").read_text())


def test_every_model_is_scored_in_every_form(chosen: tuple[Result, dict[str, Any]]) -> None:
    told, about = chosen
    forms = {(each["model"], each["dim"], each["precision"], each["bytes"]) for each in about["options"]}
    assert forms == {
        (model, dim, form, 4 * dim if form == "float32" else dim // 8)
        for model in ("tiny", "tiny-static") for dim in (32, 16) for form in ("float32", "binary")
    }  # fmt: skip
    over = {(each["dim"], each["precision"]) for each in about["options"] if each["over_budget"]}
    assert over == {(32, "float32")}
    assert about["chosen"]["over_budget"] == []
    assert about["chosen"]["model"] in told.stdout
    assert "2 of 8 options are out of the budget: 2 over 64 bytes" in told.stdout
    assert [each["task"] for each in about["options"][0]["tasks"]] == ["task", "pairs.tsv"]
    for each in about["options"]:
        assert each["quality"] == pytest.approx(np.mean([task["value"] for task in each["tasks"]]))


def test_costs_are_those_of_a_process_of_its_own(chosen: tuple[Result, dict[str, Any]], world: Path) -> None:
    costs = {each["model"]: each["cost"] for each in chosen[1]["options"]}
    encoder = Encoder.load(world / "tiny")
    assert costs["tiny"]["weights"] == sum(4 * value.numel() for value in encoder.module.parameters())
    for cost in costs.values():
        assert 0 < cost["low"] <= cost["latency"] <= cost["high"]
        assert cost["process"] > cost["weights"]
        assert cost["queries"] == 8


def test_languages_that_no_task_tests_are_named(chosen: tuple[Result, dict[str, Any]]) -> None:
    assert "No task tests ja" in chosen[0].stdout
    assert "No task tests en" not in chosen[0].stdout


def test_table_picture_and_static_model_are_written(chosen: tuple[Result, dict[str, Any]], world: Path) -> None:
    assert "| tiny-static, 16 binary |" in (world / "out" / "choice.md").read_text()
    assert (world / "out" / "choice.svg").read_text().startswith("<svg")
    assert Encoder.load(world / "out" / "tiny-static").is_static


def test_what_makes_no_sense_is_refused(world: Path) -> None:
    for wrong, told in (
        (["--dims", "a"], "--dims"), (["--dims", "999"], "tiny has 32 dimensions, fewer than all of [999]"),
        (["--precisions", "int3"], "int3"),
        (["--bytes", "0"], "above 0"),
    ):  # fmt: skip
        result = cosmith("choose", world / "tiny", "--task", world / "pairs.tsv", *wrong)
        assert result.exit_code == 1, wrong
        assert told in result.stderr
    assert cosmith("choose", world / "tiny").exit_code == 1


def test_all_candidates_are_looked_at_before_any_work(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "encode", lambda *_, **__: pytest.fail("something was encoded"))
    tiny_cross_encoder("bert").save(world / "reader")
    for second, told in (
        (world / "nothing", "is not a folder"), (world / "reader", "is a cross-encoder model, which makes no vector"),
        ("bm25", "its cost cannot be measured"), (world / "pairs.tsv", "pairs.tsv"),
    ):  # fmt: skip
        result = cosmith("choose", world / "tiny", second, "--static", "--task", world / "pairs.tsv")
        assert result.exit_code == 1
        assert told in result.stderr
        assert str(second) in result.stderr


def test_word_vectors_are_a_candidate_and_a_length_is_left_out_where_a_model_has_fewer(world: Path) -> None:
    lines = [f"{word} {number} 1 {number * number} 2" for number, word in enumerate(WORDS)]
    (world / "words.vec").write_text(f"{len(WORDS)} 4\n" + "\n".join(lines) + "\n")
    told = cosmith("choose", world / "words.vec", world / "tiny", "--task", world / "task", "--dims", "32,4",
                   "--precisions", "float32", "--json")  # fmt: skip
    assert told.exit_code == 0, told.output
    about = json.loads(told.stdout)
    assert {(each["model"], each["dim"]) for each in about["options"]} == {("words.vec", 4), ("tiny", 32), ("tiny", 4)}
    assert "words.vec has 4 dimensions, so it is not tried at 32." in about["notes"]
    alone = cosmith("choose", world / "tiny", world / "words.vec", "--task", world / "task", "--dims", "32",
                    "--precisions", "float32")  # fmt: skip
    assert alone.exit_code == 0, alone.output
    assert "words.vec has 4 dimensions, so it is not tried at all." in alone.stdout
