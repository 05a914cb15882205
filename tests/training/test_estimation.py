"""What is said of a run before it begins is what comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from cosmith.data import Cut, Source, SourceSettings, TrainingRow
from cosmith.models import tiny_encoder
from cosmith.training import TrainingSettings, estimate
from cosmith.training.contrastive import prepare

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
    assert (said.cut_queries, said.cut_documents) == (Cut("queries", 0, 80, 64), Cut("documents", 0, 80, 64))
    assert (said.query_lengths.tolist(), said.document_lengths.tolist()) == ([5] * 80, [11] * 80)
    assert said.seconds > 0
    lines = said.describe()
    assert "20 steps (2 epochs) of 16 distinct texts and 128 tokens" in lines[0]
    assert "27 %" in "".join(lines)
    assert "none of 80 queries is longer than 64 tokens" in lines


def test_cut_texts_are_counted_a_text_not_a_row() -> None:
    long = "x y " * 100
    rows = [TrainingRow(f"{n}", (long, f"{n}"), (f"{n + 100}",)) for n in range(9)]
    said = estimate(tiny_encoder("bert"), [Source.from_rows("s", rows)], SETTINGS)
    assert said.cut_queries == Cut("queries", 0, 9, 64)
    assert said.cut_documents == Cut("documents", 1, 19, 64)
    assert "1 of 19 documents (5.3 %) is longer than 64 tokens and is cut" in said.describe()
    assert sorted(said.document_lengths)[-2:] == [5, 202]  # uncut, as if there were no maximum of 64


def test_sources_that_do_not_agree_have_no_common_limit() -> None:
    rows = [TrainingRow(f"{n}", ("x y " * 100,)) for n in range(9)]
    sources = [
        Source.from_rows("a", rows),
        Source.from_rows("b", rows, SourceSettings(max_document_length=20, batch_size=4)),
    ]
    said = estimate(tiny_encoder("bert"), sources, SETTINGS)
    assert said.cut_documents == Cut("documents", 2, 2, None)
    assert said.cut_queries.limit == 64
    assert "2 of 2 documents (100 %) are longer than their limit and are cut" in said.describe()


def test_a_batch_is_no_larger_than_its_source() -> None:
    """Else a query would meet itself in a step. The plan follows: a step is an epoch of such a Source."""
    few = Source.from_rows("few", [TrainingRow(f"q{n}", (f"answer{n}",)) for n in range(5)])
    many = Source.from_rows("many", [TrainingRow(f"r{n}", (f"reply{n}",)) for n in range(16)])
    settings = replace(SETTINGS, epochs=3)
    job = prepare(tiny_encoder("bert"), [few], settings)
    assert job.steps == 3
    for step in range(job.steps):
        assert sorted(job.plan.at(step).rows) == [0, 1, 2, 3, 4]
    both = prepare(tiny_encoder("bert"), [few, many], settings)
    assert both.plan.batch_sizes == (5, 8)
    said = estimate(tiny_encoder("bert"), [few, many], settings)
    assert said.smaller_batches == (("few", 5),)
    assert any("the source 'few' has 5 rows, fewer than a batch" in line for line in said.describe())


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
