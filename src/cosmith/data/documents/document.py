"""What a document is, whatever format it was written in: its text with the structure that the format gave it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosmith.atomic import write_json_lines


@dataclass(frozen=True)
class Section:
    """A part of a document under a heading.

    Attributes:
        heading: Its heading; empty for what stands before the first one.
        level: How deep it lies: 1 for the topmost headings, 0 before the first one.
        start, stop: Its own body as characters of the document's text: without the heading, and up to the next
            heading of whatever level.
    """

    heading: str
    level: int
    start: int
    stop: int


@dataclass(frozen=True)
class Link:
    """A link from a document to another one.

    Attributes:
        text: What is written on it.
        target: Where it leads, as the document says it, e.g. ``../guide.md#setup`` or an address.
        start, stop: Where its text stands, as characters of the document's text.
    """

    text: str
    target: str
    start: int
    stop: int


@dataclass(frozen=True)
class Document:
    """A document's plain text, and where its parts are.

    Attributes:
        id: Its name; of a file in a folder the path from there.
        text: Its plain text, without its title: markup is gone, paragraphs are parted by a blank line, a heading
            stands as a paragraph of its own.
        title: Its title, empty where it has none.
        format: What it was written in: ``markdown``, ``html``, ``text``, ``rst``, ``pdf`` or ``python``, or another
            programming language.
        sections: Its parts in order, without overlap; none where the format has no headings.
        links: Its links to other documents.
    """

    id: str
    text: str
    title: str = ""
    format: str = "text"
    sections: tuple[Section, ...] = ()
    links: tuple[Link, ...] = ()


def with_text(document: Document) -> Document:
    """The document; one that is nothing but a title as one whose text that is."""
    return document if document.text.strip() else Document(document.id, document.title, format=document.format)


def write_documents(path: str | Path, documents: Iterable[Document]) -> None:
    """Write documents as JSON lines, atomically; :func:`cosmith.data.read_texts` reads the file as well."""
    write_json_lines(path, map(document_values, documents))


def load_documents(path: str | Path) -> Iterator[Document]:
    """The documents that :func:`write_documents` wrote, one after another."""
    with Path(path).open(encoding="utf-8") as handle:
        for line in handle:
            yield document_of(json.loads(line))


def document_values(document: Document) -> dict[str, Any]:
    """A document as plain values: what :func:`write_documents` writes of it."""
    values = asdict(document)
    return {"_id": values.pop("id"), **values}


def document_of(values: Mapping[str, Any]) -> Document:
    """A document of what :func:`write_documents` writes of it; ``_id`` and ``text`` are enough.

    Raises:
        KeyError, TypeError: When these are missing, or sections or links are other than it writes them.
    """
    return Document(
        id=values["_id"],
        text=values["text"],
        title=values.get("title") or "",
        format=values.get("format") or "text",
        sections=tuple(Section(**each) for each in values.get("sections") or ()),
        links=tuple(Link(**each) for each in values.get("links") or ()),
    )
