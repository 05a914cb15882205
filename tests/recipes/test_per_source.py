"""What a training stage says of one of its Sources goes before what the rows and the stage say for all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.stages import late_interaction as late_interaction_stage
from cosmith.recipes.stages import sparse as sparse_stage
from cosmith.recipes.stages import training as training_stage

STAGES = """\
  pairs: {{kind: source, path: {pairs}, dev: 0, test: 0}}
  other: {{kind: source, path: {pairs}, dev: 0, test: 0, loss: {{name: triplet, margin: 0.3}}, prompts: [query, query]}}
  mined: {{kind: mine, source: other.train, ratio: null}}
  estimate: {{kind: estimate, train: train}}
  train:
    kind: train
    sources: [pairs.train, mined]
    per_source:
      pairs.train: {{loss: {{name: classic, temperature: 0.1}}, batch_size: 24, weight: 2, max_query_length: 7}}
      mined: {{temperature: null, batch_size: 8}}
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
"""


def test_sources_of_one_stage_differ(small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, list[Source]] = {}
    for module, name in (
        (training_stage, "train_with_result"),
        (training_stage, "estimate"),
        (sparse_stage, "train_sparse"),
        (late_interaction_stage, "train_late_interaction"),
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
        assert mined.prompts == ("query", "query")
    for name in ("train_sparse", "train_late_interaction"):
        pairs, mined = (source.settings for source in given[name])
        assert (pairs.temperature, mined.loss, mined.max_document_length) == (3, "default", 9)
    lines = (tmp_path / "run" / "train" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [entry for entry in map(json.loads, lines) if "loss" in entry]
    assert {entry["source"] for entry in steps} == {"pairs.train", "mined"}


@pytest.mark.parametrize("name", ["train", "sparse", "late"])
def test_changes_to_other_rows_are_refused(name: str, small_world: Path) -> None:
    text = f"name: t\nbase: {small_world / 'base'}\nstages:\n" + STAGES.format(pairs=small_world / "pairs.jsonl")
    with pytest.raises(InputError, match=rf"\[stages\.{name}\].*names 'other\.train', .*: pairs\.train, mined"):
        load_recipe(parse_document(text), overrides={f"{name}.per_source": {"other.train": {"weight": 2}}})
