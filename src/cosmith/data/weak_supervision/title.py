"""Title → body, the commonest of all (E5, arXiv:2212.03533, Section 3.1; GTE, arXiv:2308.03281, Section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cosmith.data.documents import Document
from cosmith.data.weak_supervision.pair import Pair


@dataclass(frozen=True)
class Title:
    """The title of a document finds its body."""


def title_pairs(document: Document, form: Title) -> Iterator[Pair]:
    """The title of a document with its body; none where it has no title."""
    title = document.title.strip()
    if title:
        body, start, stop = untitled(document)
        yield Pair("title", title, body, document.id, document.id, start, stop)


def untitled(document: Document) -> tuple[str, int, int]:
    """A document's text without the title that it may begin with, since the same words on both sides would be all that
    is learnt; and where that title stands, 0 and 0 where it does not."""
    title, body = document.title.strip(), document.text.strip()
    if not title or not body.casefold().startswith(title.casefold()):
        return body, 0, 0
    rest = body[len(title) :].lstrip(" .:-–—\n\t")
    start = len(document.text) - len(document.text.lstrip())
    return rest, start, start + len(body) - len(rest)
