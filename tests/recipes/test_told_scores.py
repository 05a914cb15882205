"""What the terminal and the report say of a training is what the model has that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cosmith.cli.summaries import summary
from cosmith.data import Collection
from cosmith.evaluation import evaluate_retrieval
from cosmith.models import Encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

RECIPE = """\
name: told
base: {world}/base
precision: float32
stages:
  data: {{kind: source, path: {world}/pairs.jsonl, dev: 0.3, test: 0}}
  train:
    kind: train
    sources: data.train
    dev: data.dev
    batch_size: 16
    steps: 8
    evaluate_every: 2
    schedule: constant
    warmup: 0
    interpolate: false
    {said}
  report: {{kind: report}}
"""


def trained(world: Path, folder: Path, said: str) -> tuple[dict[str, Any], str, str]:
    """The result of the stage, what the terminal says of it and what the report does."""
    document = parse_document(RECIPE.format(world=world, said=said))
    result = run_recipe(load_recipe(document), folder)["train"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    return result, "\n".join(summary("train", result, folder / "train")), page


def score(folder: Path) -> float:
    return evaluate_retrieval(
        Encoder.load(folder / "train" / "model"), Collection.read_beir(folder / "data" / "dev")
    ).value


def test_the_last_weights_are_told_by_their_own_score(small_world: Path, tmp_path: Path) -> None:
    for rate in (0.3, 0.05, 1.0, 0.1):  # rounding decides which of them ends below its best
        folder = tmp_path / f"run-{rate}"
        result, told, page = trained(small_world, folder, f"keep_best: false\n    learning_rate: {rate}")
        assert result["final_dev"] == pytest.approx(score(folder), abs=1e-6)
        if result["final_dev"] < result["best_dev"]:
            break
    assert result["final_dev"] < result["best_dev"]  # else this proves nothing
    assert f"{result['final_dev']:.4f} with the last weights, which are kept" in told
    assert f"to {result['final_dev']:.3f} (" in page
    assert f"of step {result['best_step']}, had {result['best_dev']:.3f}" in page


def test_an_early_end_is_told(small_world: Path, tmp_path: Path) -> None:
    result, told, page = trained(small_world, tmp_path / "run", "patience: 1\n    learning_rate: 1.0e-9")
    assert result["steps"] < 8
    assert result["final_dev"] == pytest.approx(score(tmp_path / "run"), abs=1e-6)
    assert "stopped early, as the score on the development set rose no more" in told
    assert "with the last weights" not in told
    assert "Training stopped early" in page
