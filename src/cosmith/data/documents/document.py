"""What a document is, whatever format it was written in: its text with the structure that the format gave it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosmith.atomic import atomic_file
from cosmith.errors import InputError


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


def write_documents(path: str | Path, documents: Iterable[Document]) -> None:
    """Write documents as JSON lines, atomically; :func:`cosmith.data.read_texts` reads the file as well."""
    with atomic_file(path) as handle:
        for document in documents:
            values = asdict(document)
            handle.write(json.dumps({"_id": values.pop("id"), **values}, ensure_ascii=False) + "\n")


def load_documents(path: str | Path) -> Iterator[Document]:
    """The documents that :func:`write_documents` wrote, one after another; also texts that have ``_id`` and ``text``.

    Raises:
        InputError: When a line is no document.
    """
    with Path(path).open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            try:
                yield _document(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(
                    f"is no document ({type(error).__name__}: {error})",
                    path=path,
                    line=number,
                    remedy="Write the file with write_documents or a stage `documents`.",
                ) from error


def _document(values: dict[str, Any]) -> Document:
    return Document(
        id=str(values["_id"]),
        text=str(values["text"]),
        title=str(values.get("title") or ""),
        format=str(values.get("format") or "text"),
        sections=tuple(Section(**each) for each in values.get("sections") or ()),
        links=tuple(Link(**each) for each in values.get("links") or ()),
    )
