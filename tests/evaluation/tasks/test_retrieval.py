from __future__ import annotations

import numpy as np
import pytest

from cosmith.data import Collection
from cosmith.data.chunking import Chunking, chunk_texts
from cosmith.errors import InputError
from cosmith.evaluation import (
    evaluate_bm25,
    evaluate_retrieval,
    judged_queries,
    largest_changes,
    score_hits,
    search_collection,
    search_collection_bm25,
)
from cosmith.evaluation.metrics import RETRIEVAL_METRICS
from cosmith.evaluation.tasks import RetrievalTask
from cosmith.retrieval import Bm25, Hits

COLLECTION = Collection(
    "tiny",
    documents={
        "d1": "apples grow on trees",
        "d2": "the train leaves at noon",
        "d3": "bread is baked from flour",
        "q4": "an entry whose id equals that of a query",
    },
    queries={
        "q1": "where do apples grow",
        "q2": "nothing is relevant to this",
        "q3": "train at noon",
        "q4": "an entry",
    },
    relevance={"q1": {"d1": 1, "d3": 0}, "q3": {"d2": 2, "d3": 1}, "q4": {"q4": 1}, "q2": {"d1": 0}},
)


def hits(*rows: list[str]) -> Hits:
    depth = max(map(len, rows))
    ids = np.array([row + [""] * (depth - len(row)) for row in rows], dtype=object).reshape(len(rows), depth)
    scores = np.where(ids != "", np.arange(depth, 0, -1.0), -np.inf).astype(np.float32)
    return Hits(ids, scores)


def test_an_encoder_is_scored_on_the_queries_that_have_an_answer(words_encoder):
    scores = evaluate_retrieval(words_encoder(), COLLECTION, model="words", resamples=500)
    assert scores.query_ids == judged_queries(COLLECTION) == ("q1", "q3", "q4")
    assert (scores.task, scores.model, scores.main) == ("tiny", "words", "ndcg@10")
    assert scores.values["recall@1"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert scores.values["success@1"] == 1.0
    assert scores.value == pytest.approx(scores.per_query["ndcg@10"].mean())
    assert set(scores.intervals) == {
        "ndcg@10", "recall@1", "recall@10", "recall@100", "mrr@10", "map@100", "precision@10",
    }  # fmt: skip
    assert scores.intervals["recall@1"].low < scores.values["recall@1"] < scores.intervals["recall@1"].high


def test_queries_and_documents_are_encoded_once_with_their_prompts(words_encoder):
    encoder = words_encoder()
    evaluate_retrieval(encoder, COLLECTION, resamples=0)
    by_prompt = {prompt: texts for texts, prompt in encoder.calls}
    assert len(encoder.calls) == 2
    assert sorted(by_prompt["document"]) == sorted(COLLECTION.documents.values())
    assert by_prompt["query"] == tuple(COLLECTION.queries[query] for query in judged_queries(COLLECTION))


def test_searching_and_scoring_apart_is_the_same(words_encoder):
    encoder = words_encoder()
    apart = score_hits(search_collection(encoder, COLLECTION, 100), COLLECTION, model="words", resamples=50)
    assert apart.to_dict() == evaluate_retrieval(encoder, COLLECTION, model="words", resamples=50).to_dict()


def test_without_resamples_there_are_no_intervals(words_encoder):
    assert evaluate_retrieval(words_encoder(), COLLECTION, resamples=0).intervals == {}


def test_fewer_numbers_of_a_vector_may_be_compared(words_encoder):
    full, cut = (search_collection(words_encoder(), COLLECTION, dim=dim) for dim in (None, 4))
    assert full.scores.tolist() != cut.scores.tolist()


def test_other_cut_offs_and_another_main_metric(words_encoder):
    scores = evaluate_retrieval(words_encoder(), COLLECTION, ks=(2,), main="mrr@3", resamples=50)
    assert scores.main == "mrr@3"
    assert {metric.split("@")[1] for metric in scores.values} == {"2", "3"}
    assert set(scores.intervals) == {"mrr@3"}
    with pytest.raises(InputError, match=r"'mr@3' is not a metric of retrieval.*Did you mean 'mrr@3'"):
        evaluate_retrieval(words_encoder(), COLLECTION, main="mr@3")
    with pytest.raises(InputError, match="at a cut-off"):
        evaluate_retrieval(words_encoder(), COLLECTION, main="ndcg")
    with pytest.raises(InputError, match="at least 1"):
        evaluate_retrieval(words_encoder(), COLLECTION, ks=(0, 5))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"main": "bogus"}, r"\[main\]: 'bogus' is not a metric at a cut-off.*there are ndcg, recall, mrr"),
        ({"main": "ndcg"}, r"\[main\]: 'ndcg' is not a metric at a cut-off of 1 or more"),
        ({"main": "ndcg@0"}, r"\[main\]: 'ndcg@0' is not a metric at a cut-off of 1 or more"),
        ({"main": "ndcg@010"}, r"\[main\]: 'ndcg@010' is not a metric at a cut-off of 1 or more"),
        ({"main": "foo@10"}, r"\[main\]: 'foo@10' is not a metric of retrieval"),
        ({"ks": (0, 5)}, r"\[ks\]: a cut-off must be at least 1, got 0"),
    ],
)
def test_metrics_that_there_are_not_are_refused_with_the_task(settings, told):
    with pytest.raises(InputError, match=told):
        RetrievalTask("tiny", COLLECTION, **settings)


