from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.evaluation import Interval, Scores, bootstrap_intervals, compare_models


def scores(model: str = "base", shift: float = 0.0, queries: int = 40, task: str = "docs") -> Scores:
    rng = np.random.default_rng(0)
    per_query = {"ndcg@10": rng.random(queries) * 0.5 + shift, "recall@1": (rng.random(queries) > 0.5).astype(float)}
    return Scores(
        task=task,
        model=model,
        main="ndcg@10",
        values={metric: float(values.mean()) for metric, values in per_query.items()} | {"map@100": 0.25},
        intervals={"ndcg@10": Interval(0.2, 0.3), "recall@1": Interval(0.4, 0.6)},
        per_query=per_query,
        query_ids=tuple(f"q{i}" for i in range(queries)),
    )


def test_the_better_model_is_above_zero():
    comparison = scores("tuned", shift=0.1).compare(scores("base"))
    assert comparison.metric == "ndcg@10"
    assert comparison.difference == pytest.approx(0.1)
    assert comparison.wins == 40
    assert scores("base").compare(scores("tuned", shift=0.1)).difference == pytest.approx(-0.1)


def test_another_metric_may_be_compared():
    comparison = scores("tuned", shift=0.1).compare(scores("base"), metric="recall@1")
    assert (comparison.difference, comparison.ties, comparison.p_value) == (0.0, 40, 1.0)


def test_scores_on_another_task_or_other_queries_are_refused():
    with pytest.raises(InputError, match="tuned was evaluated on 'docs', base on 'news'"):
        scores("tuned").compare(scores(task="news"))
    renamed = replace(scores(), query_ids=tuple(f"x{number}" for number in range(40)))
    with pytest.raises(
        InputError, match=r"not evaluated on any common queries of docs \(40 and 40, e.g. 'q0' and 'x0'"
    ):
        scores("tuned").compare(renamed)
    with pytest.raises(InputError, match="0 and 2 sets of docs"):
        scores("tuned").compare(replace(scores(), sets=(10, 30)))
    with pytest.raises(InputError, match=r"no values by query for 'ndcg@1'.*Did you mean 'ndcg@10'"):
        scores("tuned").compare(scores(), metric="ndcg@1")


def test_scores_that_contradict_themselves_are_refused():
    with pytest.raises(InputError, match=r"'ndcg@5' has no value.*Did you mean 'ndcg@10'"):
        replace(scores(), main="ndcg@5")
    with pytest.raises(InputError, match="for 2 queries"):
        replace(scores(), query_ids=("a", "b"))


def test_a_table_shows_models_beside_each_other_and_the_difference():
    table = scores("base").table(scores("tuned", shift=0.1))
    lines = table.splitlines()
    assert lines[0] == "docs, 40 queries"
    assert lines[1].split() == ["metric", "base", "tuned"]
    row = next(line for line in lines if line.split()[:1] == ["ndcg@10"])
    assert "[0.200, 0.300]" in row
    assert "map@100" not in table  # no interval: not for a report
    assert lines[-1].startswith("tuned over base, ndcg@10: +0.100 [0.100, 0.100], p = 0.0001, 40 of 40 queries better")


def test_a_name_in_square_brackets_is_shown_as_it_is():
    assert "base [red]" in scores("base [red]").table()


def test_markdown_has_the_same_rows():
    text = scores("a|b").markdown(scores("tuned", shift=0.1))
    assert "| metric | a\\|b | tuned |" in text
    assert "| --- | ---: | ---: |" in text
    assert "- tuned over a|b, ndcg@10: +0.100" in text


def test_models_evaluated_on_different_queries_are_compared_on_those_that_both_have():
    few = scores("small", shift=0.1, queries=10)
    comparison = few.compare(scores("base"))
    assert (comparison.count, comparison.wins, comparison.left_out) == (10, 10, 30)
    assert comparison.difference == pytest.approx(0.1)
    table = scores("base").table(few)
    assert "10 to 40 queries" in table
    assert "30 that only one has a score for left out" in " ".join(table.split())


