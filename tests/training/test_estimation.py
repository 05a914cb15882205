"""What is said of a run before it begins is what comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.models import tiny_encoder
from cosmith.training import TrainingSettings, estimate

SETTINGS = TrainingSettings(epochs=2, batch_size=8, precision="float32")


def test_counts_are_those_of_the_rows() -> None:
    """Words of three letters take five tokens, answers of nine letters eleven."""
    rows = [TrainingRow(f"q{n:02}", (f"answer{n:03}",)) for n in range(80)]
    said = estimate(tiny_encoder("bert"), [Source.from_rows("s", rows)], SETTINGS)
    assert said.steps == 20
    assert said.epochs == pytest.approx(2)
    assert said.texts_per_step == 16
    assert said.tokens_per_step == 8 * 5 + 8 * 11
    assert said.padding_share == pytest.approx(1 - (5 + 11) / 22)
    assert (said.cut_queries, said.cut_documents) == (0, 0)
    assert (said.query_lengths.tolist(), said.document_lengths.tolist()) == ([5] * 80, [11] * 80)
    assert said.seconds > 0
    lines = said.describe()
    assert "20 steps (2 epochs) of 16 distinct texts and 128 tokens" in lines[0]
    assert "27%" in "".join(lines)


def test_cut_texts_are_counted_a_text_not_a_row() -> None:
    long = "x y " * 100
    rows = [TrainingRow(f"{n}", (long, f"{n}"), (f"{n + 100}",)) for n in range(9)]
    said = estimate(tiny_encoder("bert"), [Source.from_rows("s", rows)], SETTINGS)
    assert said.cut_queries == 0
    assert said.cut_documents == pytest.approx(1 / 19)
    assert sorted(said.document_lengths)[-2:] == [5, 202]  # uncut, as if there were no maximum of 64


def test_nothing_is_left_changed(toy: Any) -> None:
    encoder = tiny_encoder("bert", dropout=0.1)
    weights = encoder.fingerprint()
    first = next(iter(encoder.module.parameters()))
    first.grad = torch.ones_like(first)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    estimate(encoder, [toy.source, toy.wide_source], SETTINGS)
    assert torch.equal(torch.rand(4), expected)
    assert encoder.fingerprint() == weights
    assert not encoder.module.training
    assert torch.equal(first.grad, torch.ones_like(first))
    assert all(parameter.grad is None for parameter in list(encoder.module.parameters())[1:])


def test_kept_graphs_follow_the_strategy(toy: Any) -> None:
    encoder = tiny_encoder("bert")
    settings = replace(SETTINGS, batch_size=32, micro_batch_tokens=64)
    direct, cached, one = (
        estimate(encoder, [toy.source], replace(settings, **changes))
        for changes in ({"strategy": "direct"}, {"strategy": "cached"}, {"graph_memory": 1})
    )
    assert direct.kept_share == 1
    assert cached.kept_share == 0
    assert 0 < one.kept_share < 0.2
    assert "computed twice" in "".join(cached.describe())
