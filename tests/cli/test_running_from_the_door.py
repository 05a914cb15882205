"""`cosmith run` and `cosmith train` from the command line: events, exit codes, what stands afterwards."""

from __future__ import annotations

import errno
import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.models import Encoder, tiny_encoder


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and a CSV of pairs with columns of other names, one row of them bad."""
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "base")
    draw = random.Random(0)
    words = [a + b + c for a in "bcdfg" for b in "aeiou" for c in "klmnp"]
    lines = ["frage,antwort"]
    for _ in range(80):
        chosen = draw.sample(words, 4)
        lines.append(f"{' '.join(chosen[:2])},{' '.join(chosen)}")
    lines.append("no answer,")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    recipe = f"""\
name: door
base: {folder / "base"}
precision: float32
stages:
  data: {{kind: source, path: {folder / "pairs.csv"}, query: frage, positive: antwort}}
  scores: {{kind: evaluate, models: [base, bm25], tasks: [data.test]}}
"""
    (folder / "recipe.yaml").write_text(recipe)
    return folder


def test_run_tells_of_each_stage_and_skips_the_second_time(world: Path, tmp_path: Path) -> None:
    first = cosmith("--json", "run", world / "recipe.yaml", "--folder", tmp_path / "run")
    assert first.exit_code == 0, first.stderr
    events = [json.loads(line) for line in first.stdout.splitlines()]
    assert [(event["event"], event["stage"]) for event in events] == [("end", "data"), ("end", "scores")]
    assert events[0]["result"]["dropped"] == {"has no positive": 1}
    scores = events[1]["result"]["scores"][0]
    assert "ndcg@10" in scores["values"]
    assert "per_query" not in scores
    second = cosmith("run", world / "recipe.yaml", "--folder", tmp_path / "run")
    assert second.stderr.count("stands, skipped") == 2
    assert "80 rows" in second.stdout
    assert "rejected.jsonl" in second.stdout
    assert "bm25 over base" in second.stdout
    quiet = cosmith("run", world / "recipe.yaml", "--folder", tmp_path / "run", "--quiet")
    assert quiet.stderr == ""
    assert quiet.stdout == second.stdout


def test_a_failing_stage_is_named_and_says_how_to_go_on(world: Path, tmp_path: Path) -> None:
    result = cosmith("run", world / "recipe.yaml", "--folder", tmp_path / "run", "--set", "scores.dim=4096")
    assert result.exit_code == 1
    assert "stopped in the stage 'scores'; finished stages stand, and are skipped the next time" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert "4096" in result.stderr
    assert (tmp_path / "run" / "data" / "stage.json").is_file()
    assert not (tmp_path / "run" / "scores").exists()


def test_what_stands_is_said_only_where_something_does(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cosmith.recipes.stages.data as data

    run = ["run", world / "recipe.yaml", "--folder", tmp_path / "run"]
    failed = cosmith(*run, "--set", "data.query=question")
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-2] == "stopped in the stage 'data'"
    assert not (tmp_path / "run").exists()

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "split_source", interrupted)
    stopped = cosmith(*run)
    assert stopped.exit_code == 130
    assert "Stopped in the stage 'data'. Start again with: cosmith" in stopped.stderr


def test_only_training_goes_on_from_where_it_was(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cosmith.recipes.stages.measuring as measuring
    from cosmith.training import loop

    recipe = (world / "recipe.yaml").read_text() + "  train: {kind: train, sources: data.train, steps: 4}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    run = ["run", tmp_path / "recipe.yaml", "--folder", tmp_path / "run", "--set", "train.checkpoint_every_steps=1"]

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(measuring, "score_hits", interrupted)
        assert cosmith(*run).exit_code == 130
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_finish", interrupted)
        again = cosmith(*run)
        assert again.exit_code == 130, again.output
    assert "scores: evaluate (interrupted before)" in again.stderr
    third = cosmith(*run)
    assert third.exit_code == 0, third.output
    assert "train: train (interrupted before, going on from its last checkpoint)" in third.stderr


def test_ctrl_c_says_how_to_go_on(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cosmith.recipes.stages.measuring as measuring

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "score_hits", interrupted)
    result = cosmith("run", world / "recipe.yaml", "--folder", tmp_path / "run")
    assert result.exit_code == 130
    assert "Stopped in the stage 'scores'. Finished stages stand. Go on with: cosmith" in result.stderr
    monkeypatch.undo()
    assert cosmith("run", world / "recipe.yaml", "--folder", tmp_path / "run").exit_code == 0


def test_ctrl_c_elsewhere_exits_with_130(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Encoder, "encode_tokens", interrupted)
    command = ["encode", world / "base", world / "pairs.csv", "--column", "frage", "--output", tmp_path / "v.npy"]
    result = cosmith(*command)
    assert result.exit_code == 130
    assert "nothing was half-written" in result.stderr
    assert not (tmp_path / "v.npy").exists()


def test_a_full_disk_is_an_error_without_a_traceback(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosmith.data import array_files

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    command = ["encode", world / "base", world / "pairs.csv", "--column", "frage", "--output", tmp_path / "v.npy"]
    with monkeypatch.context() as patched:
        patched.setattr(array_files, "write_array_to", full)
        result = cosmith(*command)
    assert result.exit_code == 1
    assert "the disk is full" in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["v.npy.shards"]  # what is done goes on from there
    assert cosmith(*command).exit_code == 0
    assert not (tmp_path / "v.npy.shards").exists()


def test_train_leaves_a_model_that_says_what_it_was_made_from(world: Path, tmp_path: Path) -> None:
    columns = ["--query", "frage", "--positive", "antwort"]
    settings = ["--model", world / "base", "--steps", 3, "--batch-size", 8, "--dev", 0.2]
    command = ["train", "--pairs", world / "pairs.csv", *columns, *settings, "--output", tmp_path / "tuned"]
    result = cosmith(*command)
    assert result.exit_code == 0, result.stderr
    assert "development set" in result.stdout
    assert Encoder.load(tmp_path / "tuned").encode(["gen cup"]).shape == (1, 32)
    card = json.loads((tmp_path / "tuned" / "lineage.json").read_text())
    assert [origin["stage"] for origin in card["made_from"]] == ["data", "mined"]
    assert (tmp_path / "tuned.run" / "train" / "metrics.jsonl").is_file()
    assert (tmp_path / "tuned.run" / "data" / "rejected.jsonl").read_text().count("has no positive") == 1
    again = cosmith(*command)
    assert again.exit_code == 0
    assert again.stderr.count("stands, skipped") == 4


def test_train_does_not_replace_what_is_no_model_of_its_own(world: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = cosmith("train", "--pairs", world / "pairs.csv", "--output", tmp_path)
    assert result.exit_code == 1
    assert "--output" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_train_does_not_replace_what_it_begins_with(world: Path, tmp_path: Path) -> None:
    tuned = tiny_encoder("bert").save(tmp_path / "tuned")
    (tuned / "lineage.json").write_text("{}")
    before = (tuned / "model.safetensors").read_bytes()
    result = cosmith("train", "--pairs", world / "pairs.csv", "--model", tuned, "--steps", 1, "--output", tuned)
    assert result.exit_code == 1
    assert "tuned [--output]: is read from (" in result.stderr
    assert (tuned / "model.safetensors").read_bytes() == before
    assert not (tmp_path / "tuned.run").exists()
