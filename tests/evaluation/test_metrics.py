from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.evaluation import retrieval_metrics
from cosmith.retrieval import Hits

KS = (1, 3, 5, 10, 100)


def hits_of(runs: dict[str, dict[str, float]]) -> Hits:
    """A run as hits, best first by score only: equal scores stay as they come."""
    depth = max((len(run) for run in runs.values()), default=0)
    ids = np.full((len(runs), depth), "", dtype=object)
    scores = np.full((len(runs), depth), -np.inf, dtype=np.float32)
    for row, run in enumerate(runs.values()):
        for rank, (name, score) in enumerate(sorted(run.items(), key=lambda pair: -pair[1])):
            ids[row, rank], scores[row, rank] = name, score
    return Hits(ids, scores)


def by_trec_eval(runs, relevance, ks=KS) -> dict[str, dict[str, float]]:
    """Ours → query → value, by pytrec_eval; its reciprocal rank has no cut-off, so runs are cut before."""
    cuts = ",".join(map(str, ks))
    names = {"ndcg": "ndcg_cut", "recall": "recall", "map": "map_cut", "precision": "P", "success": "success"}
    evaluator = pytrec_eval.RelevanceEvaluator(relevance, {f"{name}.{cuts}" for name in names.values()})
    found = evaluator.evaluate(runs)
    result = {
        f"{ours}@{k}": {query: found[query][f"{theirs}_{k}"] for query in runs}
        for ours, theirs in names.items()
        for k in ks
    }
    for k in ks:
        cut = {
            query: dict(sorted(run.items(), key=lambda pair: (np.float32(pair[1]), pair[0]), reverse=True)[:k])
            for query, run in runs.items()
        }
        ranks = pytrec_eval.RelevanceEvaluator(relevance, {"recip_rank"}).evaluate(cut)
        result[f"mrr@{k}"] = {query: ranks[query]["recip_rank"] for query in runs}
    return result


def assert_equal_to_trec_eval(runs, relevance) -> None:
    ours = retrieval_metrics(hits_of(runs), list(runs), relevance, ks=KS)
    theirs = by_trec_eval(runs, relevance)
    assert ours.keys() == theirs.keys()
    for metric, values in ours.items():
        np.testing.assert_allclose(values, [theirs[metric][query] for query in runs], atol=1e-6, err_msg=metric)


def random_case(rng: np.random.Generator, queries: int) -> tuple[dict, dict]:
    """Runs with many ties, scores that differ only beyond float32, gaps, unjudged and graded documents."""
    runs, relevance = {}, {}
    for number in range(queries):
        size = int(rng.integers(1, 60))
        names = [f"d{i}" for i in rng.choice(120, size=size, replace=False)]
        levels = rng.integers(1, 30)
        scores = rng.integers(-levels, levels, size) / levels + rng.choice([0, 1e-9, 1e-3], size)
        runs[f"q{number}"] = dict(zip(names, map(float, scores), strict=True))
        judged = rng.choice(130, size=int(rng.integers(1, 40)), replace=False)
        grades = rng.choice([-1, 0, 1, 1, 2, 3], size=len(judged))
        relevance[f"q{number}"] = {f"d{i}": int(grade) for i, grade in zip(judged, grades, strict=True)}
    return runs, relevance


def test_a_thousand_random_runs_are_scored_as_by_trec_eval():
    runs, relevance = random_case(np.random.default_rng(0), 1000)
    assert_equal_to_trec_eval(runs, relevance)


@settings(max_examples=50, deadline=None)
@given(
    run=st.dictionaries(st.text("ab12é", min_size=1, max_size=3), st.integers(0, 3), min_size=1, max_size=12),
    grades=st.dictionaries(st.text("ab12é", min_size=1, max_size=3), st.integers(-1, 3), min_size=1, max_size=8),
)
def test_ties_between_any_ids_are_broken_as_by_trec_eval(run, grades):
    assert_equal_to_trec_eval({"q": {name: float(score) for name, score in run.items()}}, {"q": grades})


def test_values_by_hand():
    hits = hits_of({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    values = retrieval_metrics(hits, ["q"], {"q": {"b": 2, "c": 1, "z": 1, "a": -5}}, ks=(2, 3))
    ideal = 2 + 1 / math.log2(3)
    assert values["ndcg@2"][0] == pytest.approx((2 / math.log2(3)) / ideal)
    assert values["ndcg@3"][0] == pytest.approx((2 / math.log2(3) + 1 / 2) / (ideal + 1 / 2))
    assert values["recall@2"][0] == pytest.approx(1 / 3)
    assert values["precision@2"][0] == pytest.approx(1 / 2)
    assert values["mrr@2"][0] == pytest.approx(1 / 2)
    assert values["map@3"][0] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert values["success@2"][0] == 1


def test_equal_scores_are_ordered_by_id_whatever_the_searcher_says():
    for order in (["b", "a"], ["a", "b"]):
        hits = Hits(np.array([order], dtype=object), np.array([[1.0, 1.0]], dtype=np.float32))
        values = retrieval_metrics(hits, ["q"], {"q": {"b": 1}}, ks=(1,))
        assert values["precision@1"][0] == 1


def test_a_query_without_hits_or_without_judgements_scores_zero():
    hits = Hits(np.array([["", ""], ["a", ""]], dtype=object), np.array([[-np.inf] * 2, [1, -np.inf]], np.float32))
    values = retrieval_metrics(hits, ["q1", "q2"], {"q1": {"a": 1}}, ks=(1, 5))
    assert all(not row.any() for row in values.values())


def test_no_hits_at_all():
    hits = Hits(np.empty((1, 0), dtype=object), np.empty((1, 0), dtype=np.float32))
    assert all(row.tolist() == [0.0] for row in retrieval_metrics(hits, ["q"], {"q": {"a": 1}}, ks=(1,)).values())


def test_what_cannot_be_scored_is_refused():
    hits = hits_of({"q": {"a": 1.0}})
    with pytest.raises(InputError, match="there are 2 queries, but hits for 1"):
        retrieval_metrics(hits, ["q", "r"], {}, ks=(1,))
    with pytest.raises(InputError, match="at least 1"):
        retrieval_metrics(hits, ["q"], {}, ks=(0,))
    twice = Hits(np.array([["a", "a"]], dtype=object), np.array([[2.0, 1.0]], dtype=np.float32))
    with pytest.raises(InputError, match="'q' has the document 'a' twice"):
        retrieval_metrics(twice, ["q"], {}, ks=(1,))
    with pytest.raises(InputError, match="named twice"):
        retrieval_metrics(hits_of({"q": {"a": 1.0}, "r": {"a": 1.0}}), ["q", "q"], {}, ks=(1,))
