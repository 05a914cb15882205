from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.evaluation import (
    bootstrap_interval,
    bootstrap_intervals,
    bootstrap_statistic,
    minimum_detectable_difference,
    paired_difference,
    sign_flip_p_value,
)
from cosmith.evaluation import resampling as resampling_module


def test_an_interval_is_scipys_but_for_the_draws():
    values = np.random.default_rng(0).beta(0.4, 0.6, size=200)
    ours = bootstrap_interval(values, resamples=20_000, level=0.9)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, confidence_level=0.9, method="percentile", rng=1
    )
    # The ends of two such intervals differ by about 1/100 of their width.
    width = ours.high - ours.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_intervals_hold_the_true_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    held = [
        interval.low <= 0.5 <= interval.high
        for interval in (bootstrap_interval(rng.random(60), resamples=500, level=0.8, seed=i) for i in range(400))
    ]
    assert 0.72 < np.mean(held) < 0.86


def test_the_block_of_draws_changes_nothing(monkeypatch):
    values = np.random.default_rng(0).random((37, 2))
    whole = bootstrap_intervals(values, resamples=300, seed=5)
    monkeypatch.setattr(resampling_module, "NUMBERS_AT_A_TIME", 100)
    # The products of another number of rows may round otherwise, on some processors.
    assert bounds(bootstrap_intervals(values, resamples=300, seed=5)) == pytest.approx(bounds(whole), abs=1e-12)
    assert bounds(bootstrap_intervals(values, resamples=300, seed=6)) != pytest.approx(bounds(whole), abs=1e-6)
    assert bounds([bootstrap_interval(values[:, 1], resamples=300, seed=5)]) == pytest.approx(bounds(whole[1:]))


def bounds(intervals):
    return [bound for each in intervals for bound in (each.low, each.high)]


def test_a_statistic_sees_each_resample_as_counts():
    seen = bootstrap_statistic(lambda counts: counts.sum(axis=1), 11, resamples=7)
    assert seen.tolist() == [11.0] * 7


def test_a_p_value_of_few_queries_is_exact():
    differences = [0.3, 0.1, -0.05, 0.2, 0.0, 0.25]
    ours = sign_flip_p_value(differences)
    theirs = scipy.stats.permutation_test(
        (np.array(differences),), np.sum, permutation_type="samples", alternative="two-sided", n_resamples=10_000
    )
    assert ours == pytest.approx(theirs.pvalue)


def test_a_p_value_of_many_queries_is_scipys_but_for_the_draws():
    differences = np.random.default_rng(1).normal(0.1, 1, size=300)
    ours = sign_flip_p_value(differences, permutations=20_000)
    theirs = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, vectorized=False, rng=2
    )
    assert ours == pytest.approx(theirs.pvalue, abs=0.02)


def test_a_p_value_is_never_zero_and_is_one_without_differences():
    assert sign_flip_p_value(np.ones(500), permutations=999) == 1 / 1000
    assert sign_flip_p_value([0.0, 0.0]) == 1.0


def test_alike_systems_are_told_apart_as_often_as_the_level_says():
    rng = np.random.default_rng(4)
    found = [sign_flip_p_value(rng.normal(size=40), permutations=500, seed=i) <= 0.1 for i in range(500)]
    assert 0.06 < np.mean(found) < 0.14


def test_a_comparison_tells_who_won_and_how_surely():
    rng = np.random.default_rng(0)
    worse = rng.random(400)
    better = worse.copy()
    better[:210] += 0.3
    better[210:300] -= 0.1
    comparison = paired_difference(better, worse, metric="ndcg@10")
    assert comparison.difference == pytest.approx((210 * 0.3 - 90 * 0.1) / 400)
    assert (comparison.wins, comparison.losses, comparison.ties) == (210, 90, 100)
    assert comparison.is_clear
    assert comparison.interval.low < comparison.difference < comparison.interval.high
    assert comparison.describe().startswith("+0.135 [0.1")
    assert comparison.describe().endswith("p = 0.0001, 210 of 400 queries better, 90 worse, 100 equal")


@settings(max_examples=30, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_turning_a_comparison_round_turns_its_signs(pairs, seed):
    first, second = np.array(pairs).T
    there = paired_difference(first, second, resamples=200, seed=seed)
    back = paired_difference(second, first, resamples=200, seed=seed)
    assert there.difference == pytest.approx(-back.difference)
    assert (there.wins, there.losses, there.ties) == (back.losses, back.wins, back.ties)
    assert there.interval.low == pytest.approx(-back.interval.high)
    assert there.p_value == pytest.approx(back.p_value)
    assert 0 < there.p_value <= 1


def test_the_smallest_difference_that_would_show_shows_with_its_power():
    rng = np.random.default_rng(5)
    spread = 0.3
    true = minimum_detectable_difference(rng.normal(0, spread, size=100_000)[:100], power=0.8)
    found = [sign_flip_p_value(rng.normal(true, spread, 100), permutations=400, seed=i) <= 0.05 for i in range(300)]
    assert 0.7 < np.mean(found) < 0.9


def test_more_power_needs_a_larger_difference():
    values = np.random.default_rng(0).normal(size=50)
    assert minimum_detectable_difference(values, power=0.95) > minimum_detectable_difference(values, power=0.5)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="3 and 2 values cannot be paired"):
        paired_difference([1, 2, 3], [1, 2])
    with pytest.raises(InputError, match="one or more values"):
        bootstrap_interval([])
    with pytest.raises(InputError, match="not finite"):
        bootstrap_interval([1.0, float("nan")])
    with pytest.raises(InputError, match=r"\[level\]"):
        bootstrap_interval([1.0], level=95)
    with pytest.raises(InputError, match=r"\[resamples\]"):
        bootstrap_interval([1.0], resamples=0)
    with pytest.raises(InputError, match="two queries"):
        minimum_detectable_difference([0.1])
    with pytest.raises(InputError, match=r"\[power\]"):
        minimum_detectable_difference([0.1, 0.2], power=80)
