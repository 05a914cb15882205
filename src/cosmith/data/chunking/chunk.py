"""What a chunk is, and chunks in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cosmith.atomic import atomic_file


@dataclass(frozen=True)
class Chunk:
    """A part of a document.

    Attributes:
        id: The document's id, ``#``, start, ``-``, stop.
        document: The document's id.
        start, stop: Where it stands, as characters of the document's text.
        text: That part of the text.
        headings: What it stands under and does not hold itself: the document's title, then headings from the topmost
            one down; none where there are none, or no room for them.
    """

    id: str
    document: str
    start: int
    stop: int
    text: str
    headings: tuple[str, ...] = ()

    @property
    def context(self) -> str:
        """The headings in one line: ``Handbook > Leave``."""
        return context_of(self.headings)

    @property
    def in_context(self) -> str:
        """What a model is to read: the context, a space and the text, as titles and texts are joined everywhere."""
        return f"{self.context} {self.text}" if self.headings else self.text


def context_of(headings: Iterable[str]) -> str:
    """Headings in one line."""
    return " > ".join(headings)


def write_chunks(path: str | Path, chunks: Iterable[Chunk]) -> int:
    """Write chunks as JSON lines, atomically, and count them.

    The file is one of texts: :func:`cosmith.data.read_texts` takes the context for the title, so that it reads what
    :attr:`Chunk.in_context` says.
    """
    count = 0
    with atomic_file(path) as handle:
        for chunk in chunks:
            values = {
                "_id": chunk.id,
                "title": chunk.context,
                "text": chunk.text,
                "document": chunk.document,
                "start": chunk.start,
                "stop": chunk.stop,
                "headings": chunk.headings,
            }
            handle.write(json.dumps(values, ensure_ascii=False) + "\n")
            count += 1
    return count
