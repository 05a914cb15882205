"""Recipes that train an adapter, a part of a model, or a static model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.models import Encoder, initialise_static
from cosmith.recipes import load_recipe, run_recipe

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