def test_sets_count_alike_and_their_gap_is_no_chance():
    # One set all 1, one all 0, of very different sizes: whatever is drawn within each, the mean of the means is 0.5.
    values = np.concatenate([np.ones(300), np.zeros(10)])
    (interval,) = bootstrap_intervals(values[:, None], sets=(300, 10), resamples=200)
    assert (interval.low, interval.high) == (0.5, 0.5)
    ids = tuple(map(str, range(310)))
    one = Scores("both", "one", "f1", {"f1": 0.5}, per_query={"f1": values}, query_ids=ids, sets=(300, 10))
    other = replace(one, model="other", values={"f1": 0.0}, per_query={"f1": np.zeros(310)})
    found = one.compare(other, resamples=200)
    assert (found.difference, found.interval.low, found.interval.high) == (0.5, 0.5, 0.5)
    assert (found.wins, found.ties) == (300, 10)
    assert Scores.from_dict(one.to_dict()).sets == (300, 10)
    # Of a mean over tasks the second task is this one alone: (0.5 + 1) / 2, not (1 + 0 + 1) / 3.
    more = Scores("more", "one", "f1", {"f1": 1.0}, per_query={"f1": np.ones(5)}, query_ids=ids[:5])
    less = replace(more, model="other", values={"f1": 0.0}, per_query={"f1": np.zeros(5)})
    table = compare_models([one, other, more, less], resamples=200)
    assert table.macro["one"].interval.low == pytest.approx(0.75)
    assert table.pairs[-1].comparison.difference == pytest.approx(0.75)


def test_what_was_asked_is_told_with_its_coverage():
    of_words = replace(scores(), values={**scores().values, "coverage": 0.8}, unit="pairs")
    assert "docs, 40 of 50 pairs" in of_words.table()
    assert "docs, 1 query" in scores(queries=1).table()
    with pytest.raises(InputError, match="news"):
        scores("base").table(scores(task="news"))


def test_scores_survive_json(tmp_path):
    before = scores("tuned", shift=0.1 / 3)
    before.to_json(tmp_path / "scores.json")
    after = Scores.from_json(tmp_path / "scores.json")
    assert after.to_dict() == before.to_dict()
    assert after.compare(before).ties == 40
    assert after.intervals["ndcg@10"] == Interval(0.2, 0.3)
    assert after.query_ids == before.query_ids
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def changed(**parts: object) -> str:
    """What a file would hold of scores, with other parts."""
    return json.dumps(scores().to_dict() | parts)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "not scores"),
        ('{"format": 7}', "format 7"),
        ("{}", "not scores"),
        (json.dumps(scores().to_dict() | {"values": {"ndcg@10": None}}), "not scores"),
        (json.dumps(scores().to_dict() | {"values": {"ndcg@10": float("nan")}}), "not finite"),
        (json.dumps(scores().to_dict() | {"query_ids": ["q"]}), "for 1 queries"),
        (changed(query_ids=["q0"] * 2 + [f"q{i}" for i in range(2, 40)]), r"\[query_ids\]: 'q0' is named twice"),
        (changed(values={"ndcg@10": float("inf")}), r"\[values.ndcg@10\]: is not finite"),
        (changed(values={"ndcg@10": 0.9}), r"\[values.ndcg@10\]: is 0.9, but the mean of its values by query is 0.2"),
        (
            changed(per_query={"ndcg@10": [0.5, float("nan")] * 20}),
            r"\[per_query.ndcg@10\]: ndcg@10 of 'q1' is not fin",
        ),
        (changed(intervals={"ndcg@10": {"low": float("nan"), "high": 1}}), r"\[intervals.ndcg@10\]: is no interval"),
        (changed(intervals={"ndcg@10": {"low": 0.5, "high": 0.4}}), r"\[intervals.ndcg@10\]: is no interval"),
        (changed(intervals={"ndcg@10": {"low": 0, "high": 1, "level": 95}}), r"\[intervals.ndcg@10\]: is no interval"),
        (changed(intervals={"ndcg@10": {"low": "0", "high": 1}}), "not scores"),
    ],
)
def test_a_file_that_does_not_hold_scores_is_refused_by_name(tmp_path, text, problem):
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as refused:
        Scores.from_json(path)
    assert str(path) in str(refused.value)
    with pytest.raises(InputError, match="no such file"):
        Scores.from_json(tmp_path / "absent.json")
