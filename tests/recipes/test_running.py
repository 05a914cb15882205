"""Running a recipe: what is left behind, what is skipped, and what a failure, an interrupt or a kill leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.recipes import StageEvent, load_recipe, run_recipe
from cosmith.recipes.lock import run_lock

STAGES = ["data", "estimate", "baseline", "train", "evaluation", "comparison", "index"]


def run(world: Path, folder: Path, **overrides: Any) -> tuple[dict[str, Any], list[StageEvent]]:
    events: list[StageEvent] = []
    loaded = load_recipe(str(world / "recipe.yaml"), overrides=overrides)
    return run_recipe(loaded, folder, listen=events.append), events


def ran(events: list[StageEvent]) -> list[str]:
    return [event.stage for event in events if event.what == "end"]


@pytest.fixture(scope="module")
def finished(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run of the whole recipe; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    results, events = run(small_world, folder)
    assert ran(events) == STAGES
    return folder, results


@pytest.fixture
def copied(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A run of one's own."""
    return Path(shutil.copytree(finished[0], tmp_path / "tiny"))


def test_a_run_leaves_what_the_report_reads(finished: tuple[Path, dict[str, Any]], small_world: Path) -> None:
    folder, results = finished
    assert (folder / "recipe.yaml").read_text() == (small_world / "recipe.yaml").read_text()
    assert "learning_rate: 0.001" in (folder / "recipe.resolved.yaml").read_text()
    for name in STAGES:
        record = json.loads((folder / name / "stage.json").read_text())
        assert {"name", "kind", "fingerprint", "seconds", "finished", "config", "inputs"} <= set(record)
        assert json.loads((folder / name / "result.json").read_text()) == results[name]
    gathered = json.loads((folder / "results.json").read_text())
    assert [stage["name"] for stage in gathered["stages"]] == STAGES
    assert gathered["machine"]["torch"]
    assert not (folder / ".vectors").exists()


