"""Each contribution is the metric plus n times its derivative by the item's weight: so says a small step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from cosmith.evaluation.contributions import (
    average_precision_contributions,
    bounded_mean,
    class_f1_contributions,
    f1_contributions,
    ratio_contributions,
    resampled_average_precision,
    resampled_f1,
    v_measure_contributions,
)
from cosmith.evaluation.resampling import bootstrap_statistic

STEP = 1e-6


def by_steps(metric, count: int) -> np.ndarray:
    """The metric plus n times its derivative, by weighing each item a little more and a little less."""
    whole = metric(np.ones(count))
    derivative = []
    for item in range(count):
        up, down = np.ones(count), np.ones(count)
        up[item], down[item] = 1 + STEP, 1 - STEP
        derivative.append((metric(up) - metric(down)) / (2 * STEP))
    return whole + count * np.array(derivative)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=12))
def test_average_precision_with_ties(rows):
    scores, relevant = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])
    if relevant.any():
        added = average_precision_contributions(scores, relevant)
        assert added.mean() == pytest.approx(average_precision_score(relevant, scores), abs=1e-12)
        theirs = by_steps(lambda w: average_precision_score(relevant, scores, sample_weight=w), len(rows))
        np.testing.assert_allclose(added, theirs, atol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_average_precision_and_f1_of_a_resample_are_those_of_the_drawn_items(rows):
    scores, relevant, drawn = (np.array(part) for part in zip(*rows, strict=True))
    scores, said = scores.astype(float), scores > 2
    counts = drawn[None].astype(float)
    taken = np.repeat(np.arange(len(rows)), drawn)
    found = resampled_average_precision(scores, relevant)(counts)
    expected = average_precision_score(relevant[taken], scores[taken]) if relevant[taken].any() else 0
    assert found == pytest.approx([expected])
    expected = f1_score(relevant[taken], said[taken], zero_division=0) if len(taken) else 0
    assert resampled_f1(relevant, said)(counts) == pytest.approx([expected])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=6), st.integers(0, 99))
def test_intervals_of_few_items_stay_within_the_range_of_the_metric(rows, seed):
    scores, relevant = (np.array(part) for part in zip(*rows, strict=True))
    for statistic in (
        resampled_average_precision(scores, relevant), resampled_f1(relevant, scores > 0.5),
        bounded_mean(average_precision_contributions(scores, relevant)),
    ):  # fmt: skip
        values = bootstrap_statistic(statistic, len(rows), resamples=50, seed=seed)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()


def test_average_precision_without_anything_relevant_is_zero():
    assert average_precision_contributions(np.arange(3.0), np.zeros(3, bool)).tolist() == [0, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_f1_of_classes(rows):
    true, predicted = np.array(rows).T
    present = np.unique(rows)
    weights = np.zeros(4)
    weights[present] = 1 / len(present)
    added = class_f1_contributions(true, predicted, weights)
    theirs = by_steps(
        lambda w: f1_score(true, predicted, average="macro", labels=present, sample_weight=w, zero_division=0),
        len(rows),
    )
    np.testing.assert_allclose(added, theirs, atol=1e-6)
    alike, said = true > 1, predicted > 1
    if alike.any() or said.any():
        theirs = by_steps(lambda w: f1_score(alike, said, sample_weight=w, zero_division=0), len(rows))
        np.testing.assert_allclose(f1_contributions(alike, said), theirs, atol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=12))
def test_v_measure(rows):
    labels, clusters = np.array(rows).T

    def entropy(names: np.ndarray, weights: np.ndarray) -> float:
        shares = np.bincount(np.unique(names, return_inverse=True)[1], weights) / weights.sum()
        return float(-(shares * np.log(shares)).sum())

    def v_measure(weights: np.ndarray) -> float:
        of_labels, of_clusters = entropy(labels, weights), entropy(clusters, weights)
        whole = of_labels + of_clusters
        return 2 * (whole - entropy(labels * 10 + clusters, weights)) / whole if whole > 0 else 0.0

    np.testing.assert_allclose(v_measure_contributions(labels, clusters), by_steps(v_measure, len(rows)), atol=1e-5)


def test_a_ratio_of_nothing_is_zero():
    assert ratio_contributions(np.zeros(2), np.zeros(2)).tolist() == [0, 0]
