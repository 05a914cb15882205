"""Texts that are to be searched or written about, with the names by which rows know the documents they are from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_CHUNK = re.compile(r"(.+?)(?:#\d+-\d+)+", re.DOTALL)


@dataclass(frozen=True)
class Passage:
    """A text of a document, or a whole one.

    Attributes:
        id: Its name, by which rows say what they were made from.
        text: The text.
        document: The id of what it is a part of; None where it is whole.
    """

    id: str
    text: str
    document: str | None = None


CorpusTexts = Mapping[str, str] | Iterable[str | Passage]
"""Texts by their ids; or bare ones, and passages that know their documents. A bare text is of no document."""


def document_of_id(name: str) -> str:
    """The id of the document that a text is of, by its own id: a chunk's, ``guide.md#0-512``, begins with it."""
    part = _CHUNK.fullmatch(name)
    return part[1] if part else name


def passages_of(texts: Mapping[str, str]) -> list[Passage]:
    """Texts by their ids as passages; an id as chunks have it, ``guide.md#0-512``, says what the text is a part of."""
    return list(_passages(texts))


def each_passage(texts: CorpusTexts) -> Iterator[Passage | str]:
    """The texts one after another; those of a mapping as passages."""
    return _passages(texts) if isinstance(texts, Mapping) else iter(texts)


def _passages(texts: Mapping[str, str]) -> Iterator[Passage]:
    for name, text in texts.items():
        document = document_of_id(name)
        yield Passage(name, text, document if document != name else None)
