"""What a training stage says of one of its Sources goes before what the rows and the stage say for all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.stages import late_interaction as late_interaction_stage
from cosmith.recipes.stages import reranking as reranking_stage
from cosmith.recipes.stages import sparse as sparse_stage
from cosmith.recipes.stages import training as training_stage

STAGES = """\
  pairs: {{kind: source, path: {pairs}, dev: 0, test: 0}}
  other: {{kind: source, path: {pairs}, dev: 0, test: 0, loss: {{name: triplet, margin: 0.3}}, prompts: [query, query]}}
  mined: {{kind: mine, source: other.train, ratio: null}}
  again: {{kind: mine, source: other.train, ratio: null}}
  estimate: {{kind: estimate, train: train}}
  train:
    kind: train
    sources: [pairs.train, mined]
    per_source:
      pairs.train: {{loss: {{name: classic, temperature: 0.1}}, batch_size: 24, weight: 2, max_query_length: 7}}
      mined: {{temperature: null, batch_size: 8, instruction: find it, prompts: [query, document]}}
    steps: 8
  sparse:
    kind: train-sparse
    sources: [pairs.train, mined]
    per_source: {{pairs.train: {{temperature: 3}}, mined: {{loss: default, max_document_length: 9}}}}
    steps: 2
  late:
    kind: train-late-interaction
    sources: [pairs.train, mined]
    per_source: {{pairs.train: {{temperature: 3}}, mined: {{loss: default, max_document_length: 9}}}}
    steps: 2
  reranker:
    kind: train-reranker
    sources: [mined, again]
    per_source: {{mined: {{weight: 2, batch_size: 4, instruction: find it}}}}
    alpha: 0.5
    steps: 2
"""


def test_sources_of_one_stage_differ(small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, list[Source]] = {}
    for module, name in (
        (training_stage, "train_with_result"),
        (training_stage, "estimate"),
        (sparse_stage, "train_sparse"),
        (late_interaction_stage, "train_late_interaction"),
        (reranking_stage, "train_reranker"),
    ):
        whole = getattr(module, name)

        def told(*values: Any, _name: str = name, _whole: Any = whole, **options: Any) -> Any:
            given[_name] = list(values[1])
            return _whole(*values, **options)

        monkeypatch.setattr(module, name, told)
    text = f"name: t\nbase: {small_world / 'base'}\nprecision: float32\nstages:\n"
    recipe = parse_document(text + STAGES.format(pairs=small_world / "pairs.jsonl"))
    run_recipe(load_recipe(recipe), tmp_path / "run")
    for name in ("train_with_result", "estimate"):
        pairs, mined = (source.settings for source in given[name])
        assert (pairs.loss, pairs.batch_size, pairs.weight) == ({"name": "classic", "temperature": 0.1}, 24, 2)
        assert (pairs.max_query_length, pairs.prompts) == (7, None)
        assert (mined.loss, mined.batch_size, mined.weight) == ({"name": "triplet", "margin": 0.3}, 8, 1)
        assert (mined.instruction, mined.prompts) == ("find it", ("query", "document"))
    for name in ("train_sparse", "train_late_interaction"):
        pairs, mined = (source.settings for source in given[name])
        assert (pairs.temperature, mined.loss, mined.max_document_length) == (3, "default", 9)
    mined, again = (source.settings for source in given["train_reranker"])
    assert (mined.weight, mined.batch_size, mined.instruction) == (2, 4, "find it")
    assert (again.weight, again.batch_size, again.prompts) == (1, None, ("query", "query"))
    lines = (tmp_path / "run" / "train" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [entry for entry in map(json.loads, lines) if "loss" in entry]
    assert {entry["source"] for entry in steps} == {"pairs.train", "mined"}


@pytest.mark.parametrize("name", ["train", "sparse", "late"])
def test_changes_to_other_rows_are_refused(name: str, small_world: Path) -> None:
    text = f"name: t\nbase: {small_world / 'base'}\nstages:\n" + STAGES.format(pairs=small_world / "pairs.jsonl")
    with pytest.raises(InputError, match=rf"\[stages\.{name}\].*names 'other\.train', .*: pairs\.train, mined"):
        load_recipe(parse_document(text), overrides={f"{name}.per_source": {"other.train": {"weight": 2}}})


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"reranker.per_source": {"mined": {"max_query_length": 3}}}, r"Valid: batch_size, instruction, weight\."),
        ({"sparse.per_source": {"mined": {"prompts": ["query"]}}}, "prompts"),
    ],
)
def test_what_a_kind_of_model_does_not_ask_of_its_rows_is_refused(
    overrides: dict[str, Any], said: str, small_world: Path
) -> None:
    text = f"name: t\nbase: {small_world / 'base'}\nstages:\n" + STAGES.format(pairs=small_world / "pairs.jsonl")
    with pytest.raises(InputError, match=said):
        load_recipe(parse_document(text), overrides=overrides)


@pytest.mark.parametrize("kind", ["train", "adapt", "train-reranker", "train-sparse", "train-late-interaction"])
def test_how_steps_are_taken_is_said_alike_for_models_of_every_kind(kind: str, small_world: Path) -> None:
    rows = "texts: pairs.train" if kind == "adapt" else "sources: [pairs.train], mixing: curriculum, alpha: 0.5"
    text = f"""\
name: t
base: {small_world / "base"}
stages:
  pairs: {{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0.2, test: 0}}
  tuned:
    {{kind: {kind}, {rows}, dev: pairs.dev, adapter: dora, adapter_rank: 2, adapter_alpha: 4, adapter_dropout: 0.1,
     adapter_targets: [query], gradient_checkpointing: true, frozen_layers: 1, freeze_embeddings: true,
     layer_decay: 0.9, strategy: keep-last-k, keep: 1, patience: 2, on_divergence: skip, watch_every: null}}
"""
    stage = load_recipe(parse_document(text)).recipe.stages["tuned"]
    context = StageContext("tuned", load_recipe(parse_document(text)).recipe, Path(), Path(), 0, None)  # type: ignore[arg-type]
    settings = training_stage.training_settings(stage, context, 0)  # type: ignore[arg-type]
    assert (settings.adapter, settings.adapter_rank, settings.adapter_targets) == ("dora", 2, ("query",))
    assert (settings.adapter_alpha, settings.adapter_dropout, settings.layer_decay) == (4.0, 0.1, 0.9)
    assert (settings.gradient_checkpointing, settings.frozen_layers, settings.freeze_embeddings) == (True, 1, True)
    assert (settings.strategy, settings.keep, settings.patience) == ("keep-last-k", 1, 2)
    assert (settings.on_divergence, settings.watch_every, settings.merge_adapter) == ("skip", None, True)
    if kind != "adapt":
        assert (settings.mixing, settings.alpha) == ("curriculum", 0.5)
