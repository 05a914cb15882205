from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from cosmith.data import StsPairs
from cosmith.errors import InputError
from cosmith.evaluation import evaluate_sts

WORDS = ["red", "green", "blue", "round", "square", "big", "small", "old", "new", "warm", "cold", "fast", "slow"]


def pairs(count: int = 200) -> StsPairs:
    """Texts that share more or fewer words, scored by how many, in steps of a half (so with ties)."""
    rng = np.random.default_rng(0)
    first = [" ".join(rng.choice(WORDS, 6, replace=False)) for _ in range(count)]
    second = [" ".join(rng.choice(WORDS, 6, replace=False)) for _ in range(count)]
    shared = [len(set(a.split()) & set(b.split())) for a, b in zip(first, second, strict=True)]
    scores = np.clip(np.round(2 * (np.array(shared) + rng.normal(0, 0.7, count))) / 2, 0, 5)
    return StsPairs(first, second, scores)


def test_correlations_are_those_of_scipy(words_encoder):
    encoder, given = words_encoder(), pairs()
    scores = evaluate_sts(encoder, given, name="words", resamples=500)
    cosines = (encoder.encode(given.first) * encoder.encode(given.second)).sum(axis=1)
    assert scores.values["spearman"] == pytest.approx(scipy.stats.spearmanr(given.scores, cosines).statistic, abs=1e-6)
    assert scores.values["pearson"] == pytest.approx(scipy.stats.pearsonr(given.scores, cosines).statistic, abs=1e-6)
    assert (scores.main, scores.unit, len(scores.query_ids)) == ("spearman", "pairs", 200)
    for metric in ("spearman", "pearson"):
        assert scores.intervals[metric].low < scores.values[metric] < scores.intervals[metric].high
        assert scores.per_query[metric].mean() == pytest.approx(scores.values[metric], abs=1e-9)


def test_the_interval_is_scipys_but_for_the_draws(words_encoder):
    encoder, given = words_encoder(), pairs()
    ours = evaluate_sts(encoder, given, name="words").intervals["spearman"]
    cosines = (encoder.encode(given.first) * encoder.encode(given.second)).sum(axis=1)
    theirs = scipy.stats.bootstrap(
        (given.scores, cosines),
        lambda a, b: scipy.stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1500,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.1 * (ours.high - ours.low))
    assert ours.high == pytest.approx(theirs.high, abs=0.1 * (ours.high - ours.low))


def test_two_models_compare_by_pairs(words_encoder):
    good = evaluate_sts(words_encoder(dimension=256), pairs(), name="words", model="wide", resamples=0)
    poor = evaluate_sts(words_encoder(dimension=4), pairs(), name="words", model="narrow", resamples=0)
    comparison = good.compare(poor)
    assert comparison.difference == pytest.approx(good.value - poor.value, abs=1e-9)
    assert comparison.is_clear
    assert comparison.p_value < 0.01
    assert "pairs better" in comparison.describe()


def test_a_model_that_gives_one_vector_for_everything_scores_zero(words_encoder):
    class Collapsed(words_encoder):
        def encode(self, texts, **options):
            return np.tile(np.float32([0.6, 0.8]), (len(texts), 1))

    scores = evaluate_sts(Collapsed(), pairs(), name="words", resamples=20)
    assert scores.values == {"spearman": 0.0, "pearson": 0.0}


@pytest.mark.parametrize("given", [StsPairs(["a"], ["b"], np.array([1.0])), StsPairs(["a"] * 3, ["b"] * 3, np.ones(3))])
def test_gold_scores_that_are_all_equal_are_refused(words_encoder, given):
    with pytest.raises(InputError, match="all equal"):
        evaluate_sts(words_encoder(), given, name="words")
