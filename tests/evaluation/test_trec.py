"""TREC's files: what trec_eval reads in them is what we read, and scores of them are its scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.evaluation import (
    Contestant,
    evaluate_run,
    judged_queries,
    read_qrels,
    read_run_on,
    read_trec_run,
    retrieval_metrics,
    score_hits,
    search_collection_bm25,
    write_qrels,
    write_trec_run,
)
from cosmith.evaluation.tasks import RetrievalTask
from cosmith.retrieval import Hits

DOCUMENTS = {f"d{n}": f"document {n} of {n % 7} things and {n % 3} others" for n in range(30)}
QUERIES = {f"q{n}": f"{n % 7} things" for n in range(12)}
RNG = np.random.default_rng(0)
RELEVANCE = {query: {f"d{n}": int(RNG.integers(-1, 4)) for n in RNG.choice(30, 6, replace=False)} for query in QUERIES}
COLLECTION = Collection("c", DOCUMENTS, QUERIES, RELEVANCE)


def written_run(path: Path, seed: int = 0) -> Path:
    """Twelve queries with ties, scores alike in float32 only, wrong ranks and lines out of order."""
    rng = np.random.default_rng(seed)
    lines = []
    for query in [*QUERIES, "unjudged"]:
        names = rng.choice(30, rng.integers(10, 30), replace=False)
        scores = rng.choice([1.0, 1.0 + 1e-9, 0.5, 0.25, -3.0], len(names))
        pairs = zip(names, scores.tolist(), strict=True)
        lines += [f"{query} Q0 d{name} {rng.integers(99)} {score!r} sys" for name, score in pairs]
    rng.shuffle(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_the_files_are_trec_evals(tmp_path: Path, seed: int) -> None:
    run = written_run(tmp_path / "a.run", seed)
    write_qrels(tmp_path / "qrels", RELEVANCE)
    with run.open() as file, (tmp_path / "qrels").open() as judged:
        relevance, theirs = pytrec_eval.parse_qrel(judged), pytrec_eval.parse_run(file)
    assert relevance == read_qrels(tmp_path / "qrels") == RELEVANCE
    names = {"ndcg_cut.10": "ndcg@10", "map_cut.10": "map@10", "recall.5": "recall@5", "P.3": "precision@3"}
    found = pytrec_eval.RelevanceEvaluator(relevance, set(names)).evaluate(theirs)
    queries, hits = read_trec_run(run)
    ours = retrieval_metrics(hits, queries, relevance, ks=(3, 5, 10))
    scores = evaluate_run(run, COLLECTION, resamples=0)
    for theirs_name, name in names.items():
        expected = {query: found[query][theirs_name.replace(".", "_")] for query in QUERIES}
        got = dict(zip(queries, ours[name].tolist(), strict=True))
        assert {query: got[query] for query in QUERIES} == pytest.approx(expected)
        assert dict(zip(scores.query_ids, scores.per_query[name].tolist(), strict=True)) == pytest.approx(
            {query: expected[query] for query in judged_queries(COLLECTION)}
        )


def test_what_was_found_survives_the_file(tmp_path: Path) -> None:
    hits = search_collection_bm25(COLLECTION, 20)
    queries = judged_queries(COLLECTION)
    write_trec_run(tmp_path / "bm25.run", hits, queries, tag="BM25 of ours")
    line = (tmp_path / "bm25.run").read_text().splitlines()[0].split()
    assert (line[0], line[1], line[3], line[5]) == ("q0", "Q0", "1", "BM25-of-ours")
    again = read_run_on(tmp_path / "bm25.run", COLLECTION)
    np.testing.assert_array_equal(np.sort(again.scores[:, :5]), np.sort(hits.scores[:, :5]))
    before, after = (score_hits(each, COLLECTION, model="m", ks=(1, 10), resamples=0) for each in (hits, again))
    assert before.to_dict() == after.to_dict()
    with (tmp_path / "bm25.run").open() as file:
        theirs = pytrec_eval.parse_run(file)
    assert {query: {name: np.float32(score) for name, score in run.items()} for query, run in theirs.items()} == {
        query: dict(zip(hits.ids[row], hits.scores[row], strict=True)) for row, query in enumerate(queries)
    }


@given(
    st.dictionaries(
        st.sampled_from(["q1", "q2", "q3"]),
        st.dictionaries(
            st.sampled_from([f"d{n}" for n in range(8)]),
            st.floats(width=32, allow_nan=False, allow_infinity=False),
            min_size=1,
        ),
        min_size=1,
    )
)
def test_any_run_comes_back(tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]]) -> None:
    path = tmp_path_factory.mktemp("run") / "a.run"
    depth = max(map(len, run.values()))
    ids = np.full((len(run), depth), "", dtype=object)
    scores = np.full((len(run), depth), -np.inf, dtype=np.float32)
    for row, found in enumerate(run.values()):
        ids[row, : len(found)], scores[row, : len(found)] = list(found), list(found.values())
    write_trec_run(path, Hits(ids, scores), list(run))
    queries, hits = read_trec_run(path)
    assert {query: dict(hits.of(row)) for row, query in enumerate(queries)} == run
    assert all((np.diff(hits.scores[row][: len(found)]) <= 0).all() for row, found in enumerate(run.values()))


def test_queries_that_a_run_leaves_out_score_nothing(tmp_path: Path) -> None:
    best = next(name for name, grade in RELEVANCE["q0"].items() if grade > 0)
    (tmp_path / "a.run").write_text(
        "".join(f"q0 Q0 {name} 0 {-n} s\n" for n, name in enumerate([best, *list("abcdefghi")]))
    )
    scores = evaluate_run(tmp_path / "a.run", COLLECTION, resamples=0)
    assert (scores.model, len(scores.query_ids)) == ("a.run", len(judged_queries(COLLECTION)))
    assert scores.values["success@1"] == pytest.approx(1 / len(scores.query_ids))


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_a_run_shallower_than_the_cut_offs_is_scored_as_it_is(tmp_path: Path, depth: int) -> None:
    rng = np.random.default_rng(depth)
    lines = [
        f"{query} Q0 d{name} 0 {rng.random()} s\n"
        for query in judged_queries(COLLECTION)
        for name in rng.choice(30, depth, replace=False)
    ]
    (tmp_path / "a.run").write_text("".join(lines))
    with (tmp_path / "a.run").open() as file:
        theirs = pytrec_eval.parse_run(file)
    names = {"ndcg_cut": "ndcg", "map_cut": "map", "recall": "recall", "P": "precision"}
    found = pytrec_eval.RelevanceEvaluator(RELEVANCE, {f"{name}.1,3,5,10,100" for name in names}).evaluate(theirs)
    scores = evaluate_run(tmp_path / "a.run", COLLECTION, resamples=0)
    by_task, hits = Contestant.run(tmp_path / "a.run").score(RetrievalTask("c", COLLECTION), resamples=0)
    assert by_task.values == scores.values
    assert hits is not None
    assert hits.depth == depth, "what is shown of a run is what it holds"
    for theirs_name, name in names.items():
        for k in (1, 3, 5, 10, 100):
            assert scores.per_query[f"{name}@{k}"].tolist() == pytest.approx(
                [found[query][f"{theirs_name}_{k}"] for query in scores.query_ids]
            )


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        ("q1 Q0 d1 1 0.5 s\n\nq1 d1 1 0.5 s", 3, "has 5 columns"),
        ("q1 Q0 d1 1 high s", 1, "'high' is not a number"),
        ("q1 Q0 d1 1 nan s", 1, "'nan' is not a number"),
        ("q1 Q0 d1 1 1e99 s", 1, "'1e99' is not a number"),
        ("q1 Q0 d1 1 2 s\nq1 Q0 d1 2 1 s", 2, "query 'q1' has the document 'd1' already"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, lines: str, line: int, problem: str) -> None:
    (tmp_path / "a.run").write_text(lines)
    with pytest.raises(InputError, match=problem) as refused:
        read_trec_run(tmp_path / "a.run")
    assert (refused.value.path, refused.value.line) == (tmp_path / "a.run", line)


def test_what_cannot_be_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blank").write_text("\n \n")
    with pytest.raises(InputError, match="blank lines only"):
        read_trec_run(tmp_path / "blank")
    (tmp_path / "other.run").write_text("q99 Q0 d1 1 1 s\n")
    with pytest.raises(InputError, match="has no query with a relevant document of 'c'"):
        evaluate_run(tmp_path / "other.run", COLLECTION)
    (tmp_path / "other.run").write_text("q1 Q0 x1 1 1 s\n")
    with pytest.raises(InputError, match="has no document of 'c'"):
        evaluate_run(tmp_path / "other.run", COLLECTION)
    with pytest.raises(InputError, match="the id 'a b' cannot stand"):
        write_qrels(tmp_path / "qrels", {"a b": {"d": 1}})
    hits = Hits(np.array([["d 1"]], dtype=object), np.ones((1, 1), np.float32))
    with pytest.raises(InputError, match="the id 'd 1' cannot stand"):
        write_trec_run(tmp_path / "a.run", hits, ["q"])
    with pytest.raises(InputError, match="2 queries, but hits for 1"):
        write_trec_run(tmp_path / "a.run", hits, ["q", "r"])
    assert not (tmp_path / "a.run").exists()
    assert not (tmp_path / "qrels").exists()
    (tmp_path / "qrels").write_text("q 0 d 1\nq 0 e high\n")
    with pytest.raises(InputError, match=r"qrels:2 \[score\]: 'high' is not a whole number"):
        read_qrels(tmp_path / "qrels")
