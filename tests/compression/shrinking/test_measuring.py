"""What a smaller model is said to be and to lose."""

from __future__ import annotations

import numpy as np
import pytest

from cosmith import Collection
from cosmith.compression import drop_layers, held_out, measure_smaller
from cosmith.compression.shrinking.measuring import SAMPLE
from cosmith.evaluation.tasks import RetrievalTask
from cosmith.models import distil_static, tiny_encoder

TEXTS = [f"{a} {b} {a * 2}" for a in ("red", "tall", "slow", "warm", "odd") for b in ("tree", "boat", "idea", "hill")]


def test_figures_are_those_worked_out_by_hand() -> None:
    encoder = tiny_encoder("bert", layers=4)
    smaller = drop_layers(encoder, 2)
    static = distil_static(encoder, dimension=8)
    documents = {str(number): text for number, text in enumerate(TEXTS)}
    task = RetrievalTask("t", Collection("t", documents, {"q": "red tree", "r": "odd hill"},
                                         {"q": {"0": 1}, "r": {"19": 1}}))  # fmt: skip
    whole, two, one = measure_smaller(encoder, {"two layers": smaller, "static": static}, TEXTS, [task])
    ours, theirs = (each.encode(TEXTS, prompt="document").astype(np.float64) for each in (encoder, smaller))
    cosines = (ours * theirs).sum(1)
    assert two.mean == pytest.approx(cosines.mean(), abs=1e-6)
    assert two.first_percentile == pytest.approx(np.percentile(cosines, 1), abs=1e-6)
    kept = []
    for number in range(len(TEXTS)):
        nearest = []
        for each in (ours, theirs):
            ranked = np.argsort(-(each @ each[number]), kind="stable")
            nearest.append({int(other) for other in ranked[ranked != number][:10]})
        kept.append(len(nearest[0] & nearest[1]) / 10)
    assert two.neighbours == pytest.approx(np.mean(kept), abs=0.02)  # ties may fall either way
    assert whole.parameters == sum(value.numel() for value in encoder.module.parameters())
    assert (whole.bytes, two.bytes) == (4 * whole.parameters, 4 * two.parameters)
    assert whole.parameters > two.parameters
    assert (whole.mean, one.mean, one.dimension) == (None, None, 8)  # vectors of other lengths have no cosine
    assert one.neighbours is not None
    scores = [task.evaluate(each).value for each in (encoder, smaller)]
    assert (two.tasks[0].before, two.tasks[0].after) == pytest.approx(tuple(scores))
    assert two.tasks[0].low <= two.tasks[0].difference <= two.tasks[0].high


def test_a_model_beside_itself_loses_nothing() -> None:
    encoder = tiny_encoder("bert")
    _, same = measure_smaller(encoder, {"same": encoder.copy()}, TEXTS)
    assert same.mean == pytest.approx(1.0)
    assert same.neighbours == 1.0
    _, few = measure_smaller(encoder, {"same": encoder.copy()}, TEXTS[:5])
    assert few.neighbours is None


def test_texts_are_held_out_once_each() -> None:
    texts = [str(number % 3000) for number in range(4000)]
    learnt, held = held_out(texts, seed=3)
    assert len(held) == 150
    assert sorted(learnt + held) == sorted(set(texts))
    assert held_out(texts, seed=3) == (learnt, held) != held_out(texts, seed=4)
    nothing, general = held_out([])
    assert not nothing
    assert 100 < len(general) <= SAMPLE
    assert held_out(["one"]) == ([], ["one"])
