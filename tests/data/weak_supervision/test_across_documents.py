"""Forms that several documents, a forum or a click log are needed for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import ClickedDocument
from cosmith.data.documents import Document, Link
from cosmith.data.weak_supervision import Anchor, Answer, CoClicked, Forum, Thread, open_threads, weak_pairs
from cosmith.data.weak_supervision.anchor import page_key, target_key
from cosmith.data.weak_supervision.co_clicked import co_clicked_pairs
from cosmith.data.weak_supervision.forum import thread_pairs
from cosmith.errors import InputError

BODY = "What stands here is long enough to be searched for."


def page(name: str, *links: tuple[str, str], title: str = "") -> Document:
    """A page with links (text, target) at its end."""
    text, places = f"{name}. {BODY}", []
    for written, target in links:
        text += f" {written}"
        places.append(Link(written, target, len(text) - len(written), len(text)))
    return Document(name, text, title, "markdown", (), tuple(places))


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "target", "page_name"),
    [
        ("docs/a.md", "b.md", "docs/b.md"),
        ("docs/a.md", "../b.html#top", "b.md"),
        ("docs/a.md", "/b", "b.md"),
        ("docs/a.md", "sub/", "docs/sub/index.md"),
        ("docs/a.md", "./my%20page.md", "docs/my page.md"),
        ("docs/a.md", ".", "docs/README.md"),
        ("https://example.org/x/a.html", "b.html", "https://example.org/x/b.html"),
        ("https://example.org/x/a.html", "/b/?q=1", "http://example.org/b/?q=1"),
        ("https://example.org/x/a.html", "//example.org/c", "https://example.org/c/"),
        ("docs/a.md", "https://example.org/c", "https://example.org/c.html"),
    ],
)
def test_where_links_lead(origin: str, target: str, page_name: str) -> None:
    assert target_key(origin, target) == page_key(page_name)


@pytest.mark.parametrize("target", ["#here", "mailto:a@b.org", "javascript:void(0)", "tel:1", "", "  "])
def test_links_that_lead_to_no_page(target: str) -> None:
    assert target_key("docs/a.md", target) is None


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_target_has_a_key_or_none(origin: str, target: str) -> None:
    try:
        target_key(origin, target)
    except ValueError:  # no address: urllib refuses brackets that hold no host
        assert "[" in origin + target or "]" in origin + target


def test_anchors_of_a_page_are_gathered_over_pages() -> None:
    documents = [
        page("a.md", ("travel costs", "t.md"), ("Travel costs", "t.md"), ("here", "t.md"), ("myself", "a.md#x")),
        page("b.md", ("Travel  Costs", "t.md"), ("claim a flight", "t.md"), ("away", "gone.md"), ("»", "t.md")),
        page("t.md", title="Travel"),
    ]
    made = weak_pairs(documents, ["anchor"])
    body = f"t.md. {BODY}"
    assert [(pair.query, pair.positive, pair.document, pair.origin) for pair in made.pairs] == [
        ("travel costs", body, "t.md", "a.md"), ("claim a flight", body, "t.md", "b.md"),
    ]  # fmt: skip
    first = next(made.pairs)
    assert documents[0].text[first.start : first.stop] == "travel costs"
    assert made.counts["anchor"].dropped == {
        "says nothing of the page": 2, "leads to its own page": 1, "leads to no other document": 1,
    }  # fmt: skip
    assert {row.document_group for row in made.rows} == {"t.md"}
    often = weak_pairs(documents, [Anchor(least_pages=2)])
    assert [pair.query for pair in often.pairs] == ["travel costs"]
    assert often.counts["anchor"].dropped["too few pages say so"] == 1
    single = weak_pairs(documents, [Anchor(per_document=1)])
    assert [pair.query for pair in single.pairs] == ["travel costs"], "two pages say so"


def test_an_anchor_that_leads_to_many_pages_says_little() -> None:
    documents = [page(f"{n}.md") for n in range(4)]
    index = page("index.md", *[("Details of it", f"{n}.md") for n in range(4)], ("Just one", "0.md"))
    made = weak_pairs([*documents, index], ["anchor"])
    assert [pair.query for pair in made.pairs] == ["Just one"]
    assert made.counts["anchor"].dropped == {"too many documents share the query": 4}


def test_an_anchor_that_is_the_title_is_the_title_pair() -> None:
    documents = [page("a.md", ("Travel costs", "t.md")), page("t.md", title="Travel costs")]
    for forms in (["title", "anchor"], ["anchor", "title"]):
        made = weak_pairs(documents, forms)
        assert [(pair.form, pair.query) for pair in made.pairs] == [(forms[0], "Travel costs")]
        assert made.counts[forms[1]].dropped == {"the same pair again": 1}


# --- clicks ----------------------------------------------------------------------------------------------------------


def click(query: str, document: str, count: int) -> ClickedDocument:
    return ClickedDocument(query, document, {"click": count}, None, None)


def clicked(*rows: tuple[str, str, int], **settings: Any) -> list[tuple[str, str]]:
    pairs = co_clicked_pairs([click(*row) for row in rows], CoClicked(**settings))
    return [(pair.query, pair.positive) for pair in pairs if not pair.problem]


def test_queries_of_a_document_find_the_one_with_more_clicks() -> None:
    rows = [
        ("vpn wont start", "d1", 3),
        ("connect to vpn", "d1", 9),
        ("vpn", "d1", 1),
        ("vpn", "d2", 5),
        ("mail", "d2", 2),
    ]
    assert clicked(*rows) == [("vpn wont start", "connect to vpn"), ("mail", "vpn")]
    assert clicked(*rows, least_clicks=1)[0] == ("vpn wont start", "connect to vpn")
    assert len(clicked(*rows, least_clicks=1)) == 4
    assert clicked(*rows, least_clicks=1, per_document=2) == [("vpn wont start", "connect to vpn"), ("mail", "vpn")]


def test_clicks_are_added_up_over_rows_and_documents() -> None:
    rows = [
        ("one way", "d1", 1), ("One  Way", "d1", 1), ("other way", "d1", 2), ("third", "d2", 3), ("fourth", "d2", 3),
        ("one way", "d3", 2), ("other way", "d3", 2),
    ]  # fmt: skip
    assert clicked(*rows)[0] in {("one way", "other way"), ("other way", "one way")}, "2 + 2 go before 3"
    assert len(clicked(*rows)) == 2
    made = weak_pairs(forms=["co-clicked"], clicks=[click(*row) for row in rows])
    assert made.documents == 0
    assert {(row.group, row.document_group) for row in made.rows} == {("d1", "d1"), ("d2", "d2")}


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz"), st.integers(1, 4)), max_size=30),
    st.integers(0, 5),
    st.integers(2, 4),
)
def test_co_clicked_pairs_are_those_that_counting_by_hand_gives(
    rows: list[tuple[str, str, int]], least: int, most: int
) -> None:
    totals: dict[str, dict[str, int]] = {}
    for query, document, number in rows:
        of = totals.setdefault(document, {})
        of[query] = of.get(query, 0) + number
    weights: dict[frozenset[str], int] = {}
    for of in totals.values():
        kept = sorted((name for name in of if of[name] >= least), key=lambda name: -of[name])
        if len(kept) > most and len({of[name] for name in kept}) < len(kept):
            return  # which of equal ones goes is not what is asked here
        for place, first in enumerate(kept[:most]):
            for second in kept[place + 1 : most]:
                pair = frozenset((first, second))
                weights[pair] = weights.get(pair, 0) + min(of[first], of[second])
    pairs = [frozenset(pair) for pair in clicked(*rows, least_clicks=least, per_document=most)]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == set(weights)
    assert [weights[pair] for pair in pairs] == sorted(weights.values(), reverse=True)


# --- threads ---------------------------------------------------------------------------------------------------------


def test_the_accepted_answer_goes_before_the_one_with_most_votes() -> None:
    answers = (Answer("voted", score=9), Answer("taken", accepted=True, score=1), Answer("other", score=2))
    threads = [
        Thread("1", "Title", "Post.", answers), Thread("2", "", "Post.", answers[::2]),
        Thread("3", "Title", "Post.", (Answer("unknown"), Answer("zero", score=0))), Thread("4", "Title", "", ()),
    ]  # fmt: skip
    pairs = list(thread_pairs(threads, Forum()))
    assert [(pair.query, pair.positive) for pair in pairs[:2]] == [("Title Post.", "taken"), ("Post.", "voted")]
    assert [pair.problem for pair in pairs[2:]] == ["no answer was accepted or has the votes", "nobody has answered"]
    titles = [pair.query for pair in thread_pairs(threads, Forum(query="title"))]
    assert titles == ["Title", "Post.", "Title", "Title"]
    assert [pair.positive for pair in thread_pairs(threads, Forum(least_score=0))][2] == "zero"


@pytest.mark.parametrize(
    "record",
    [
        {"title": "T", "body": "P", "answers": [{"text": "no", "score": 5}, {"text": "yes it is", "accepted": True}]},
        {"Title": "T", "question_body": "P", "Answers": ["no", {"answer": "yes it is", "votes": 3}]},
        {"title": "T", "post": "P", "answers": ["no", "yes it is"], "accepted_answer": 1},
        {"title": "T", "post": "P", "answers": ["no", "yes it is"], "best_answer": "yes it is"},
        {"title": "T", "post": "P", "replies": ["no"], "bestAnswer": "yes it is"},
        {"title": "T", "post": "P", "accepted_answer": {"body": "yes it is"}},
        {"title": "T", "text": "P", "answers": [{"id": 7, "text": "no"}, {"id": 9, "text": "yes it is"}],
         "AcceptedAnswerId": "9"},
    ],
)  # fmt: skip
def test_shapes_of_threads(record: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "threads.jsonl"
    path.write_text(json.dumps({"id": "t", **record}) + "\n")
    (pair,) = thread_pairs(open_threads(path), Forum())
    assert (pair.query, pair.positive, pair.document) == ("T P", "yes it is", "t")


def test_threads_that_cannot_be_used_are_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "threads.jsonl"
    records = [
        {"answers": ["a"]}, {"title": "T", "answers": "a"}, {"title": 5, "answers": ["a"]},
        {"title": "T", "answers": [{"score": 3}]}, {"title": "T", "answers": ["fine"], "best_answer": "fine"},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + "{\n")
    file = open_threads(path)
    assert [thread.title for thread in file] == ["T"]
    assert [(each.line, each.reason) for each in file.rejected][:4] == [
        (1, "has neither a title nor a post"), (2, "its answers are no list but of type str"),
        (3, "its title or post is not a text but of type int"), (4, "answer 1 is missing"),
    ]  # fmt: skip
    assert len(file.rejected) == 5
    plain = tmp_path / "plain.jsonl"
    plain.write_text('{"title": "T", "text": "P"}\n')
    with pytest.raises(InputError, match="no column is called answers"):
        open_threads(plain)