def test_every_known_metric_can_be_the_main_one(words_encoder):
    for metric in RETRIEVAL_METRICS:
        scores = RetrievalTask("tiny", COLLECTION, main=f"{metric}@2", ks=()).evaluate(words_encoder(), resamples=0)
        assert sorted(scores.values) == sorted(f"{each}@2" for each in RETRIEVAL_METRICS)


def test_words_alone_are_scored_alike():
    scores = evaluate_bm25(COLLECTION, resamples=50)
    assert scores.model == "BM25"
    assert scores.values["success@1"] == 1.0
    assert scores.query_ids == judged_queries(COLLECTION)


def test_a_query_that_was_not_searched_counts_as_zero_and_one_without_answer_not_at_all():
    scores = score_hits(
        hits(["d1", "d2", "d3", "q4"], ["d1"]), COLLECTION, model="m", query_ids=["q1", "q2"], resamples=0
    )
    assert scores.query_ids == ("q1", "q3", "q4")
    assert scores.per_query["success@1"].tolist() == [1.0, 0.0, 0.0]


def test_rows_may_come_in_another_order():
    given = score_hits(
        hits(["q4"], ["d2", "d3"], ["d1"], ["d1", "d2", "d3", "q4"]),
        COLLECTION,
        model="m",
        query_ids=["q4", "q3", "q1", "q2"],
        resamples=0,
    )
    assert given.values["ndcg@10"] == pytest.approx(1.0)


def test_hits_that_cannot_be_scored_are_refused():
    with pytest.raises(InputError, match="there are 3 queries, but hits for 2"):
        score_hits(hits(["d1"], ["d2"]), COLLECTION, model="m")
    with pytest.raises(InputError, match=r"1 deep, too shallow for a cut-off of 100.*k=100"):
        score_hits(hits(["d1"], ["d2"], ["q4"]), COLLECTION, model="m")
    with pytest.raises(InputError, match="'q9' is no query of 'tiny'"):
        score_hits(hits(["d1"]), COLLECTION, model="m", query_ids=["q9"])
    with pytest.raises(InputError, match="named twice"):
        score_hits(hits(["d1"], ["d1"]), COLLECTION, model="m", query_ids=["q1", "q1"])


