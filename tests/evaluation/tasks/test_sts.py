from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from cosmith.data import Collection, StsPairs
from cosmith.errors import InputError
from cosmith.evaluation import Interval, bootstrap_intervals, evaluate_retrieval, evaluate_sts
from cosmith.evaluation.tasks import StsTask, SubsetsTask

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


def test_the_interval_of_several_sets_is_of_their_own_correlations_and_within_their_range(table_encoder, on_circle):
    """Few pairs, nearly in order: what each adds to the correlation would resample to more than 1."""
    encoder = table_encoder({f"{side}{n}": on_circle(20 * n * (side == "b")) for n in range(4) for side in "ab"})
    first, second = [f"a{n}" for n in range(4)], [f"b{n}" for n in range(4)]
    parts = tuple(
        StsTask(name, StsPairs(first, second, np.array(gold)))
        for name, gold in (("deu", [3.0, 2, 0, 1]), ("fra", [3.0, 1, 2, 0]))
    )
    scores = SubsetsTask("both", parts).evaluate(encoder, resamples=2_000)
    interval = scores.intervals["spearman"]
    (linear,) = bootstrap_intervals(scores.per_query["spearman"][:, None], sets=scores.sets, resamples=2_000)
    assert linear.high > 1
    assert -1 <= interval.low < scores.value < interval.high <= 1
    # The mean of two independent draws: of each set by itself, in all pairs of them.
    alone = [
        part.evaluate(encoder, resamples=1_500, seed=seed).resampled["spearman"] for seed, part in enumerate(parts)
    ]
    every = np.add.outer(*alone).reshape(-1) / 2
    assert (interval.low, interval.high) == pytest.approx(np.quantile(every, [0.025, 0.975]), abs=0.07)


def test_of_one_query_there_is_no_interval(words_encoder):
    documents = {"a": "red apples", "b": "a river"}
    lone = Collection("lone", documents, {"q": "apples"}, {"q": {"a": 1}})
    good, bad = (evaluate_retrieval(words_encoder(seed), lone, ks=(1,), model=f"m{seed}") for seed in (0, 1))
    assert good.intervals == {}
    table = good.table(bad)
    assert "1 query: no interval" in table
    compared = good.compare(bad)
    assert "(1 query: no interval)" in compared.describe()
    assert "it says nothing of how others differ" in compared.describe_detectable()
    assert not replace(compared, difference=1.0, interval=Interval(1.0, 1.0)).is_clear
