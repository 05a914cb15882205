"""Where a search errs, on collections small enough to work out by hand."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.evaluation import score_hits, texts_cut
from cosmith.evaluation.analysis import (
    ErrorAnalysis,
    analyse_errors,
    first_relevant_ranks,
    groups_by,
    likely_unlabelled,
    nearest_wrong_answers,
    ranks_of,
    text_lengths,
    truncation_loss,
)
from cosmith.evaluation.tasks import RetrievalTask
from cosmith.models import distil_static, tiny_encoder
from cosmith.retrieval import Hits

DOCUMENTS = {
    "apple": "Apples are red.",
    "twin": "apples  are RED.",
    "pear": "pears are green and grow on trees",
    "river": "a river runs through the valley and floods it in spring " * 3,
    "code": "sorting a list takes n log n steps",
}
QUERIES = {"q1": "red fruit", "q2": "where water runs in the spring of the year", "q3": "sort", "q4": "green fruit"}
RELEVANCE = {"q1": {"apple": 1, "code": 0}, "q2": {"river": 2}, "q3": {"code": 1}, "q4": {"pear": 1, "apple": 0}}
COLLECTION = Collection("small", DOCUMENTS, QUERIES, RELEVANCE)
FOUND = {
    "q1": [("twin", 0.9), ("apple", 0.8), ("pear", 0.1)],
    "q2": [("pear", 0.5), ("apple", 0.4), ("code", 0.2)],  # its answer is not found
    "q3": [("code", 0.7), ("twin", 0.1), ("pear", 0.0)],
    "q4": [("apple", 0.8), ("twin", 0.6), ("pear", 0.2)],
}


def hits_of(found: dict[str, list[tuple[str, float]]]) -> Hits:
    ids = np.array([[name for name, _ in row] for row in found.values()], dtype=object)
    return Hits(ids, np.array([[score for _, score in row] for row in found.values()], np.float32))


HITS = hits_of(FOUND)
ASKED = tuple(FOUND)


def test_ranks_of_the_first_relevant_document() -> None:
    ranks = first_relevant_ranks(COLLECTION, ASKED, HITS)
    assert ranks.tolist() == [2, 0, 1, 3]
    counted = [(group.label, group.count) for group in ranks_of(ranks, 3)]
    assert counted == [("1", 1), ("2–3", 2), ("not among the first 3", 1)]
    deep = [(group.label, group.count) for group in ranks_of(np.array([1, 4, 10, 11, 0]), 50)]
    assert deep[2:] == [("4–10", 2), ("11–50", 1), ("not among the first 50", 1)]


def test_groups_by_hand() -> None:
    groups = groups_by([3, 9, 1, 2, 8, 7, 1, 5], [0.3, 0.9, 0.1, 0.2, 0.8, 0.7, 0.1, 0.5], parts=4)
    assert [(group.label, group.count, round(group.value, 6)) for group in groups] == [
        ("1", 2, 0.1), ("2–3", 2, 0.25), ("5–7", 2, 0.6), ("8–9", 2, 0.85)
    ]  # fmt: skip
    assert [group.label for group in groups_by([4, 4, 4, 4], [0, 1, 0, 1])] == ["4"]
    assert [group.label for group in groups_by([1, 1, 1, 9], [0, 1, 0, 1])] == ["1", "9"]
    with pytest.raises(InputError, match=r"\[measures\]"):
        groups_by([1, 2], [0.5])


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 1)), min_size=1, max_size=40), st.integers(1, 6))
def test_groups_hold_every_query_once_and_part_no_equals(pairs: list[tuple[int, float]], parts: int) -> None:
    measures, values = (list(column) for column in zip(*pairs, strict=True))
    groups = groups_by(measures, values, parts=parts, resamples=10)
    assert len(groups) <= parts
    assert sum(group.count for group in groups) == len(pairs)
    whole = sum(group.count * group.value for group in groups) / len(pairs)
    assert whole == pytest.approx(np.mean(values))
    bounds = [[int(end) for end in group.label.split("–")] for group in groups]
    assert all(before[-1] < after[0] for before, after in itertools.pairwise(bounds))


def test_wrong_first_answers_the_surest_first() -> None:
    wrong = nearest_wrong_answers(COLLECTION, ASKED, HITS)
    # Leads: q4 (0.8 - 0.2) / 0.8 = 0.75; q2, whose answer is not found, (0.5 - 0.2) / 0.5 = 0.6 at least; q1 1 / 9.
    assert [(each.query_id, each.wrong.document_id, each.answer.document_id, each.rank) for each in wrong] == [
        ("q4", "apple", "pear", 3), ("q2", "pear", "river", None), ("q1", "twin", "apple", 2)
    ]  # fmt: skip
    assert [each.lead for each in wrong] == pytest.approx([0.75, 0.6, 1 / 9], rel=1e-5)
    assert [each.judged for each in wrong] == [True, False, False]
    assert wrong[0].wrong.text == "Apples are red."
    assert len(nearest_wrong_answers(COLLECTION, ASKED, HITS, 1)) == 1


def test_what_nobody_judged_and_stands_above_an_answer_is_likely_one() -> None:
    other = dict(FOUND) | {"q4": [("river", 0.9), ("twin", 0.8), ("pear", 0.7)]}
    found = likely_unlabelled(COLLECTION, ASKED, {"one": HITS, "two": hits_of(other)})
    # The same text first; then what both found; apple was judged not to answer q4; q2 found no answer at all.
    assert [(each.query_id, each.document.document_id, each.models) for each in found] == [
        ("q1", "twin", ("one", "two")), ("q4", "twin", ("one", "two")), ("q4", "river", ("two",))
    ]  # fmt: skip
    assert [each.same_text for each in found] == [True, False, False]
    assert [each.rank for each in found] == [1, 2, 1]
    assert found[1].lead == pytest.approx(((0.6 - 0.2) / 0.6 + (0.8 - 0.7) / 0.8) / 2, rel=1e-5)
    assert found[1].answer.document_id == "pear"
    with pytest.raises(InputError, match="2 queries, but hits for 4"):
        likely_unlabelled(COLLECTION, ("q1", "q2"), {"one": HITS})


def test_an_answer_deep_down_says_nothing_about_what_is_above_it() -> None:
    documents = {f"d{n}": f"text {n}" for n in range(12)}
    collection = Collection("deep", documents, {"q": "text"}, {"q": {"d11": 1}})
    hits = hits_of({"q": [(f"d{n}", 1 - n / 20) for n in range(12)]})
    assert likely_unlabelled(collection, ("q",), {"m": hits}) == ()


def test_truncation_by_hand() -> None:
    lengths = text_lengths(COLLECTION, ASKED)
    assert (lengths.unit, lengths.limit) == ("words", None)
    assert lengths.documents.tolist() == [3, 3, 7, 33, 8]
    assert lengths.queries.tolist() == [2, 9, 1, 2]
    assert truncation_loss(lengths, [[0]], np.ones(1)) is None
    limited = type(lengths)(lengths.documents, lengths.queries, "tokens", 6)
    values = np.array([1.0, 0.2, 0.6, 0.4])
    found = truncation_loss(limited, [[0], [3], [4], [0, 2]], values)
    assert found is not None
    assert (found.documents_cut, found.documents, found.queries_cut) == (3, 5, 1)
    assert found.tokens_lost == pytest.approx((1 + 27 + 2) / 54)
    assert found.answer_cut is not None
    assert found.answer_whole is not None
    assert (found.answer_cut.count, found.answer_cut.value) == (3, pytest.approx(0.4))
    assert (found.answer_whole.count, found.answer_whole.value) == (1, 1.0)
    all_read = truncation_loss(type(lengths)(lengths.documents, lengths.queries, "tokens", 99), [[0]] * 4, values)
    assert all_read is not None
    assert all_read.answer_cut is None


def test_lengths_in_tokens_are_those_that_the_model_counts() -> None:
    encoder = tiny_encoder("bert")
    lengths = text_lengths(COLLECTION, ASKED, encoder)
    assert (lengths.unit, lengths.limit) == ("tokens", encoder.max_length)
    expected = [encoder.tokenize([text], prompt="document").full_lengths[0] for text in DOCUMENTS.values()]
    assert lengths.documents.tolist() == expected


def test_of_a_model_without_a_limit_nothing_is_said_to_be_cut() -> None:
    encoder = distil_static(tiny_encoder("bert"), dimension=8)
    assert text_lengths(COLLECTION, ASKED, encoder).limit is None
    assert analysed(encoder=encoder).truncation is None
    assert texts_cut(encoder, RetrievalTask("small", COLLECTION)) == ()


def analysed(**options: Any) -> Any:
    scores = score_hits(HITS, COLLECTION, model="m", ks=(1, 3), main="ndcg@3", resamples=0)
    return analyse_errors(COLLECTION, HITS, scores, **options)


def test_all_of_it_at_once() -> None:
    found = analysed(examples=2)
    assert (found.task, found.model, found.metric, found.queries, found.unit) == ("small", "m", "ndcg@3", 4, "words")
    assert [(group.label, group.count) for group in found.by_query_length] == [("1", 1), ("2", 2), ("9", 1)]
    assert [group.label for group in found.by_document_length] == ["3", "7", "8", "33"]
    assert found.by_document_length[-1].value == 0.0
    assert len(found.wrong) == 2
    assert len(found.unlabelled) == 2
    assert json.loads(json.dumps(found.to_dict()))["ranks"][0] == {"label": "1", "count": 1}
    assert ErrorAnalysis.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with_model = analysed(encoder=tiny_encoder("bert"), in_words=True)
    assert (with_model.unit, with_model.by_query_length) == ("words", found.by_query_length)
    assert with_model.truncation is not None
    assert ErrorAnalysis.from_dict(json.loads(json.dumps(with_model.to_dict()))) == with_model
    with pytest.raises(InputError, match="no values by query"):
        analysed(metric="ndcg@4")
