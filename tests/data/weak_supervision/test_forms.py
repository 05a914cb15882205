"""What each form finds in a document."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data.documents import Document, Section
from cosmith.data.sentences import sentence_spans
from cosmith.data.weak_supervision import (
    DEFAULT_FORMS,
    Docstring,
    FirstSentence,
    Form,
    Heading,
    InverseCloze,
    Neighbours,
    Question,
    Title,
    form_named,
    weak_pairs,
)
from cosmith.data.weak_supervision.inverse_cloze import inverse_cloze_pairs
from cosmith.data.weak_supervision.neighbours import neighbour_pairs
from cosmith.data.weak_supervision.passages import bodies, paragraphs, passages
from cosmith.errors import InputError

REST = "And here stands enough of a text behind it to be worth searching for."


def sectioned(name: str, *parts: tuple[int, str, str], title: str = "", begin: str = "") -> Document:
    """A document of (level, heading, body), as a reader of Markdown makes it."""
    text, sections = begin, [Section("", 0, 0, len(begin))] if begin else []
    for level, heading, body in parts:
        text += ("\n\n" if text else "") + heading
        start = len(text) + 2 if body else len(text)
        text += f"\n\n{body}" if body else ""
        sections.append(Section(heading, level, start, len(text)))
    return Document(name, text, title, "markdown", tuple(sections))


def found(document: Document, *forms: Form | str) -> list[tuple[str, str]]:
    return [(pair.query, pair.positive) for pair in weak_pairs([document], forms).pairs]


def dropped(document: Document, form: Form) -> dict[str, int]:
    """Why nothing of a document is left, beside one that gives a pair in any form of prose."""
    helper = sectioned("helper", (1, "Is this a helper to have?", f"{REST} {REST}\n\n{REST} {REST}"), title="Help")
    (counts,) = weak_pairs([helper, document], [form]).counts.values()
    return dict(counts.dropped)


# --- title and first sentence ----------------------------------------------------------------------------------------


def default(titles: list[str], bodies: list[str]) -> list[tuple[str, str]]:
    documents = [
        Document(str(number), body, title) for number, (title, body) in enumerate(zip(titles, bodies, strict=True))
    ]
    return [(row.query, row.positives[0]) for row in weak_pairs(documents).rows]


def test_a_title_goes_before_a_sentence_and_is_taken_off_its_body() -> None:
    pairs = default(["Fever", "", "Colds"], [f"FEVER: {REST}", f"What helps a cough? {REST}", REST])
    assert pairs == [("Fever", REST), ("What helps a cough?", REST), ("Colds", REST)]


@pytest.mark.parametrize(
    ("head", "separator"),
    [
        ("Ask J. R. Tolkien, e.g. on hobbits.", " "),
        ("Version 2.5 of the program is out.", " "),
        ('"Where is the key?"', "\n"),
        ("A heading without a full stop", "\n\n"),
        ("这是一个关于密码的很长的句子。", ""),
        ("Yes. That is how it is done.", " "),  # too short alone, so the next goes along
    ],
)
def test_where_the_first_sentence_ends(head: str, separator: str) -> None:
    assert default([""], [f"{head}{separator}{REST}"]) == [(head, REST)]


def test_documents_without_a_pair_are_left_out() -> None:
    body = f"A sentence of its own. {REST}"
    shared = [f"Read our newsletter. {number} {REST}" for number in range(4)]
    texts = ["One sentence that never ends", "A sentence of its own. Too short.", *shared, body]
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    made = weak_pairs(documents)
    assert [pair.document for pair in made.pairs] == ["6"]
    assert made.counts["first-sentence"].dropped == {
        "too many documents share the query": 4, "is one sentence in all": 1, "too little on the other side": 1,
    }  # fmt: skip
    with pytest.raises(
        InputError, match=r"none of the documents \(2\).*1 left out \(is one sentence in all\)"
    ) as caught:
        weak_pairs(documents[:2])
    assert "self-pairs" in str(caught.value.remedy)


@given(st.lists(st.text(alphabet="ab .!?\n。A", min_size=0, max_size=80), min_size=1, max_size=6))
def test_a_pair_is_the_document_in_two_parts(texts: list[str]) -> None:
    for number, text in enumerate(texts):
        try:
            made = weak_pairs([Document(str(number), text)], [FirstSentence(shortest_query=2)])
        except InputError:
            continue
        (pair,) = made.pairs
        assert text.strip().startswith(pair.query)
        assert text.strip().endswith(pair.positive)
        assert text[pair.start : pair.stop] == pair.query
        between = text.strip()[len(pair.query) : len(text.strip()) - len(pair.positive)]
        assert between == "" or between.isspace()


def test_the_first_sentence_stands_below_the_first_heading() -> None:
    document = sectioned("a", (1, "Resetting", ""), (2, "In short", f"Open the settings first. {REST}"))
    assert found(document, "first-sentence") == [("Open the settings first.", REST)]
    titled = Document("a", f"Open the settings first. {REST}", "Resetting")
    assert found(titled, FirstSentence(of="all")) == [("Open the settings first.", REST)]


# --- headings --------------------------------------------------------------------------------------------------------

GUIDE = sectioned(
    "guide.md", (1, "Installing", f"Take the disk. {REST}"), (2, "On Linux", f"Mount it. {REST}"),
    (2, "Installing the printer", f"Plug it in. {REST}"), (1, "See also", f"Other guides, and more. {REST}"),
    title="The printer",
)  # fmt: skip


@pytest.mark.parametrize(
    ("context", "queries"),
    [
        ("none", ["Installing", "On Linux", "Installing the printer"]),
        ("title", ["The printer Installing", "The printer On Linux", "Installing the printer"]),
        (
            "headings",
            ["The printer Installing", "The printer Installing On Linux", "The printer Installing the printer"],
        ),
    ],
)
def test_a_heading_finds_its_own_section(context: Any, queries: list[str]) -> None:
    pairs = weak_pairs([GUIDE], [Heading(context=context)])
    assert [pair.query for pair in pairs.pairs] == queries
    assert [pair.positive for pair in pairs.pairs] == [
        f"{say} {REST}" for say in ("Take the disk.", "Mount it.", "Plug it in.")
    ]
    assert pairs.counts["heading"].dropped == {"the heading says nothing of its own": 1}
    assert [GUIDE.text[pair.start : pair.stop] for pair in pairs.pairs] == [
        "Installing", "On Linux", "Installing the printer",
    ]  # fmt: skip


# --- questions -------------------------------------------------------------------------------------------------------


def test_headings_lines_and_titles_that_ask_find_what_follows() -> None:
    document = sectioned(
        "faq", (1, "How do I cancel?", f"{REST}\n\nIt takes a day.\n\nWhat does that cost?\n{REST} A."),
        (1, "Prices", f"See the list. Is that not much?\n\n{REST} B."), (1, "Why?", REST),
    )  # fmt: skip
    assert found(document, "question") == [
        ("How do I cancel?", f"{REST}\n\nIt takes a day."), ("What does that cost?", f"{REST} A."),
        ("See the list. Is that not much?", f"{REST} B."),
    ]  # fmt: skip
    assert found(Document("t", REST, "How do I cancel?"), "question") == [("How do I cancel?", REST)]
    long = sectioned("l", (1, "x " * 160 + "?", REST))
    assert dropped(long, Question()) == {"the question is too long": 1}


def test_a_plain_text_of_questions_without_headings() -> None:
    text = f"How do I cancel my order?\n{REST}\n\nMore of it.\n\nWhere are you?\n\n{REST} B."
    assert found(Document("t", text), "question") == [
        ("How do I cancel my order?", f"{REST}\n\nMore of it."), ("Where are you?", f"{REST} B."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("q", "a"), [("Q: ", "A: "), ("Q1: ", "A1: "), ("**Question:** ", "**Answer:** "), ("Frage: ", "Antwort: ")]
)
def test_marked_questions(q: str, a: str) -> None:
    text = f"Welcome here. {REST}\n\n{q}How to cancel it\n{a}{REST}\nAnd more.\n\n{q}Where is it?\n\n{a}{REST} B."
    assert found(Document("t", text), "question") == [
        ("How to cancel it", f"{REST}\nAnd more."), ("Where is it?", f"{REST} B."),
    ]  # fmt: skip


def test_an_unanswered_marked_question_ends_the_answer_before() -> None:
    text = f"Q: How to cancel it?\nA: {REST}\nQ: Is anybody here?\nQ: Where is it then?\nA: {REST} B."
    assert found(Document("t", text), "question") == [
        ("How to cancel it?", REST), ("Where is it then?", f"{REST} B."),
    ]  # fmt: skip


# --- drawn sentences and neighbours ----------------------------------------------------------------------------------

WORDS = st.lists(
    st.sampled_from(["apple pie", "Long rivers run", "It is so", "and then", "word"]), min_size=1, max_size=8
)
TEXTS = st.lists(
    st.tuples(WORDS.map(" ".join), st.sampled_from([". ", "! ", "\n\n", " \n \n", "。", " "])), min_size=1, max_size=20
).map(lambda parts: "".join(words + end for words, end in parts))


@given(TEXTS, st.integers(1, 60), st.integers(0, 200))
def test_passages_lose_nothing_and_are_no_longer_than_they_may(text: str, shortest: int, more: int) -> None:
    longest = shortest + more
    spans = passages(text, 0, len(text), shortest=shortest, longest=longest)
    assert "".join("".join(text[start:stop].split()) for start, stop in spans) == "".join(text.split())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    for start, stop in spans:
        assert text[start:stop] == text[start:stop].strip() != ""
        assert stop - start <= longest or len(list(sentence_spans(text, start, stop))) == 1
    assert [span for part in paragraphs(text, 0, len(text)) for span in sentence_spans(text, *part)] == list(
        sentence_spans(text, 0, len(text))
    )


@given(TEXTS, st.sampled_from([0.0, 1.0]), st.integers(0, 3))
def test_a_drawn_sentence_with_the_rest_is_the_passage(text: str, kept_in: float, seed: int) -> None:
    form = InverseCloze(kept_in=kept_in, shortest_query=3, longest_query=40, passage=120, per_document=3, seed=seed)
    document = Document("d", text)
    blocks = ["".join(text[a:b].split()) for a, b in passages(text, *bodies(document)[0], shortest=60, longest=120)]
    pairs = list(inverse_cloze_pairs(document, form))
    assert len(pairs) == min(3, len(blocks))
    for pair in (pair for pair in pairs if not pair.problem):
        assert pair.query == text[pair.start : pair.stop]
        assert 3 <= len(pair.query) <= 40
        query, rest = "".join(pair.query.split()), "".join(pair.positive.split())
        if kept_in:
            assert rest in blocks
            assert query in rest
        else:
            assert any(
                len(block) == len(query) + len(rest) and sorted(block) == sorted(query + rest) for block in blocks
            )
    assert pairs == list(inverse_cloze_pairs(document, form))


def test_the_share_of_sentences_that_stay_in() -> None:
    texts = [f"This is sentence one of {n}. {REST} A third one closes it." for n in range(600)]
    form = InverseCloze(kept_in=0.25)
    pairs = [pair for n, text in enumerate(texts) for pair in inverse_cloze_pairs(Document(str(n), text), form)]
    kept = sum(pair.query in pair.positive for pair in pairs)
    assert 100 < kept < 200  # 150 of 600 are expected, with a standard deviation of 10.6
    assert len({pair.query[:10] for pair in pairs}) == 3  # any of the three sentences


def test_what_is_drawn_depends_on_the_document_and_the_seed_only() -> None:
    texts = {name: " ".join(f"Sentence {n} of {name} says a thing." for n in range(30)) for name in "abc"}
    documents = [Document(name, text) for name, text in texts.items()]
    form = InverseCloze(passage=400, per_document=2)
    several = [pair for document in documents for pair in inverse_cloze_pairs(document, form)]
    assert [pair for pair in several if pair.document == "c"] == list(inverse_cloze_pairs(documents[2], form))
    other = [
        pair
        for document in documents
        for pair in inverse_cloze_pairs(document, InverseCloze(passage=400, per_document=2, seed=1))
    ]
    assert other != several


def test_neighbours_follow_each_other_in_a_section() -> None:
    first, second, third = (f"Paragraph {n} of this. {REST} {REST}" for n in "abc")
    document = sectioned("d", (1, "One", f"{first}\n\n{second}\n\nShort."), (1, "Two", f"{third}\n\n{first}"))
    pairs = list(neighbour_pairs(document, Neighbours()))
    # A short paragraph at the end has no next one to go along with, and is none by itself.
    assert [(pair.query, pair.positive) for pair in pairs] == [(first, second), (third, first)]
    assert len(list(neighbour_pairs(document, Neighbours(per_document=1)))) == 1
    unparted = Document("u", " ".join(f"Sentence number {n} stands here, too." for n in range(40)))
    for pair in neighbour_pairs(unparted, Neighbours(longest=200)):
        assert len(pair.query) <= 200
        assert f"{pair.query} {pair.positive}" in unparted.text


# --- code ------------------------------------------------------------------------------------------------------------

CODE = '''"""A module."""


def split(text, marks):
    """Cut a text into parts at any of the marks.

    Args: none.
    """
    parts, last = [], 0
    for place, sign in enumerate(text):
        if sign in marks:
            parts.append(text[last:place])
            last = place + 1
    return parts + [text[last:]]


def short():
    """Give back the number that it is."""
    return 1
'''


def test_a_docstring_finds_its_function() -> None:
    document = Document("m.py", CODE, format="python")
    (pair,) = weak_pairs([document], [Docstring()]).pairs
    assert pair.query == "Cut a text into parts at any of the marks"
    assert pair.positive.startswith("def split(text, marks):\n    parts, last = [], 0\n")
    assert "Cut a text" not in pair.positive
    assert CODE[pair.start : pair.stop] == f"{pair.query}."
    assert weak_pairs([document], ["docstring"]).counts["docstring"].dropped == {"body too short": 1}
    prose = Document("a", f"A sentence of its own. {REST}")
    made = weak_pairs([prose, document], [*DEFAULT_FORMS, "inverse-cloze", "neighbours", "heading", "question"])
    assert {pair.document for pair in made.pairs} == {"a"}, "code is no prose"


def test_python_that_does_not_parse_gives_nothing() -> None:
    broken = Document("m.py", "def f(:\n    '''Do a thing with it.'''\n", format="python")
    good = Document("n.py", CODE, format="python")
    assert len(weak_pairs([broken, good], ["docstring"])) == 1


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("titel", r"unknown form 'titel'\. Did you mean 'title'"),
        ({"kept_in": 0.1}, "needs a name"),
        ({"name": "inverse-cloze", "kept": 0.1}, r"no setting 'kept'\. Did you mean 'kept_in'"),
        ({"name": "title", "kept": 0.1}, r"no setting 'kept'\. It has none"),
        ({"name": "inverse-cloze", "kept_in": 1.5}, "kept_in is 1.5"),
        ({"name": "inverse-cloze", "kept_in": "half"}, "kept_in is 'half'"),
        ({"name": "inverse-cloze", "passage": 10}, "passage is 10"),
        ({"name": "neighbours", "per_document": 1.5}, "per_document is 1.5"),
        ({"name": "heading", "context": "titel"}, "context is 'titel'. Did you mean 'title'"),
        ({"name": "first-sentence", "of": "none"}, "of is 'none'"),
        ({"name": "co-clicked", "least_clicks": -1}, "least_clicks is -1"),
        ({"name": "forum", "query": "post"}, "query is 'post'"),
        ({"name": "question", "longest_query": 5}, "longest_query is 5"),
    ],
)
def test_forms_that_are_not_possible(said: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        form_named(said)


def test_forms_as_they_are_said() -> None:
    assert form_named("title") == Title()
    assert form_named({"name": "inverse-cloze", "kept_in": 0.5}, seed=3, shortest_query=5) == InverseCloze(
        kept_in=0.5, seed=3, shortest_query=5
    )
    assert form_named({"name": "question", "shortest_query": 7}, shortest_query=5) == Question(shortest_query=7)
    assert form_named(Neighbours(seed=4), seed=5) == Neighbours(seed=4)
