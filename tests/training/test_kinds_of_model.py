"""Models of every kind are trained with the same data, batching and loop: what a user may say of one goes for all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import InputError
from cosmith.models import LateInteractionEncoder, QueryExpansion, SparseEncoder, tiny_cross_encoder, tiny_encoder
from cosmith.training import TrainingSettings, train_late_interaction, train_reranker, train_sparse

ROWS = [TrainingRow(f"red {n}", (f"a red {n} thing",), (f"a blue {n} thing",)) for n in range(24)]
SOURCES = [Source.from_rows("first", ROWS[:16]), Source.from_rows("second", ROWS[16:], SourceSettings(weight=2))]
SETTINGS = TrainingSettings(steps=4, batch_size=4, learning_rate=1e-2, precision="float32", warmup=0.0)

Trained = Callable[..., Any]
KINDS: dict[str, tuple[Any, Trained]] = {
    "reranker": (lambda: tiny_cross_encoder("bert", dropout=0.1), train_reranker),
    "sparse": (lambda: SparseEncoder.from_encoder(tiny_encoder("bert", dropout=0.1)), train_sparse),
    "late-interaction": (
        lambda: LateInteractionEncoder.from_encoder(tiny_encoder("bert", dropout=0.1), 8, expansion=QueryExpansion(12)),
        train_late_interaction,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_parts_stay_frozen_and_layers_have_rates_of_their_own(kind: str) -> None:
    make, train = KINDS[kind]
    before = make().module.state_dict()
    frozen = replace(SETTINGS, frozen_layers=1, freeze_embeddings=True, weight_decay=0.0)
    after = train(make(), SOURCES, frozen).encoder.module.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("layer.1." in name for name in moved)
    assert not any("layer.0." in name or name.startswith("backbone.embeddings") for name in moved)

    name = "backbone.encoder.layer.0.attention.self.value.weight"
    one = replace(SETTINGS, steps=1, weight_decay=0.0, clip=None)
    steps = [
        (train(make(), SOURCES, replace(one, layer_decay=decay)).encoder.module.state_dict()[name] - before[name])
        for decay in (1.0, 0.5)
    ]
    assert steps[0].abs().max() > 1e-3
    torch.testing.assert_close(steps[1], steps[0] * 0.25, rtol=1e-3, atol=1e-6)  # the head, layer 2, layer 1


@pytest.mark.parametrize("kind", KINDS)
def test_layers_computed_again_change_nothing(kind: str) -> None:
    make, train = KINDS[kind]
    whole = train(make(), SOURCES, SETTINGS).encoder
    again = train(make(), SOURCES, replace(SETTINGS, gradient_checkpointing=True)).encoder
    assert again.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize("kind", KINDS)
def test_sources_mix_as_they_are_asked_to(kind: str, tmp_path: Path) -> None:
    make, train = KINDS[kind]
    orders = {
        "round_robin": ["first", "second"] * 2,
        "curriculum": ["first"] * 3 + ["second"] * 3,  # of 24 rows an epoch 16 : 2 * 8, in steps of four
    }
    for mixing, order in orders.items():
        folder = tmp_path / mixing
        train(make(), SOURCES, replace(SETTINGS, mixing=mixing, steps=len(order)), folder=folder)
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        assert [entry["source"] for entry in map(json.loads, lines) if "loss" in entry] == order
    with pytest.raises(InputError, match="end before the last Source has its turn"):
        train(make(), SOURCES, replace(SETTINGS, mixing="curriculum", steps=2))
