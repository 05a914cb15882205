"""Several models at once: hand-computed corrections, what is marked, and what the test set could have shown."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.evaluation import (
    Interval,
    Scores,
    bootstrap_statistic,
    compare_models,
    holm,
    macro_difference,
    minimum_detectable_difference,
    paired_difference,
    sign_flip_p_value,
)
from cosmith.evaluation.correlation import resampled_spearman, spearman_contributions

RNG = np.random.default_rng(0)
DIFFICULTY = {"docs": RNG.random(120) * 0.6, "faq": RNG.random(40) * 0.6}


def scored(model: str, task: str = "docs", gain: float = 0.0, noise: float = 0.02) -> Scores:
    values = DIFFICULTY[task] + gain + np.random.default_rng(len(model + task)).normal(0, noise, len(DIFFICULTY[task]))
    ids = tuple(f"q{number}" for number in range(len(values)))
    mean = float(values.mean())
    return Scores(task, model, "ndcg@10", {"ndcg@10": mean}, {"ndcg@10": Interval(mean - 0.05, mean + 0.05)},
                  {"ndcg@10": values}, ids)  # fmt: skip


def test_holm_by_hand():
    # statsmodels' formula: ascending 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04; running
    # maximum 0.04, 0.06, 0.06, 0.06; back in the order given.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.03, 0.03]) == pytest.approx([0.06, 0.06])
    assert holm([]) == []
    with pytest.raises(InputError, match=r"\[p_values\]"):
        holm([0.5, 1.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_holm_rejects_what_its_steps_reject(p_values, alpha):
    """The procedure as Holm gives it: from the smallest on, stop at the first above alpha / (tests left)."""
    order = np.argsort(p_values, kind="stable")
    rejected = set()
    for step, test in enumerate(order):
        if p_values[test] * (len(p_values) - step) > alpha:
            break
        rejected.add(int(test))
    adjusted = holm(p_values)
    assert {test for test, p in enumerate(adjusted) if p <= alpha} == rejected
    assert all(p >= given for p, given in zip(adjusted, p_values, strict=True))


def test_the_mean_of_one_task_is_that_task():
    ours, theirs = RNG.random(50), RNG.random(50)
    one, same = paired_difference(ours, theirs), macro_difference([ours - theirs])
    assert same.difference == pytest.approx(one.difference)
    assert same.detectable == pytest.approx(one.detectable)
    assert same.p_value == pytest.approx(one.p_value)
    assert same.interval.low == pytest.approx(one.interval.low, abs=0.02)


def test_a_mean_over_tasks_weighs_tasks_alike_and_is_scipys():
    small, large = np.array([0.3, 0.0, 0.0]), np.array([-0.9, 0.8, 0.5, -0.1, 0.4, 0.2, -0.2])
    found = macro_difference([small, large])
    assert found.difference == pytest.approx((small.mean() + large.mean()) / 2)
    # Exact permutation of the same statistic, all 2^10 flips.
    weighted = np.concatenate([small / 6, large / 14])
    theirs = scipy.stats.permutation_test((weighted,), np.sum, permutation_type="samples", n_resamples=10**4)
    assert found.p_value == pytest.approx(theirs.pvalue)
    # Its standard error by hand: independent tasks add their variances.
    error = np.sqrt(small.var(ddof=1) / 3 + large.var(ddof=1) / 7) / 2
    assert found.detectable == pytest.approx((1.959964 + 0.841621) * error, rel=1e-5)
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 * error, rel=0.3)


def test_what_a_test_set_can_show_by_hand():
    # 300 differences of +d and -d in turn have the standard deviation d * sqrt(300 / 299).
    differences = np.tile([0.1236, -0.1236], 150)
    found = paired_difference(differences, np.zeros(300), resamples=100)
    assert found.detectable == pytest.approx(2.801585 * 0.1236 * np.sqrt(300 / 299) / np.sqrt(300), rel=1e-6)
    assert found.detectable == minimum_detectable_difference(differences)
    assert found.describe_detectable() == (
        "with 300 queries, true differences of 0.020 and more show (80 % power, 5 % level)"
    )
    alike = paired_difference(differences, differences, resamples=100)
    assert alike.detectable is None
    assert "cannot be said" in alike.describe_detectable()
    assert paired_difference([1.0], [0.0]).detectable is None


def test_every_pair_on_every_task_is_tested_and_corrected_together():
    scores = [
        scored(model, task, gain) for task in DIFFICULTY for model, gain in (("base", 0), ("x", 0), ("good", 0.1))
    ]
    table = compare_models(scores)
    assert table.models == ("base", "x", "good")
    assert [(pair.task, pair.first, pair.second) for pair in table.pairs] == [
        (task, *pair)
        for task in ("docs", "faq", "macro average")
        for pair in (("base", "x"), ("base", "good"), ("x", "good"))
    ]
    assert holm([pair.comparison.p_value for pair in table.pairs]) == [pair.adjusted_p for pair in table.pairs]
    assert table.pairs[1].better == "good"
    assert table.beaten("good", "docs") == ("base", "x")
    assert table.beaten("base", "docs") == ()
    differences = scores[0].per_query["ndcg@10"] - scores[1].per_query["ndcg@10"]
    assert table.pairs[0].comparison.p_value == sign_flip_p_value(differences)
    assert table.macro["good"].value == pytest.approx((scores[2].value + scores[5].value) / 2)
    assert table.macro["good"].interval.low < table.macro["good"].value < table.macro["good"].interval.high


def test_a_correction_can_take_significance_away():
    p_values = [pair.comparison.p_value for pair in compare_models([scored("a"), scored("bb", gain=0.003)]).pairs]
    assert 0.005 < p_values[0] < 0.05, "the example must be one that is found alone and not among many"
    many = [scored("a"), scored("bb", gain=0.003), *(scored(f"c{'c' * n}") for n in range(4))]
    pair = compare_models(many).pairs[0]
    assert pair.comparison.p_value == p_values[0]
    assert not pair.significant


def test_the_table_marks_what_is_beaten_and_tells_of_every_pair():
    table = compare_models([scored("base"), scored("good", gain=0.1)])
    lines = table.table().splitlines()
    assert lines[1].split() == ["task", "a:", "base", "b:", "good"]
    row = next(line for line in lines if "docs (ndcg@10, 120 queries)" in line)
    assert row.endswith("> a")
    assert lines[-1] == "> names the models that are beaten with p ≤ 0.05 after Holm's correction over 1 comparison."
    assert not table.macro
    text = table.markdown()
    assert "- base over good on docs: -0.1" in text
    assert "after Holm p = 0.0001, significant; with 120 queries, true differences of 0.0" in text
    about = json.loads(json.dumps(table.to_dict()))
    assert about["tasks"][0]["scores"][1]["better_than"] == ["base"]
    assert about["pairs"][0]["comparison"]["interval"]["low"] < 0


def test_a_model_that_lacks_a_task_is_shown_without_a_mean():
    table = compare_models([scored("a"), scored("bb"), scored("a", "faq")])
    assert not table.macro
    assert "–" in table.table()
    assert len(table.pairs) == 1
    assert "> names" not in compare_models([scored("a")]).table()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="no scores"):
        compare_models([])
    with pytest.raises(InputError, match="'a' on 'docs' are given twice"):
        compare_models([scored("a"), scored("a")])
    with pytest.raises(InputError, match=r"\[alpha\]"):
        compare_models([scored("a")], alpha=5)
    other = Scores("docs", "b", "mrr@10", {"mrr@10": 0.5})
    with pytest.raises(InputError, match="main metric 'ndcg@10'"):
        compare_models([scored("a"), other])


def correlated(model: str, task: str, noise: float, count: int = 8) -> Scores:
    """Scores of pairs whose correlation is near 1, and few, so that what items add leaves its range."""
    rng = np.random.default_rng(count + len(task))
    gold = rng.permutation(count).astype(float)
    found = gold + noise * rng.permutation(count)
    statistic = resampled_spearman(found, gold)
    value = float(statistic(np.ones((1, count)))[0])
    return Scores(task, model, "spearman", {"spearman": value},
                  per_query={"spearman": spearman_contributions(found, gold)},
                  query_ids=tuple(map(str, range(count))), unit="pairs",
                  resampled={"spearman": bootstrap_statistic(statistic, count, resamples=500)})  # fmt: skip


@given(st.integers(4, 12), st.floats(-3, 3), st.floats(-3, 3), st.booleans())
def test_means_of_correlations_and_their_differences_stay_in_range(count, noise, other_noise, resampled):
    scores = [correlated(model, task, by, count) for task in ("x", "long")
              for model, by in (("one", noise), ("other", other_noise))]  # fmt: skip
    if not resampled:  # as they are read from files
        scores = [replace(each, resampled={}) for each in scores]
    table = compare_models(scores, resamples=500)
    for macro in table.macro.values():
        assert macro.interval is not None
        assert -1 <= macro.interval.low <= macro.interval.high <= 1
    for pair in table.pairs:
        assert -2 <= pair.comparison.interval.low <= pair.comparison.interval.high <= 2
        assert pair.comparison.detectable is None or pair.comparison.detectable <= 2


def test_a_mean_of_tasks_takes_the_resamples_that_its_tasks_have():
    # Two tasks whose resamples are the same numbers: drawn independently their mean varies less than each does.
    scores = [replace(correlated("one", task, 1.0), resampled={"spearman": np.linspace(0, 1, 500)})
              for task in ("x", "y")]  # fmt: skip
    interval = compare_models(scores, resamples=500).macro["one"].interval
    assert interval is not None
    # The mean of two uniform values is triangular: 2.5 % lie below sqrt(0.05) / 2.
    assert interval.low == pytest.approx(np.sqrt(0.05) / 2, abs=0.05)
    assert interval.high == pytest.approx(1 - np.sqrt(0.05) / 2, abs=0.05)


def test_a_difference_that_no_metric_can_have_is_not_said_to_show():
    ids, rng = ("0", "1", "2"), np.random.default_rng(0)
    one, other = (Scores("t", model, "spearman", {"spearman": value}, query_ids=ids,
                         per_query={"spearman": value + 9 * np.array([-1, 0, 1]) * sign + rng.normal(0, 0.1, 3)})
                  for model, value, sign in (("one", 0.5, 1), ("other", -0.5, -1)))  # fmt: skip
    found = one.compare(other, resamples=300)
    assert found.detectable is None
    assert (found.interval.low, found.interval.high) == (-2, 2)
    assert "no difference that the metric can have would show" in found.describe_detectable()


def test_a_set_or_a_task_of_one_item_leaves_no_interval():
    ids = tuple(map(str, range(5)))
    one = Scores("sets", "one", "f1", {"f1": 0.5}, per_query={"f1": np.array([1, 0, 1, 0, 0.5])}, query_ids=ids,
                 sets=(4, 1))  # fmt: skip
    other = replace(one, model="other", values={"f1": 0.0}, per_query={"f1": np.zeros(5)})
    found = one.compare(other, resamples=100)
    assert not found.has_interval
    assert found.to_dict()["interval"] is None
    assert "(a set of 1 query: no interval)" in found.describe()
    assert "a set of 1 query says nothing of how others differ" in found.describe_detectable()
    table = compare_models([one, other, scored("one"), scored("other", gain=0.1)], resamples=100)
    assert table.macro["one"].interval is None
    mean = table.pairs[-1].comparison
    assert not mean.has_interval
    assert "1 item of a task, or of a set in one" in mean.describe()
    assert "hardly differ" not in table.markdown()
    assert table.to_dict()["pairs"][-1]["comparison"]["interval"] is None
