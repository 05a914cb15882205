"""What a chunk is, and chunks in a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmith.atomic import write_json_lines


@dataclass(frozen=True)
class Chunk:
    """A part of a document.

    Attributes:
        id: The document's id, ``#``, start, ``-``, stop.
        document: The document's id.
        start, stop: Where it stands, as characters of the document's text.
        text: That part of the text.
        above: The headings that it stands under and does not hold itself: the document's title, then headings from
            the topmost one down; none where there are none, or no room for them.
        held: The headings below those that its text begins with, as the first chunk of a section does.
    """

    id: str
    document: str
    start: int
    stop: int
    text: str
    above: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    @property
    def headings(self) -> tuple[str, ...]:
        """All that it stands under, from the topmost one down: ``above``, then ``held``."""
        return self.above + self.held

    @property
    def context(self) -> str:
        """What is put before the text, the headings ``above`` in one line: ``Handbook > Leave``."""
        return context_of(self.above)

    @property
    def in_context(self) -> str:
        """What a model is to read: the context, a space and the text, as titles and texts are joined everywhere."""
        return f"{self.context} {self.text}" if self.above else self.text


def context_of(headings: Iterable[str]) -> str:
    """Headings in one line."""
    return " > ".join(headings)


def write_chunks(path: str | Path, chunks: Iterable[Chunk]) -> int:
    """Write chunks as JSON lines, atomically, and count them.

    The file is one of texts: :func:`cosmith.data.read_texts` takes the context for the title, so that it reads what
    :attr:`Chunk.in_context` says.
    """
    return write_json_lines(path, map(_values, chunks))


def _values(chunk: Chunk) -> dict[str, Any]:
    return {
        "_id": chunk.id,
        "title": chunk.context,
        "text": chunk.text,
        "document": chunk.document,
        "start": chunk.start,
        "stop": chunk.stop,
        "headings": chunk.headings,
    }