def test_the_queries_that_changed_most_are_shown_with_their_texts():
    before = hits(["d1", "d2", "d3", "q4"], ["d3", "d1", "d2"], ["d1", "q4"])
    after = hits(["d2", "d3", "d1", "q4"], ["d2", "d3"], [])
    scores = [score_hits(each, COLLECTION, model="m", resamples=0) for each in (before, after)]
    changes = largest_changes(*scores, COLLECTION, before, after, n=2, characters=12)
    assert changes.metric == "ndcg@10"
    assert [change.query_id for change in changes.gained] == ["q3"]
    assert [change.query_id for change in changes.lost] == ["q4", "q1"]
    gained, lost = changes.gained[0], changes.lost[0]
    assert gained.query == "train at noon"
    assert (gained.rank_before, gained.rank_after) == (1, 1)  # d3 answers it too, if less well
    assert gained.answer.document_id == "d2"
    assert gained.answer.text == "the train l…"
    assert gained.top_before is not None
    assert (gained.top_before.document_id, gained.top_before.relevant) == ("d3", True)
    assert gained.difference == pytest.approx(gained.after - gained.before)
    assert gained.difference > 0 > lost.difference
    assert (lost.rank_before, lost.rank_after, lost.top_after) == (2, None, None)
    assert lost.top_before is not None
    assert not lost.top_before.relevant
    assert changes.lost[1].rank_after == 3  # d3 stands second, but is judged not relevant


def test_changes_need_hits_of_the_same_queries():
    found = hits(["d1", "d2", "d3", "q4"], ["d2"], ["q4"])
    scores = score_hits(found, COLLECTION, model="m", resamples=0)
    with pytest.raises(InputError, match="hits_after"):
        largest_changes(scores, scores, COLLECTION, found, Hits(found.ids[:2], found.scores[:2]))
    with pytest.raises(InputError, match="'ndgc@10'"):
        largest_changes(scores, scores, COLLECTION, found, found, metric="ndgc@10")
    assert largest_changes(scores, scores, COLLECTION, found, found).gained == ()


def test_bm25_on_medquad_scores_as_published(shared_data):
    collection = Collection.read_beir(shared_data / "medquad", "test")
    scores = evaluate_bm25(collection, resamples=1000)
    assert len(scores.query_ids) == 1397
    assert scores.value == pytest.approx(0.551, abs=0.005)
    interval = scores.intervals["ndcg@10"]
    assert 0.02 < interval.high - interval.low < 0.06


def test_trec_eval_agrees_on_cranfields_graded_relevance(shared_data):
    import pytrec_eval

    collection = Collection.read_beir(shared_data / "cranfield", "test")
    found = search_collection_bm25(collection, 100)
    scores = score_hits(found, collection, model="BM25", resamples=0)
    run = {query: dict(found.of(row)) for row, query in enumerate(scores.query_ids)}
    relevance = {query: dict(collection.relevance[query]) for query in run}
    theirs = pytrec_eval.RelevanceEvaluator(relevance, {"ndcg_cut.10", "map_cut.100"}).evaluate(run)
    for metric, name in (("ndcg@10", "ndcg_cut_10"), ("map@100", "map_cut_100")):
        expected = [theirs[query][name] for query in scores.query_ids]
        np.testing.assert_allclose(scores.per_query[metric], expected, atol=1e-6)


def test_bm25_finds_documents_by_their_best_chunk():
    documents = {
        "diluted": "Snow fell. " * 20 + "A python is a large snake. " + "Rain fell. " * 20,
        "mentioned": "A snake is no fish. Snow fell.",
        "other": "Rain fell.",
    }
    collection = Collection("c", documents, {"q": "large snake python"}, {"q": {"diluted": 1}})
    chunks = list(chunk_texts(documents, Chunking("sentences", tokens=10)))
    found = search_collection_bm25(collection, 2, chunks=chunks)
    by_itself = Bm25.build([chunk.id for chunk in chunks], [chunk.text for chunk in chunks])
    every = by_itself.search(["large snake python"], len(chunks)).of(0)
    assert [name for name, _ in found.of(0)] == ["diluted", "mentioned"]
    assert found.of(0)[0][1] == every[0][1]
    start, stop = found.spans_of(0)[0]
    assert "large snake" in documents["diluted"][start:stop]
    assert stop - start < 60
    assert evaluate_bm25(collection, chunks=chunks, resamples=0).value == 1
    assert search_collection_bm25(collection, 3, chunks=chunks).spans[0, 2].tolist() == [0, 0]  # "other" is no hit
