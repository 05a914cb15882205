from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.evaluation import Interval, Scores


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
    with pytest.raises(InputError, match=r"not evaluated on the same queries of docs \(40 and 39\)"):
        scores("tuned").compare(scores(queries=39))
    renamed = replace(scores(), query_ids=("x", *scores().query_ids[1:]))
    with pytest.raises(InputError, match="the first that differ are 'q0' and 'x'"):
        scores("tuned").compare(renamed)
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


def test_models_evaluated_on_different_queries_stand_in_one_table_without_a_difference():
    assert "over" not in scores("base").table(scores("small", queries=10))
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
