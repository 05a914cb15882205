"""What a run is watched for: the figures are right, and watching changes nothing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings, train, train_with_result
from cosmith.training.contrastive import prepare
from cosmith.training.health import Before, layer_groups, read_history, read_snapshots
from cosmith.training.step import add_gradients

SETTINGS = TrainingSettings(steps=8, batch_size=8, learning_rate=1e-3, temperature=0.1, watch_every=4)
SOURCE = Source.from_rows("asked", [TrainingRow(f"ask {n}", (f"the answer is {n * 7}",)) for n in range(40)])


def weights(encoder: Encoder) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in encoder.module.parameters()])


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_layers_from_input_to_output(family: str) -> None:
    groups = layer_groups(tiny_encoder(family, layers=2).module)
    assert list(groups)[:3] == ["embeddings", "layer-00", "layer-01"]
    trained = sum(p.numel() for p in tiny_encoder(family, layers=2).module.parameters() if p.requires_grad)
    assert sum(p.numel() for some in groups.values() for p in some) == trained


def test_the_figures_of_an_update() -> None:
    layer = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
    layer.weight.grad = torch.tensor([[6.0, 8.0]])
    before = Before.of(layer_groups(layer))
    with torch.no_grad():
        layer.weight.sub_(0.1 * layer.weight.grad)
    figures = before.figures()
    assert figures == {"gradient_norm/head": pytest.approx(10.0), "update_ratio/head": pytest.approx(1.0 / 5.0)}


def test_the_norms_by_layer_make_up_the_whole(tmp_path: Path) -> None:
    train(tiny_encoder("bert"), [SOURCE], SETTINGS, folder=tmp_path)
    history = read_history(tmp_path)
    assert [entry["step"] for entry in history.watched] == [1, 5]
    for entry in history.watched:
        parts = [value for name, value in entry.items() if name.startswith("gradient_norm/")]
        assert math.hypot(*parts) == pytest.approx(entry["gradient_norm"], rel=1e-4)
        assert sum(entry["scores/positive_scores"]) == 8
        assert entry["scores/candidates"] == 7


def test_watching_changes_nothing(tmp_path: Path) -> None:
    watched = train(tiny_encoder("bert"), [SOURCE], SETTINGS, folder=tmp_path / "a")
    unseen = train(tiny_encoder("bert"), [SOURCE], replace(SETTINGS, watch_every=None), folder=tmp_path / "b")
    assert torch.equal(weights(watched), weights(unseen))
    assert not read_history(tmp_path / "b").watched


def test_the_look_is_at_the_embeddings_of_the_step() -> None:
    encoder = tiny_encoder("bert")
    job = prepare(encoder, [SOURCE], SETTINGS)
    encoder.module.eval()  # without dropout a plain encoding gives the same vectors
    figures = add_gradients(job, 0, look=True).figures
    rows = [SOURCE.row(int(number)) for number in job.plan.at(0).rows]
    queries = encoder.encode([row.query for row in rows], prompt="query")
    positives = encoder.encode([row.positives[0] for row in rows], prompt="document")
    assert figures["embeddings/alignment"] == pytest.approx(np.square(queries - positives).sum(1).mean(), rel=0.05)


def test_snapshots_of_a_probe(tmp_path: Path) -> None:
    tuned = train(tiny_encoder("bert"), [SOURCE], replace(SETTINGS, steps=275), folder=tmp_path)
    steps, vectors = read_snapshots(tmp_path)
    assert steps == [*range(0, 276, 28), 275]
    texts = json.loads((tmp_path / "probe" / "texts.json").read_text())
    assert vectors.shape == (11, len(texts), tuned.dimension)
    last = tuned.encode([each["text"] for each in texts if each["role"] == "query"], prompt="query")
    mine = [number for number, each in enumerate(texts) if each["role"] == "query"]
    np.testing.assert_allclose(vectors[-1][mine], last, atol=2e-2)
    assert not np.allclose(vectors[0], vectors[-1], atol=2e-3)


def test_a_run_that_ends_early_has_a_last_snapshot(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=25, evaluate_every=4, patience=3, keep_best=False, interpolate=False)
    result = train_with_result(tiny_encoder("bert"), [SOURCE], settings, folder=tmp_path, dev=lambda encoder: 0.5)
    steps, _ = read_snapshots(tmp_path)
    assert result.stopped_early
    assert steps == [0, result.steps]
