"""Which candidates are kept, and what is told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import PairLimits, Source, weak_pairs
from cosmith.data.documents import Document, Section, open_documents, write_documents
from cosmith.data.weak_supervision import FirstSentence, Heading, InverseCloze, Neighbours, Title
from cosmith.data.weak_supervision.choosing import AGAIN, KEPT, OVER, SHARED, Candidates, chosen
from cosmith.data.weak_supervision.pair import Pair
from cosmith.errors import InputError

BODY = "What stands here is long enough to be searched for."


def long_document(name: str, sentences: int = 60) -> Document:
    return Document(name, " ".join(f"Sentence {n} of {name} says something." for n in range(sentences)))


def test_the_form_named_first_has_what_several_find() -> None:
    text = f"How do I cancel?\n\n{BODY}"
    document = Document("a", text, "", "markdown", (Section("How do I cancel?", 1, 18, len(text)),))
    for forms in (["heading", "question"], ["question", "heading"]):
        made = weak_pairs([document], forms)
        assert [(pair.form, pair.query) for pair in made.pairs] == [(forms[0], "How do I cancel?")]
        assert made.counts[forms[1]].dropped == {"the same pair again": 1}
    titled = replace(document, title="Orders")
    # The heading stands behind the title, so the texts differ; it is the same place of the same document all the same.
    assert len(weak_pairs([titled], ["heading", "question"])) == 1


def test_a_pair_of_two_documents_is_kept_once() -> None:
    documents = [Document("a", BODY, "Fever"), Document("b", BODY, "FEVER"), Document("c", BODY, "Cold")]
    made = weak_pairs(documents)
    assert [(pair.document, pair.query) for pair in made.pairs] == [("a", "Fever"), ("c", "Cold")]


def test_texts_that_cannot_be_used_are_counted() -> None:
    documents = [
        Document("nul", f"{BODY}\0", "One"), Document("half", f"{BODY}\ud800", "Two"), Document("good", BODY, "Three"),
        Document("same", BODY, f" {BODY.upper()}"),
    ]  # fmt: skip
    made = weak_pairs(documents)
    assert [pair.document for pair in made.pairs] == ["good"]
    assert made.counts["title"].dropped == {"a text that cannot be used": 2, "too little on the other side": 1}
    assert len(Source.from_rows("pairs", made.rows)) == 1


def test_a_document_gives_no_more_than_it_may() -> None:
    documents = [long_document("a"), long_document("b", 30), Document("c", BODY, "Title")]
    forms = [
        Title(),
        FirstSentence(),
        Neighbours(per_document=50, longest=120),
        InverseCloze(per_document=5, passage=300),
    ]
    all_of_them = weak_pairs(documents, forms, limits=PairLimits(most_per_document=1000))
    few = weak_pairs(documents, forms, limits=PairLimits(most_per_document=5))
    assert Counter(pair.document for pair in few.pairs) == {"a": 5, "b": 5, "c": 1}
    assert {pair.form for pair in few.pairs} == {"title", "first-sentence", "neighbours"}
    assert set(few.pairs) <= set(all_of_them.pairs)
    again = weak_pairs(reversed(documents), forms, limits=PairLimits(most_per_document=5))
    assert set(again.pairs) == set(few.pairs), "what is kept does not depend on the order of the documents"


def test_counts_add_up_and_examples_are_of_their_form() -> None:
    documents = [long_document(str(n), 40) for n in range(7)] + [Document("t", "Short.", "Title")]
    made = weak_pairs(documents, ["title", "first-sentence", "neighbours"])
    assert made.documents == 8
    assert list(made.counts) == ["title", "first-sentence", "neighbours"]
    for name, counts in made.counts.items():
        assert counts.candidates == counts.kept + sum(counts.dropped.values())
        assert counts.kept == sum(pair.form == name for pair in made.pairs)
    assert len(made) == len(list(made.rows)) == sum(counts.kept for counts in made.counts.values())
    assert {name: len(pairs) for name, pairs in made.examples.items()} == {
        "title": 0,
        "first-sentence": 3,
        "neighbours": 3,
    }
    assert all(pair.form == name for name, pairs in made.examples.items() for pair in pairs)
    assert set(made.examples["neighbours"]) <= set(made.pairs)


def test_rows_are_read_anew_and_side_by_side() -> None:
    made = weak_pairs([Document(str(n), f"{n} {BODY}", f"Title {n}") for n in range(5)])
    first, second = made.pairs, made.pairs
    assert [(next(first), next(second)) for _ in range(5)] == [(pair, pair) for pair in made.pairs]
    (row, *_) = made.rows
    assert (row.query, row.positives, row.group, row.document_group) == ("Title 0", (f"0 {BODY}",), "0", "0")


def test_documents_may_come_from_anywhere_once() -> None:
    def coming() -> Iterator[Document]:
        for n in range(3):
            yield Document(str(n), f"{n} {BODY}", f"Title {n}")

    assert weak_pairs(coming()).documents == 3


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), max_size=40),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_choosing_is_as_counting_by_hand(
    given_pairs: list[tuple[int, int, int, int]], most_shared: int, most_per_document: int
) -> None:
    candidates = Candidates()
    pairs = [Pair("f", f"query {q}", f"text {t}", f"doc {d}", f"doc {d}") for _, q, t, d in given_pairs]
    for pair, (form, *_) in zip(pairs, given_pairs, strict=True):
        candidates.add(pair, form, KEPT)
    limits = PairLimits(most_shared=most_shared, most_per_document=most_per_document)
    outcome = chosen(candidates, [False, False], limits)
    sharing: dict[str, set[str]] = {}
    for pair in pairs:
        sharing.setdefault(pair.query, set()).add(pair.document)
    seen: set[tuple[str, str]] = set()
    left: dict[str, list[int]] = {}
    for number in sorted(range(len(pairs)), key=lambda number: given_pairs[number][0]):
        pair = pairs[number]
        if len(sharing[pair.query]) > most_shared:
            assert outcome[number] == SHARED
        elif (pair.query, pair.positive) in seen:
            assert outcome[number] == AGAIN
        else:
            seen.add((pair.query, pair.positive))
            left.setdefault(pair.document, []).append(number)
    for numbers in left.values():
        kept = [number for number in numbers if outcome[number] == KEPT]
        assert len(kept) == min(len(numbers), most_per_document)
        assert {int(outcome[number]) for number in numbers} <= {KEPT, OVER}
        worst = max(given_pairs[number][0] for number in kept)
        assert all(given_pairs[number][0] >= worst for number in numbers if outcome[number] == OVER)


@pytest.mark.parametrize(
    ("forms", "more", "problem"),
    [
        (["title", "title"], {}, "title is named twice"),
        ([], {}, "no form is named"),
        (["forum"], {}, "made of threads"),
        (["title"], {"clicks": []}, "only the form co-clicked uses"),
        ([Heading()], {}, r"none of the documents \(1\) gives a pair; heading: 0 candidates"),
    ],
)
def test_what_cannot_be_made(forms: list, more: dict, problem: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=problem):
        weak_pairs([Document("a", BODY, "Title")], forms, **more)


def test_documents_written_and_read_again_give_the_same_pairs(tmp_path: Path) -> None:
    text = f"Installing\n\n{BODY}"
    documents = [
        Document("a", text, "Guide", "markdown", (Section("Installing", 1, 12, len(text)),)),
        long_document("b"),
    ]
    write_documents(tmp_path / "documents.jsonl", documents)
    read = open_documents(tmp_path / "documents.jsonl")
    assert list(read) == documents
    forms = ["title", "heading", "neighbours"]
    assert list(weak_pairs(read, forms).pairs) == list(weak_pairs(documents, forms).pairs)


def test_documents_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(
        '{"title": "T", "text": "x"}\n{"title": null, "text": "y"}\n{"title": "Only"}\n{"text": ""}\n'
        '{"title": 5, "text": "z"}\n{"text": "w", "format": "text", "links": [], "sections": [{"a": 1}]}\n'
    )
    read = open_documents(path)
    assert [(each.id, each.title, each.text) for each in read] == [("1", "T", "x"), ("2", "", "y"), ("3", "Only", "")]
    assert [each.line for each in read.rejected] == [4, 5, 6]
    lines = tmp_path / "d.txt"
    lines.write_text("one\n\ntwo\n")
    assert [each.text for each in open_documents(lines)] == ["one", "two"]


def test_many_pairs_go_to_a_source_as_they_come(tmp_path: Path) -> None:
    made = weak_pairs(long_document(str(n), 40) for n in range(50))
    source = Source.write(tmp_path / "source", "pairs", made.rows)
    assert len(source) == 50
    assert source.document_groups == [str(n) for n in range(50)]
    assert source.text_documents is not None
    assert np.array_equal(source.text_documents[source.positives], np.arange(50))
