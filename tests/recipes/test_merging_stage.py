"""Three trainings with other seeds, merged, measured, and used further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.cli.summaries import merge_lines
from cosmith.errors import InputError
from cosmith.evaluation import evaluate_retrieval
from cosmith.inspection import write_report
from cosmith.models import Encoder, tiny_encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.artefacts import Artefacts
from cosmith.recipes.stages.merging import described
from cosmith.training import Candidate, MergeResult

STAGES = """\
  data: {{kind: source, path: {pairs}, dev: 0.2, test: 0.2}}
  one: {{kind: train, sources: data.train, steps: 6, batch_size: 16, learning_rate: 1e-3, seed: 1}}
  two: {{kind: train, sources: data.train, steps: 6, batch_size: 16, learning_rate: 1e-3, seed: 2}}
"""


def run(world: Path, folder: Path, stages: str) -> dict[str, Any]:
    text = f"name: t\nbase: {world / 'base'}\nprecision: float32\nstages:\n"
    loaded = load_recipe(parse_document(text + STAGES.format(pairs=world / "pairs.jsonl") + stages))
    return run_recipe(loaded, folder)


def test_models_of_two_seeds_are_merged_and_the_front_is_drawn(small_world: Path, tmp_path: Path) -> None:
    results = run(
        small_world,
        tmp_path,
        """\
  soup: {kind: merge, models: [one, two], method: greedy-soup, dev: data.dev}
  merged: {kind: merge, models: soup, method: interpolation, dev: data.dev}
  evaluation: {kind: evaluate, models: [base, merged], tasks: data.test}
""",
    )
    merged = results["merged"]
    scores = {each["name"]: each["dev"] for each in merged["candidates"]}
    assert list(scores) == ["soup", "base", "0.75 base + 0.25 tuned", "0.5 base + 0.5 tuned", "0.25 base + 0.75 tuned",
                            "0 base + 1 tuned"]  # fmt: skip
    assert merged["chosen"]["dev"] == max(scores.values())
    assert any(each["front"] for each in merged["candidates"])
    assert all(0 < each["general"] <= 1 for each in merged["candidates"])

    dev = Artefacts(load_recipe(str(tmp_path / "recipe.resolved.yaml")).recipe, tmp_path).collection("data.dev")
    model = Encoder.load(tmp_path / "merged" / "model")
    assert evaluate_retrieval(model, dev, resamples=0).value == pytest.approx(merged["chosen"]["dev"])
    card = json.loads((tmp_path / "merged" / "model" / "lineage.json").read_text())
    assert card["base"] == f"soup, {small_world / 'base'}"
    assert [origin["stage"] for origin in card["made_from"]] == ["data", "one", "two", "soup"]
    assert "Merged by Cosmith" in (tmp_path / "merged" / "model" / "README.md").read_text()

    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "What is won and what it costs" in page
    assert "0.25 base + 0.75 tuned" in page


def test_without_a_development_set_nothing_is_scored(small_world: Path, tmp_path: Path) -> None:
    results = run(small_world, tmp_path, "  merged: {kind: merge, models: [one, two]}\n")
    assert results["merged"]["candidates"] == []
    assert results["merged"]["chosen"]["shares"] == [0.5, 0.5]
    assert "slerp of one, two" in write_report(tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize("best", ["one", "slerp"])
def test_a_merge_that_is_worse_than_a_model_says_so(best: str) -> None:
    scores = {"one": 0.5, "two": 0.4, "slerp": 0.45} | {best: 0.6}
    candidates = tuple(Candidate(name, (1.0,), dev) for name, dev in scores.items())
    told = described(MergeResult(tiny_encoder("bert"), "slerp", candidates[2], candidates))
    helped = not any("one by itself is better on the development set" in line for line in merge_lines(told))
    assert helped is (best == "slerp")
    assert (told["better"] is None) is helped


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("models: one", "two models or more"),
        ("models: [one, two], method: greedy-soup", "chooses by dev"),
        ("models: [one, two], weights: [1]", "1 weights for 2 models"),
        ("models: [one, two], method: greedy-soup, dev: data.dev, weights: [1, 2]", "greedy-soup has no weights"),
        ("models: [one, two], method: task-arithmetic, density: 0.3", "task-arithmetic has no density"),
        ("models: [one, two], general: data.dev", "without dev nothing is scored on a general set"),
        ("models: [one, three]", "three"),
        ("models: [one, data.train]", "a model is needed"),
    ],
)
def test_a_merge_that_cannot_work_is_refused_before_anything_runs(
    settings: str, said: str, small_world: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(small_world, tmp_path, f"  merged: {{kind: merge, {settings}}}\n")
    assert list(tmp_path.iterdir()) == []
