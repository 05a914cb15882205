"""Settings that cannot be used are refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cosmith.errors import InputError
from cosmith.losses import preset
from cosmith.training import TrainingSettings


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"steps": 10, "epochs": 1.0}, "epochs"),
        ({"steps": 0}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": None}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"learning_rate": -1e-5}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"schedule": "cosin"}, "schedule"),
        ({"warmup": 1.5}, "warmup"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"clip": 0}, "clip"),
        ({"loss": "defualt"}, "loss"),
        ({"temperature": 0}, "temperature"),
        ({"dims": (8, 8)}, "dims"),
        ({"dims": (0,)}, "dims"),
        ({"dims": (8,), "dim_weights": (1.0, 2.0)}, "dim_weights"),
        ({"dims": (8,), "dim_weights": (-1.0,)}, "dim_weights"),
        ({"seed": -1}, "seed"),
        ({"precision": "fp16"}, "precision"),
        ({"strategy": "gradcache"}, "strategy"),
        ({"strategy": "keep-last-k"}, "keep"),
        ({"keep": 3}, "keep"),
        ({"graph_memory": 0}, "graph_memory"),
        ({"micro_batch_tokens": 0}, "micro_batch_tokens"),
        ({"mixing": "robin"}, "mixing"),
        ({"alpha": 2}, "alpha"),
        ({"evaluate_every": 0}, "evaluate_every"),
        ({"patience": 0}, "patience"),
        ({"interpolate": (0.0, 1.5)}, "interpolate"),
        ({"checkpoint_every_seconds": 0}, "checkpoint_every_seconds"),
        ({"decay": 0.5}, "decay"),
        ({"adapter_rank": 8}, "adapter_rank"),
        ({"merge_adapter": False}, "merge_adapter"),
        ({"mixing": "round_robin", "alpha": 0.5}, "alpha"),
    ],
)
def test_impossible_settings_name_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as error:
        TrainingSettings(**changes)
    assert error.value.field == field
    assert f"[{field}]" in str(error.value)


def test_misspelt_names_are_corrected() -> None:
    with pytest.raises(InputError, match="Did you mean 'cosine'"):
        TrainingSettings(schedule="cosin")  # type: ignore[arg-type]


def test_lists_are_taken_as_tuples() -> None:
    settings = TrainingSettings(dims=[16, 8], interpolate=[0, 1])  # type: ignore[arg-type]
    assert settings.dims == (16, 8)
    assert settings.interpolation_grid == (0, 1)
    assert TrainingSettings(interpolate=False).interpolation_grid == ()


def test_a_loss_is_known_again_in_another_process() -> None:
    """The order of a set is not the same in two processes; what a run is recognised by must be."""
    said = json.dumps(TrainingSettings(loss=preset("qwen3-embedding")).identity())
    blocks = ["documents", "other_negatives", "other_positives", "own_negatives", "queries"]
    assert json.dumps({"denominators": [blocks]})[1:-1] in said
