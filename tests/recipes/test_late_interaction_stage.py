"""A late-interaction model from a recipe: trained, evaluated beside BM25, and the first search of a reranker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.cli.summaries import summary
from cosmith.errors import InputError
from cosmith.models import LateInteractionEncoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

STAGES = """\
  data: {{kind: source, path: {pairs}, dev: 0.2, test: 0.2}}
  late:
    {{kind: train-late-interaction, sources: data.train, dev: data.dev, steps: 6, batch_size: 16, learning_rate: 1e-3,
     dimension: 16, query_length: 20, skip_punctuation: false}}
  further: {{kind: train-late-interaction, model: late, sources: data.train, steps: 2}}
  mined: {{kind: mine, source: data.train, ratio: null}}
  reranker: {{kind: train-reranker, sources: mined, dev: data.dev, first: late, steps: 2, batch_size: 8}}
  evaluation: {{kind: evaluate, models: [bm25, late, further, reranker], tasks: data.test, first: further}}
  pooled: {{kind: evaluate, models: late, tasks: data.test, pool_factor: 4}}
  cut: {{kind: evaluate, models: [late, reranker], tasks: data.test, first: late, chunk_tokens: 12}}
  comparison: {{kind: compare, before: bm25, after: late, scores: evaluation}}
  report: {{kind: report}}
"""


def run(world: Path, folder: Path, base: Path | None = None, **overrides: Any) -> dict[str, Any]:
    head = f"name: t\nbase: {base or world / 'base'}\nprecision: float32\nstages:\n"
    text = head + STAGES.format(pairs=world / "pairs.jsonl")
    return run_recipe(load_recipe(parse_document(text), overrides=overrides), folder)


def test_a_late_interaction_model_is_trained_used_and_told_of(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    results = run(small_world, folder)
    assert results["late"]["steps"] == 6
    assert results["late"]["best_dev"] is not None
    assert {each["model"] for each in results["evaluation"]["scores"]} == {"bm25", "late", "further", "reranker"}
    whole = next(each for each in results["evaluation"]["scores"] if each["model"] == "late")
    assert results["pooled"]["scores"][0]["values"] != whole["values"]  # fewer vectors of each document are compared
    cut = {each["model"]: each["values"] for each in results["cut"]["scores"]}
    assert cut["late"] != whole["values"]  # by their best chunks
    reranked = next(each for each in results["evaluation"]["scores"] if each["model"] == "reranker")
    assert cut["reranker"] != reranked["values"]
    assert results["comparison"]["after"] == "late"
    loaded = LateInteractionEncoder.load(folder / "further" / "late-interaction")
    assert loaded.encode_queries(["gen cup"]).values.shape == (20, 16)
    assert loaded.spec.skiplist == ()
    assert json.loads((folder / "further" / "late-interaction" / "lineage.json").read_text())["base"] == "late"
    lines = summary("train-late-interaction", results["late"], folder / "late")
    assert lines[-1].startswith("late-interaction model: ")


def test_a_base_that_is_one_keeps_its_projection(small_world: Path, tmp_path: Path) -> None:
    run(small_world, tmp_path / "first")
    start = LateInteractionEncoder.load(tmp_path / "first" / "late" / "late-interaction")
    text = f"""\
name: t
base: {tmp_path / "first" / "late" / "late-interaction"}
precision: float32
stages:
  data: {{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0, test: 0}}
  late:
    {{kind: train-late-interaction, sources: data.train, steps: 1, batch_size: 4, learning_rate: 1e-12,
     weight_decay: 0}}
"""
    run_recipe(load_recipe(parse_document(text)), tmp_path / "run")
    tuned = LateInteractionEncoder.load(tmp_path / "run" / "late" / "late-interaction")
    for name, value in start.module.state_dict().items():
        assert tuned.module.state_dict()[name].allclose(value, atol=1e-6), name


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"late.loss": "cosent"}, r"stages\.late\.(scores|loss)"),
        ({"late.query_length": 1_000}, r"stages\.late\.query_length.*longer"),
        ({"pooled.pool_factor": 0.5}, "pool_factor"),
        ({"late.model": "bm25"}, "a model or a late-interaction model is needed"),
        ({"mined.model": "late"}, "a late-interaction model, but a model is needed"),
    ],
)
def test_what_cannot_work_names_the_key(
    overrides: dict[str, Any], said: str, small_world: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(small_world, tmp_path / "run", **overrides)
