"""Markdown (CommonMark with tables), with a title in YAML before it or without."""

from __future__ import annotations

import re

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cosmith.data.documents.composition import Composition, Inline
from cosmith.data.documents.decoding import decoded
from cosmith.data.documents.document import Document
from cosmith.data.documents.html import add_fragment

_FRONT = re.compile(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_BREAK = re.compile(r"<br\b", re.IGNORECASE)


def read_markdown(data: bytes, name: str) -> Document:
    """A Markdown file. The title is the one in its YAML front matter, or its first heading of level 1.

    Raises:
        UnreadableError: The bytes are not UTF-8.
    """
    title, text = _parted(decoded(data))
    composition = Composition(title)
    inline = Inline()
    for token in MarkdownIt("commonmark", {"maxNesting": 100}).enable(["table", "strikethrough"]).parse(text):
        if token.type in ("fence", "code_block"):
            composition.literal(token.content)
        elif token.type == "html_block":
            add_fragment(token.content, composition)
        elif token.type == "inline":
            _add(token.children or [], inline)
        elif token.type == "heading_close":
            composition.heading(inline, int(token.tag[1:]))
        elif token.type in ("td_open", "th_open") and inline:
            inline.add(" | ")
        elif token.type in ("paragraph_close", "tr_close"):
            composition.paragraph(inline)
    return composition.document(name, "markdown")


def _add(tokens: list[Token], inline: Inline) -> None:
    """Add what stands within a block; images are left out, and so are the tags of HTML."""
    for token in tokens:
        if token.type in ("text", "code_inline"):
            inline.add(token.content)
        elif token.type == "softbreak":
            inline.add(" ")
        elif token.type == "hardbreak" or (token.type == "html_inline" and _BREAK.match(token.content)):
            inline.break_line()
        elif token.type == "link_open":
            inline.open_link(str(token.attrs.get("href", "")))
        elif token.type == "link_close":
            inline.close_link()


def _parted(text: str) -> tuple[str, str]:
    """The title in the YAML before a Markdown text, and the text behind it."""
    front = _FRONT.match(text)
    if front is None:
        return "", text
    try:
        said = yaml.safe_load(front[1] or "")
    except (yaml.YAMLError, ValueError, RecursionError):  # a value error: an impossible date
        said = {}
    if said is not None and not isinstance(said, dict):
        return "", text  # lines between rulers
    title = (said or {}).get("title")
    return " ".join(str(title).split()) if isinstance(title, str | int | float) else "", text[front.end() :]
