"""Recipes that train an adapter, a part of a model, or a static model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.models import Encoder, initialise_static
from cosmith.models.folder import LatentAttentionSpec
from cosmith.recipes import load_recipe, run_recipe

REBUILT = """\
name: rebuilt
base: {base}
precision: float32
stages:
  data: {{kind: source, path: {pairs}, dev: 0.2, test: 0.2}}
  parts:
    kind: rebuild
    pooling: mean
    include_prompt: false
    latents: 6
    heads: 4
    prompts: {{query: "find {{task}}: "}}
  small: {{kind: static, dimension: 8, max_length: 40}}
  train: {{kind: train, model: parts, sources: data.train, steps: 2, batch_size: 8, learning_rate: 1e-3}}
  fast: {{kind: train, model: small, sources: data.train, steps: 2, batch_size: 8, learning_rate: 0.1}}
  scores: {{kind: evaluate, models: [base, train, fast], tasks: data.test}}
"""
STEPS = {"stages.train.steps": 3}


def run(world: Path, folder: Path, overrides: dict[str, Any]) -> dict[str, Any]:
    return run_recipe(load_recipe(str(world / "recipe.yaml"), overrides=STEPS | overrides), folder)


@pytest.mark.parametrize("merged", [True, False])
def test_a_recipe_trains_an_adapter_and_all_stages_after_it_use_the_result(
    merged: bool, small_world: Path, tmp_path: Path
) -> None:
    settings = {"adapter": "lora", "adapter_rank": 2, "merge_adapter": merged, "gradient_checkpointing": True,
                "layer_decay": 0.9, "interpolate": False, "keep_best": False}  # fmt: skip
    results = run(small_world, tmp_path / "run", {f"stages.train.{name}": value for name, value in settings.items()})
    assert results["comparison"]
    assert results["estimate"]["peak_bytes"] > 0
    folder = next((tmp_path / "run" / "train").rglob("modules.json")).parent
    assert (folder / "adapter_model.safetensors").is_file() is not merged
    assert (folder / "model.safetensors").is_file() is merged
    before, after = Encoder.load(small_world / "base"), Encoder.load(folder)
    assert np.abs(before.encode(["gen cup"]) - after.encode(["gen cup"])).max() > 1e-4


def test_a_recipe_trains_a_static_model(small_world: Path, tmp_path: Path) -> None:
    tokenizer = Encoder.load(small_world / "base").tokenizer.tokenizer
    initialise_static(tokenizer, dimension=16).save(tmp_path / "static")
    results = run(
        small_world, tmp_path / "run", {"base": str(tmp_path / "static"), "stages.train.learning_rate": 0.1}
    )  # fmt: skip
    assert results["train"]["final_dev"] >= results["train"]["base_dev"]


def test_a_recipe_changes_the_parts_of_a_model_and_trains_them(small_world: Path, tmp_path: Path) -> None:
    text = REBUILT.format(base=small_world / "base", pairs=small_world / "pairs.jsonl")
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    results = run_recipe(load_recipe(str(tmp_path / "recipe.yaml")), tmp_path / "run")
    assert {scores["model"] for scores in results["scores"]["scores"]} == {"base", "train", "fast"}
    parts, trained, small = (Encoder.load(tmp_path / "run" / name / "model") for name in ("parts", "train", "small"))
    assert dict(parts.prompts) == dict(trained.prompts) == {"query": "find {task}: "}
    assert not trained.spec.include_prompt
    for encoder in (parts, trained):
        assert encoder.spec.latent_attention == LatentAttentionSpec(32, 6, 4)
    weights = [encoder.module["latent_attention"].output.weight for encoder in (parts, trained)]  # type: ignore[union-attr]
    assert not weights[0].any()  # type: ignore[operator]
    assert weights[1].any()  # type: ignore[operator]
    assert (small.is_static, small.dimension, small.max_length) == (True, 8, 40)
    card = json.loads((tmp_path / "run" / "train" / "model" / "lineage.json").read_text())
    assert [stage["stage"] for stage in card["made_from"]] == ["data", "parts"]


def test_parts_that_do_not_fit_are_named_as_keys_of_the_recipe(small_world: Path, tmp_path: Path) -> None:
    text = REBUILT.format(base=small_world / "base", pairs=small_world / "pairs.jsonl")
    (tmp_path / "recipe.yaml").write_text(text.replace("heads: 4", "heads: 5"), encoding="utf-8")
    with pytest.raises(InputError, match=r"stages\.parts\.heads\]: the width 32 is no multiple of the 5 heads"):
        run_recipe(load_recipe(str(tmp_path / "recipe.yaml")), tmp_path / "run")
