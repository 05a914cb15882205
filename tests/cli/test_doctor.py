"""`cosmith doctor`: a run, a stage, a model's run beside it, and a folder that has none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cosmith.cli.app import app
from cosmith.data import Source, TrainingRow
from cosmith.models import tiny_encoder
from cosmith.training import TrainingSettings, train
from cosmith.training.health import Diverged

SOURCE = Source.from_rows("asked", [TrainingRow(f"ask {n}", (f"the answer is {n * 7}",)) for n in range(40)])
SETTINGS = TrainingSettings(steps=4, batch_size=8, watch_every=1, temperature=1e-4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tuned.run"
    train(tiny_encoder("bert"), [SOURCE], SETTINGS, folder=folder / "train")
    with pytest.raises(Diverged):
        train(tiny_encoder("bert"), [SOURCE], replace(SETTINGS, learning_rate=1e30, warmup=0.0), folder=folder / "bad")
    return folder


@pytest.mark.parametrize("place", ["", "train", "../tuned"])
def test_it_finds_the_training_of_a_run(run: Path, place: str) -> None:
    result = CliRunner().invoke(app, ["doctor", str((run / place).resolve())])
    assert result.exit_code == 0
    assert "4 steps" in result.output
    assert "Temperature too low" in result.output


def test_it_prints_the_page_of_a_step_that_failed(run: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", str(run / "bad")])
    assert result.exit_code == 0
    assert "**Most likely cause:**" in result.output
    assert "Is it finite in float32?" in result.output


def test_for_machines(run: Path) -> None:
    result = CliRunner().invoke(app, ["--json", "doctor", str(run)])
    runs = json.loads(result.stdout)["runs"]
    assert [Path(each["folder"]).name for each in runs] == ["train", "bad"]
    assert "too_cold" in [advice["rule"] for advice in runs[0]["advice"]]
    assert len(runs[1]["diagnoses"]) == 1


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", str(tmp_path)])
    assert result.exit_code == 1
    assert "no training has written metrics here" in result.stderr
