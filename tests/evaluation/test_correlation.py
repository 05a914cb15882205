from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.evaluation.correlation import (
    pearson_contributions,
    resampled_pearson,
    resampled_spearman,
    spearman_contributions,
)

METRICS = {
    "pearson": (resampled_pearson, pearson_contributions, scipy.stats.pearsonr),
    "spearman": (resampled_spearman, spearman_contributions, scipy.stats.spearmanr),
}


def related(rng: np.random.Generator, count: int, grain: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    first = rng.normal(size=count)
    second = np.exp(0.8 * first + rng.normal(size=count))
    return (np.round(first / grain) * grain, np.round(second)) if grain else (first, second)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(3, 40), grain=st.sampled_from([0.0, 0.5]))
def test_drawn_resamples_have_scipys_correlation(metric, seed, count, grain):
    resampled, _, theirs = METRICS[metric]
    rng = np.random.default_rng(seed)
    first, second = related(rng, count, grain)
    counts = np.stack([np.ones(count), *(np.bincount(rng.integers(0, count, count), minlength=count) for _ in "ab")])
    ours = resampled(first, second)(counts.astype(np.float64))
    for drawn, value in zip(counts, ours, strict=True):
        repeated = np.repeat(np.arange(count), drawn.astype(int))
        a, b = first[repeated], second[repeated]
        expected = 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else theirs(a, b).statistic
        assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("grain", [0.0, 0.5])
def test_contributions_have_the_correlation_as_mean_and_its_standard_error_as_spread(metric, grain):
    resampled, contributions, theirs = METRICS[metric]
    rng = np.random.default_rng(7)
    count = 400
    first, second = related(rng, count, grain)
    values = contributions(first, second)
    assert values.mean() == pytest.approx(theirs(first, second).statistic, abs=1e-9)
    counts = np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(4000)])
    spread = resampled(first, second)(counts.astype(np.float64)).std()
    assert values.std() / np.sqrt(count) == pytest.approx(spread, rel=0.07)


@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_side_correlates_with_nothing(metric):
    resampled, contributions, _ = METRICS[metric]
    constant, other = np.full(5, 0.3), np.arange(5.0)
    assert resampled(constant, other)(np.ones((1, 5))).tolist() == [0.0]
    assert contributions(other, constant).tolist() == [0.0] * 5
