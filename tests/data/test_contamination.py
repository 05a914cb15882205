"""What may be shared by training and test, and what may not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Collection, Source, StsPairs, TrainingRow, contamination
from cosmith.data.cleaning import normalised, words_of
from cosmith.data.cleaning.duplicates import Shingles
from cosmith.data.cleaning.words import WordHashes, runs, wholes
from cosmith.data.contamination import overlap_with_collection, overlap_with_pairs, overlap_with_texts
from cosmith.data.split_check import check_split, crossing
from cosmith.errors import InputError

LONG = "which of the two treatments has the lower risk of a second stroke within one year of the first"


def collection(queries: list[str], documents: list[str] | None = None) -> Collection:
    documents = documents or ["a document"]
    names = {f"q{number}": query for number, query in enumerate(queries)}
    return Collection(
        "test", {f"d{number}": text for number, text in enumerate(documents)}, names,
        {name: {"d0": 1} for name in names},
    )  # fmt: skip


def trained(train: str, test: str) -> int:
    source = Source.from_rows("rows", [TrainingRow(train, ("an answer",))])
    return overlap_with_collection(source, collection([test])).trained


def test_a_query_is_known_by_its_words_and_not_by_its_punctuation() -> None:
    assert trained("What is asthma?", "what is  Asthma")
    assert not trained("What is C++?", "What is C?")
    assert not trained("asthma", "What is asthma?")
    assert not trained("???", "!!!")


def test_a_long_query_is_known_by_thirteen_words_and_a_shorter_one_by_all_of_eight() -> None:
    words = LONG.split()
    assert trained(f"tell me {' '.join(words[3:16])} please", LONG)
    assert not trained(f"tell me {' '.join(words[3:15])} please", LONG)
    eight = "side effects of aspirin in older adults today"
    assert trained(f"what are the {eight} and tomorrow", eight)
    assert not trained(f"what are the {eight} and tomorrow", eight.removesuffix(" today"))
    twelve = " ".join(words[:12])
    assert not trained(f"so {' '.join(words[:11])} anything", twelve)
    assert trained(f"so {twelve} anything", twelve)


@pytest.mark.parametrize("at_once", [1, 2, 65536])
def test_documents_are_shared_and_queries_among_them_are_not(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contamination, "_AT_ONCE", at_once)
    rows = [
        TrainingRow("one", ("The answer.", "how long does it take")),
        TrainingRow("two", ("other",), ("A  distractor",)),
        TrainingRow("three", ("is a document",)),
    ]
    test = collection(
        ["how long does it take", "is a document", "new"], ["the answer.", "a distractor", "is a document", "unseen"]
    )
    found = overlap_with_collection(Source.from_rows("rows", rows), test)
    assert (found.documents, found.shared, found.answers, found.shared_answers) == (4, 3, 1, 1)
    assert found.trained == 1  # a test query as a positive; the other one is a document of the test
    assert found.rows.tolist() == [0]
    assert found.examples[0].how == "the same text, as a document"
    assert "1 of 3 queries trained on (33 %), in 1 row; 3 of 4 documents shared, 1 of the 1" in found.describe()


@pytest.mark.parametrize("at_once", [1, 2, 65536])
def test_a_text_that_is_set_against_itself_is_a_document(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contamination, "_AT_ONCE", at_once)
    title = "how to reset the password of an account that is locked"
    rows = [TrainingRow(text, (text,)) for text in (f"{title} Open settings.", "something else")]
    assert overlap_with_collection(Source.from_rows("rows", rows), collection([title])).trained == 0
    rows.append(TrainingRow(title.upper(), (title.upper(),)))
    found = overlap_with_collection(Source.from_rows("rows", rows), collection([title]))
    assert (found.trained, found.rows.tolist()) == (1, [2])


def test_an_sts_pair_is_trained_on_where_a_row_has_both_texts() -> None:
    rows = [TrainingRow("A man sings", ("a man is singing",), ("a dog",)), TrainingRow("a cat", ("A bird",))]
    pairs = StsPairs(
        ["a man  sings", "a man sings", "a man sings", "a cat", "a dog"],
        ["A man is singing", "a dog", "a bird", "a cat", "a man sings"],
        np.zeros(5),
    )
    found = overlap_with_pairs(Source.from_rows("rows", rows), pairs, "sts")
    assert found.trained == 3
    assert found.rows.tolist() == [0]
    assert found.unit == "pair"
    assert found.describe() == "rows, against sts: 3 of 5 pairs trained on (60 %), in 1 row"


def test_a_long_pair_is_known_by_words_in_a_row_but_one_text_is_not_two() -> None:
    eight = "side effects of aspirin in older adults today"
    rows = [TrainingRow(f"tell me: {LONG}!", (f"The {eight}",)), TrainingRow(f"{LONG} and {eight}", ("short",))]
    pairs = StsPairs([eight, LONG, eight, eight], [LONG, "short", eight, "new"], np.zeros(4))
    found = overlap_with_pairs(Source.from_rows("rows", rows), pairs, "sts")
    assert found.tested.tolist() == [0, 1]
    assert found.rows.tolist() == [0, 1]
    alone = overlap_with_pairs(Source.from_rows("rows", rows[1:]), pairs, "sts")
    assert alone.tested.tolist() == [1], "one text that holds both is one text"


@pytest.mark.parametrize("at_once", [1, 65536])
def test_a_text_is_known_by_words_in_a_row_in_any_part_of_a_row(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contamination, "_AT_ONCE", at_once)
    words = LONG.split()
    rows = [TrainingRow("one", ("an answer",), (f"so {' '.join(words[:13])} it is",)), TrainingRow("two", (LONG,))]
    rows += [TrainingRow("SHORT text!", ("three",)), TrainingRow("four", (" ".join(words[:12]),))]
    asked = [LONG, "short text", "text", f"please {LONG} thanks", "new"]
    found = overlap_with_texts(Source.from_rows("rows", rows), asked, "intents")
    assert found.tested.tolist() == [0, 1, 3]
    assert found.rows.tolist() == [0, 1, 2]
    assert found.describe() == "rows, against intents: 3 of 5 texts trained on (60 %), in 3 rows"


def test_rows_that_cross_are_left_out_and_nothing_else() -> None:
    rows = [TrainingRow(query, ("an answer",)) for query in ("one thing", "Two things", "three things", "two things?")]
    source = Source.from_rows("rows", rows)
    left = crossing(source, [collection(["two things"]), collection(["three things", "four"])]).kept
    assert [row.query for row in source.rows_where(left)] == ["one thing"]
    assert crossing(source, [collection(["nothing of it"])]).kept.all()
    with pytest.raises(InputError, match="none is left"):
        crossing(source, [collection([row.query for row in rows])])


def test_the_check_of_a_split_finds_what_is_nearly_the_same() -> None:
    train = [TrainingRow(query, ("an answer",)) for query in ("how do I reset the password of my account", "else")]
    test = collection(["How do I reset the password of my accounts", "else", "something new"])
    found = check_split(Source.from_rows("train", train), test, near=0.9)
    assert found.queries is not None
    assert (found.overlap.trained, found.queries.tested) == (1, 1)
    assert found.crosses
    assert found.queries.examples[0].train == train[0].query
    assert "1 test query is nearly the same" in found.describe()[1]
    assert not check_split(Source.from_rows("train", train), collection(["something new"]), near=0.9).crosses
    assert not check_split(Source.from_rows("train", train), collection(["something new"])).crosses


QUERIES = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d."]), max_size=16).map(" ".join).filter(lambda text: text.strip()),
    min_size=1,
    max_size=8,
)


@given(QUERIES, QUERIES)
def test_hashes_find_what_the_rule_says(train: list[str], test: list[str]) -> None:
    source = Source.from_rows("rows", [TrainingRow(query, ("an answer",)) for query in train])
    found = overlap_with_collection(source, collection(test))

    def known(query: str, by: str) -> bool:
        asked, given_ = words_of(query), words_of(by)
        length = min(len(asked), 13)
        if asked == given_ and asked:
            return True
        pieces = {tuple(asked[at : at + length]) for at in range(len(asked) - length + 1)}
        others = {tuple(given_[at : at + length]) for at in range(len(given_) - length + 1)}
        return length >= 8 and bool(pieces & others)

    assert found.trained == sum(any(known(query, by) for by in train) for query in test)
    assert found.rows.tolist() == [row for row, by in enumerate(train) if any(known(query, by) for query in test)]


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), max_size=6), st.integers(1, 4))
def test_runs_and_wholes_are_those_of_each_text(texts: list[str], length: int) -> None:
    hashes, offsets = WordHashes().of(texts)
    found, numbers = runs(hashes, offsets, length)
    spelt = [(number, tuple(words_of(text)[at : at + length]))
             for number, text in enumerate(texts) for at in range(len(words_of(text)) - length + 1)]  # fmt: skip
    assert numbers.tolist() == [number for number, _ in spelt]
    same = {(int(value), run) for value, (_, run) in zip(found, spelt, strict=True)}
    assert len(same) == len({run for _, run in spelt}) == len({value for value, _ in same})
    whole = wholes(hashes, offsets).tolist()
    assert len(set(whole)) == len({normalised(text) for text in texts})
    assert all((value == 0) == (not words_of(text)) for value, text in zip(whole, texts, strict=True))


def test_documents_that_are_nearly_the_same_are_told_and_do_not_cross() -> None:
    article = "The password of an account is reset on the page of its settings by whoever has its address, at any time"
    train = Source.from_rows("train", [TrainingRow("how do I reset it", (f"{article}.",), ("quite another text",))])
    test = Collection("test", {"d1": f"{article} now.", "d2": "something else"}, {"q1": "what now"}, {"q1": {"d1": 1}})
    found = check_split(train, test, near=0.7)
    assert found.documents is not None
    assert found.documents.tested == 1
    assert not found.crosses
    assert found.values()["near_document_examples"][0]["test"] == f"{article} now."
    assert found.describe()[2] == "1 test document is nearly the same as a training document"


WORDS = ("reset", "password", "account", "change", "billing", "address", "invoice", "login")


@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=8),
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=8),
)
@settings(max_examples=30, deadline=None)
def test_rows_that_nearly_cross_are_those_that_a_search_by_hand_finds(
    train: list[list[str]], test: list[list[str]]
) -> None:
    threshold = 0.6
    rows = [TrainingRow(" ".join(words), ("an answer",)) for words in train]
    rows.append(TrainingRow("a query unlike the others", ("an answer",)))
    asked = [" ".join(words) for words in test]
    found = crossing(Source.from_rows("rows", rows), [collection(list(dict.fromkeys(asked)))], near=threshold)
    for row, same, nearly in zip(rows, found.same, found.nearly, strict=True):
        alike = [Shingles.of(row.query).similarity(Shingles.of(text)) for text in asked]
        assert not (same and nearly)
        if nearly:
            assert max(alike) >= threshold
        elif not same:
            assert max(alike) < threshold + 0.15  # one in a hundred of those at the threshold may be missed


def test_a_row_that_only_nearly_crosses_stays_where_nearness_is_not_asked_for() -> None:
    rows = [TrainingRow(query, ("an answer",)) for query in ("how do I reset the password of my account", "else")]
    source, held_out = Source.from_rows("rows", rows), [collection(["How do I reset the password of my accounts"])]
    assert crossing(source, held_out).kept.tolist() == [False, True]
    assert crossing(source, held_out, near=None).kept.all()
    with pytest.raises(InputError, match="none is left") as refused:
        crossing(Source.from_rows("rows", rows[:1]), held_out)
    assert "near: null" in str(refused.value)
