"""Laws of a step, on real encoders of both families: nothing but rows, weights and seed decides its gradient."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.data import Source
from cosmith.losses import contrastive, nested
from cosmith.models import tiny_encoder
from cosmith.training import TrainingSettings
from cosmith.training.contrastive import ContrastiveJob, prepare
from cosmith.training.step import add_gradients

BASE = TrainingSettings(steps=10, batch_size=12, precision="float32", micro_batch_tokens=60, temperature=0.1)


def gradients(job: ContrastiveJob, step: int = 0) -> tuple[float, dict[str, torch.Tensor]]:
    module = job.encoder.module.train()
    module.zero_grad()
    loss = add_gradients(job, step).loss
    return loss, {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def assert_close(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor], tolerance: float) -> None:
    """Equal up to rounding, which is measured against the largest gradient: sums are made in another order."""
    assert left.keys() == right.keys()
    largest = max(1.0, *(float(gradient.abs().max()) for gradient in right.values()))
    for name in left:
        torch.testing.assert_close(
            left[name], right[name], rtol=1e-4, atol=tolerance * largest, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_cached_and_keep_last_k_are_direct_also_with_dropout(
    family: Any, precision: Any, lanes: int, toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosmith.training.contrastive.lanes_of", lambda _: lanes)
    encoder = tiny_encoder(family, dropout=0.3)
    settings = replace(BASE, precision=precision)
    make = lambda **changes: prepare(encoder, [toy.source, toy.wide_source], replace(settings, **changes))  # noqa: E731
    direct = make(strategy="direct")
    assert len(direct.micro_batches(direct.batch(0)[1])) > 4
    for step in (0, 1):
        loss, expected = gradients(direct, step)
        for changes in ({"strategy": "cached"}, {"strategy": "keep-last-k", "keep": 2}, {"graph_memory": 300_000}):
            other, got = gradients(make(**changes), step)
            assert other == loss
            assert all(torch.equal(got[name], expected[name]) for name in expected)
    assert gradients(direct, 0)[0] != gradients(replace(direct, settings=replace(settings, seed=1)), 0)[0]


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_a_step_is_what_plain_autograd_makes_of_its_rows(family: Any, toy: Any) -> None:
    """One graph over all texts in another order, Matryoshka included."""
    encoder = tiny_encoder(family)
    job = prepare(encoder, [toy.wide_source], replace(BASE, dims=(16, 8), dim_weights=(0.5, 0.25)))
    loss, got = gradients(job)
    _, batch = job.batch(0)
    shuffled = np.random.default_rng(0).permutation(len(batch.tokens))
    encoder.module.zero_grad()
    embeddings = encoder.embed(batch.tokens.take(shuffled))[torch.as_tensor(np.argsort(shuffled))]
    spec = job.specs[0]
    assert spec.temperature == 0.1
    expected = nested(partial(contrastive, structure=batch.structure, spec=spec), (32, 16, 8), (1, 0.5, 0.25))(
        embeddings
    )
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert_close(got, {n: p.grad for n, p in encoder.module.named_parameters() if p.grad is not None}, 1e-6)


@pytest.mark.parametrize("tokens", [1, 37, 100_000])
def test_the_size_of_micro_batches_changes_nothing(tokens: int, toy: Any) -> None:
    encoder = tiny_encoder("bert")
    loss, expected = gradients(prepare(encoder, [toy.source], BASE))
    other, got = gradients(prepare(encoder, [toy.source], replace(BASE, micro_batch_tokens=tokens)))
    assert other == pytest.approx(loss, rel=1e-5)
    assert_close(got, expected, 1e-6)


def test_the_order_of_the_rows_changes_nothing(toy: Any) -> None:
    encoder = tiny_encoder("bert")
    settings = replace(BASE, batch_size=len(toy.source))
    loss, expected = gradients(prepare(encoder, [toy.source], settings))
    for seed in (1, 2):
        other, got = gradients(prepare(encoder, [toy.source], replace(settings, seed=seed)))
        assert other == pytest.approx(loss, rel=1e-5)
        assert_close(got, expected, 1e-6)


def test_a_step_takes_one_source(toy: Any) -> None:
    """Two Sources of different width, each with its own batch size, never meet."""
    job = prepare(tiny_encoder("bert", hidden=8, layers=1), [toy.source, toy.wide_source], BASE)
    seen = set()
    for step in range(12):
        source, batch = job.batch(step)
        seen.add(source)
        wide = source == 1
        assert batch.rows == (5 if wide else 12)
        assert len(batch.structure.negatives) == batch.rows * (2 if wide else 1)
        assert len(batch.structure.positives) == batch.rows * (2 if wide else 1)
    assert seen == {0, 1}


def test_without_in_batch_negatives_rows_do_not_meet(toy: Any) -> None:
    """The gradient of a batch is the mean of those of its rows."""
    encoder = tiny_encoder("bert")
    said = replace(toy.wide_source.settings, in_batch_negatives=False)
    source = replace(toy.wide_source, settings=said)
    job = prepare(encoder, [source], BASE)
    _, expected = gradients(job)
    rows = job.plan.at(0).rows
    mean: dict[str, torch.Tensor] = {}
    for row in rows:
        alone: Source = source.select([row])
        _, got = gradients(prepare(encoder, [alone], replace(BASE, batch_size=1)))
        for name, gradient in got.items():
            mean[name] = mean.get(name, torch.zeros_like(gradient)) + gradient / len(rows)
    assert_close(mean, expected, 1e-6)