def test_every_query_is_in_one_part_only(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, results = finished
    splits = results["data"]["splits"]
    assert splits["train"]["pairs"] + splits["dev"]["queries"] + splits["test"]["queries"] == results["data"]["pairs"]
    assert splits["test"]["queries"] == pytest.approx(24, abs=1)
    from cosmith.data import Collection, Source

    trained = {row.query for row in Source.load(folder / "data" / "train").rows()}
    for part in ("dev", "test"):
        assert not trained & set(Collection.read_beir(folder / "data" / part).queries.values())


def test_the_result_is_not_worse_than_the_base_on_the_development_set(finished: tuple[Path, dict[str, Any]]) -> None:
    train = finished[1]["train"]
    assert train["final_dev"] >= train["base_dev"]
    best = max(train["interpolation"], key=lambda each: each["dev"])
    assert train["final_dev"] == best["dev"]


def test_scores_agree_with_the_models_that_lie_there(finished: tuple[Path, dict[str, Any]], small_world: Path) -> None:
    from cosmith.data import Collection
    from cosmith.evaluation import evaluate_retrieval

    folder, results = finished
    test = Collection.read_beir(folder / "data" / "test")
    row = results["comparison"]["tasks"][0]
    for path, value in ((small_world / "base", row["before"]), (folder / "train" / "model", row["after"])):
        assert evaluate_retrieval(Encoder.load(path), test).value == pytest.approx(value, abs=1e-6)
    assert row["difference"] == pytest.approx(row["after"] - row["before"])
    assert row["low"] <= row["difference"] <= row["high"]
    gained = results["comparison"]["gained"]
    assert gained
    assert all(each["after"] > each["before"] for each in gained)


def test_the_index_can_be_searched_and_shows_both_models(finished: tuple[Path, dict[str, Any]]) -> None:
    from cosmith.retrieval import Index

    folder, results = finished
    opened = Index.load(folder / "index" / "index")
    encoder = Encoder.load(opened.card.model)
    search = results["index"]["searches"][0]
    assert search["query"] == "gen cup"
    hits = opened.search(encoder, ["gen cup"], 3)
    assert [each["id"] for each in search["after"]] == [name for name, _ in hits.of(0)]
    assert len(search["before"]) == 3
    assert len(results["index"]["searches"]) == 3


def test_the_model_says_what_it_was_made_from(finished: tuple[Path, dict[str, Any]]) -> None:
    model = finished[0] / "train" / "model"
    card = json.loads((model / "lineage.json").read_text())
    assert [origin["stage"] for origin in card["made_from"]] == ["data"]
    assert card["made_from"][0]["files"][0]["fingerprint"]
    assert card["settings"]["steps"] == 6
    assert card["scores"][0]["task"] == "data.test"
    readme = (model / "README.md").read_text()
    assert readme.count("How it was made") == 1
    assert "pairs.jsonl" in readme


def test_a_second_run_skips_everything(copied: Path, small_world: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.glob("*/stage.json")}
    results, events = run(small_world, copied)
    assert [event.what for event in events] == ["skip"] * len(STAGES)
    assert {path: path.stat().st_mtime_ns for path in copied.glob("*/stage.json")} == before
    assert results["train"]["steps"] == 6


def test_a_changed_setting_runs_its_stage_and_what_depends_on_it(copied: Path, small_world: Path) -> None:
    _, events = run(small_world, copied, **{"train.steps": 4})
    assert ran(events) == ["estimate", "train", "evaluation", "comparison", "index"]
    reasons = {event.stage: event.reason for event in events if event.what == "begin"}
    assert reasons["train"] == "steps 6 → 4"
    assert "train changed" in reasons["evaluation"]


def test_a_changed_input_file_is_noticed(copied: Path, small_world: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_bytes((small_world / "pairs.jsonl").read_bytes())
    moved = str(pairs)
    run(small_world, copied, **{"data.path": moved})
    assert ran(run(small_world, copied, **{"data.path": moved})[1]) == []
    lines = pairs.read_text().splitlines(keepends=True)
    pairs.write_text("".join(lines[:-1]))
    results, events = run(small_world, copied, **{"data.path": moved})
    assert ran(events)[0] == "data"
    assert results["data"]["pairs"] == len(lines) - 1


def test_a_damaged_output_is_made_again(copied: Path, small_world: Path) -> None:
    (copied / "train" / "model" / "model.safetensors").unlink()
    _results, events = run(small_world, copied)
    assert ran(events) == ["train"]  # what depends on it stands, since it is made again as it was
    assert (copied / "train" / "model" / "model.safetensors").is_file()
    card = json.loads((copied / "train" / "model" / "lineage.json").read_text())
    assert card["scores"]
    result = copied / "baseline" / "result.json"
    result.write_text("[" + result.read_text()[1:])
    assert ran(run(small_world, copied)[1]) == ["baseline"]


def test_a_failing_stage_leaves_those_before_it(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    wrong = {"train.frozen_layers": 5000}
    with pytest.raises(InputError, match="5000"):
        run(small_world, folder, **wrong)
    assert (folder / "data" / "stage.json").is_file()
    assert not (folder / "train" / "stage.json").exists()
    _, events = run(small_world, folder)
    assert next(event.stage for event in events if event.what == "skip") == "data"
    assert "train" in ran(events)


def test_bad_input_leaves_no_run_behind(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    with pytest.raises(InputError, match="no such file") as caught:
        run(small_world, folder, **{"data.path": str(tmp_path / "absent.jsonl")})
    assert caught.value.field == "stages.data.path"
    assert not folder.exists()
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"query": "a", "positive": "b"}\nnot json\n')
    with pytest.raises(InputError, match=r"broken\.jsonl"):
        run(small_world, folder, **{"data.path": str(broken)})
    assert not (folder / "data" / "stage.json").exists()


def tree(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["thesis.txt", "recipe.yaml", "data/pairs.jsonl"])
def test_a_folder_of_the_users_is_left_alone(small_world: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "mine" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="is not the folder of a run"):
        run(small_world, tmp_path / "mine")
    assert tree(tmp_path / "mine") == {name: b"years of work"}


def test_a_folder_of_the_users_within_a_run_is_left_alone(copied: Path, small_world: Path) -> None:
    shutil.rmtree(copied / "train")
    (copied / "train").mkdir()
    (copied / "train" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="no run made it"):
        run(small_world, copied)
    assert tree(copied / "train") == {"notes.txt": b"mine"}


def test_an_empty_folder_becomes_a_run(small_world: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run(small_world, tmp_path, **{"data.query": "nowhere"})
    assert not tmp_path.exists() or tree(tmp_path) == {}


def test_two_processes_do_not_share_a_run(small_world: Path, copied: Path) -> None:
    with run_lock(copied), pytest.raises(InputError, match="another process") as caught:
        run(small_world, copied)
    assert str(os.getpid()) in str(caught.value)
    run(small_world, copied)  # free again


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from cosmith.recipes.lock import run_lock
with run_lock(Path({str(tmp_path)!r})):
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert dead.returncode == -signal.SIGKILL
    assert (tmp_path / ".lock").read_text() == dead.stdout.strip()
    with run_lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "train" / "model" / "model.safetensors")


SHORT = """\
name: short
base: {world}/base
precision: float32
stages:
  data: {{kind: source, path: {world}/pairs.jsonl, dev: 0, test: 0}}
  train: {{kind: train, sources: data.train, steps: 24, batch_size: 16, learning_rate: 1e-3, checkpoint_every_steps: 1}}
"""


@pytest.fixture(scope="module")
def short_recipe(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("short") / "short.yaml"
    path.write_text(SHORT.format(world=small_world), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def undisturbed(short_recipe: Path) -> dict[str, np.ndarray]:
    folder = short_recipe.parent / "undisturbed"
    run_recipe(load_recipe(str(short_recipe), overrides={"train.checkpoint_every_steps": None}), folder)
    return weights(folder)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_and_ends_as_an_undisturbed_one(
    how: int, short_recipe: Path, undisturbed: dict[str, np.ndarray], tmp_path: Path
) -> None:
    folder = tmp_path / "stopped"
    command = [sys.executable, "-m", "cosmith.cli", "run", str(short_recipe), "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = folder / "train" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text().count('"loss"') >= 3):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    if how == signal.SIGINT:
        assert "Go on with: cosmith run" in said
    assert (folder / "data" / "stage.json").is_file()
    assert not (folder / "train" / "stage.json").exists()

    events: list[StageEvent] = []
    run_recipe(load_recipe(str(short_recipe)), folder, listen=events.append)
    assert [(event.what, event.stage, event.resumed) for event in events] == [
        ("skip", "data", False), ("begin", "train", True), ("end", "train", False)
    ]  # fmt: skip
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines() if "loss" in line]
    assert steps == list(range(1, 25))
    resumed = weights(folder)
    assert all((resumed[name] == undisturbed[name]).all() for name in undisturbed)
