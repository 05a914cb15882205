"""What every format relies on: spans of sections and links agree with the text."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from cosmith.data.documents import Document
from cosmith.data.documents.composition import Composition, Inline

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
pieces = st.tuples(st.sampled_from(["text", "open", "close", "break"]), words)
blocks = st.tuples(
    st.sampled_from(["paragraph", "literal", "heading"]), st.integers(1, 4), st.lists(pieces, max_size=6)
)


def composed(given_blocks: list[tuple[str, int, list[tuple[str, str]]]], title: str) -> Document:
    composition = Composition(title)
    inline = Inline()
    for kind, level, parts in given_blocks:
        if kind == "literal":
            composition.literal("\n".join(text for _, text in parts))
            continue
        for what, text in parts:
            if what == "text":
                inline.add(text)
            elif what == "open":
                inline.open_link(text)
            elif what == "close":
                inline.close_link()
            else:
                inline.break_line()
        if kind == "heading":
            composition.heading(inline, level)
        else:
            composition.paragraph(inline)
    return composition.document("d", "html")


@given(st.lists(blocks, max_size=8), st.sampled_from(["", "A title"]))
def test_spans_of_sections_and_links_agree_with_the_text(
    assert_spans_agree: Callable[[Document], None],
    given_blocks: list[tuple[str, int, list[tuple[str, str]]]],
    title: str,
) -> None:
    document = composed(given_blocks, title)
    assert_spans_agree(document)
    assert document.title == title or not title


@given(st.lists(words, max_size=8))
def test_no_word_of_a_paragraph_is_lost(texts: list[str]) -> None:
    inline = Inline()
    for text in texts:
        inline.add(text)
    text, links = inline.take()
    unseen = str.maketrans("", "", "\u00ad\u200b\ufeff")
    assert "".join(text.split()) == "".join("".join(texts).translate(unseen).split())
    assert "  " not in text
    assert not links


def test_white_space_is_one_space_and_links_know_where_they_stand() -> None:
    document = composed(
        [
            ("heading", 1, [("text", "The  guide")]),
            ("paragraph", 1, [("text", " See\n"), ("open", "a.md"), ("text", " the "), ("text", "docs"), ("close", ""),
                              ("text", ", or "), ("open", "#here"), ("text", "here"), ("close", ""), ("text", ".")]),
            ("heading", 2, [("text", "Part")]),
            ("literal", 1, [("text", "def f():"), ("text", "    return 1")]),
        ],
        "",
    )  # fmt: skip
    assert document.title == "The guide"
    assert document.text == "See the docs, or here.\n\nPart\n\ndef f():\n    return 1"
    assert [(link.text, link.target) for link in document.links] == [("the docs", "a.md")]
    assert [(each.heading, each.level, document.text[each.start : each.stop]) for each in document.sections] == [
        ("", 0, "See the docs, or here."),
        ("Part", 2, "def f():\n    return 1"),
    ]


def test_a_heading_that_the_title_repeats_is_left_out_and_another_is_not() -> None:
    heading = [("heading", 1, [("text", "Setup")]), ("paragraph", 1, [("text", "Do this.")])]
    assert composed(heading, "Setup — The Handbook").text == "Do this."
    assert composed(heading, "The Handbook").text == "Setup\n\nDo this."
