"""Where the paragraphs and passages of a text begin and end; all spans are characters, spaces at the ends left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cosmith.data.documents import Document
from cosmith.data.documents.composition import trimmed
from cosmith.data.sentences import sentence_spans

Span = tuple[int, int]

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")


def bodies(document: Document) -> list[Span]:
    """The stretches of a document's text that no heading parts: the bodies of its sections, or all of the text."""
    spans = [(each.start, each.stop) for each in document.sections] or [(0, len(document.text))]
    return [span for span in (trimmed(document.text, *span) for span in spans) if span[0] < span[1]]


def paragraphs(text: str, start: int, stop: int) -> Iterator[Span]:
    """What blank lines part."""
    begin = start
    for end in (*(found.end() for found in _BLANK_LINE.finditer(text, start, stop)), stop):
        span = trimmed(text, begin, end)
        if span[0] < span[1]:
            yield span
        begin = end


def passages(text: str, start: int, stop: int, *, shortest: int, longest: int) -> list[Span]:
    """Paragraphs, those longer than ``longest`` characters parted between sentences, short ones with what follows.

    A passage below ``shortest`` takes the next one along where both together are not too long. A single sentence that
    is longer than ``longest`` stays whole.
    """
    pieces = [
        piece
        for span in paragraphs(text, start, stop)
        for piece in (
            [span] if span[1] - span[0] <= longest else _packed(sentence_spans(text, *span), longest, longest)
        )
    ]
    return _packed(pieces, shortest, longest)


def _packed(spans: Iterable[Span], enough: int, most: int) -> list[Span]:
    """Neighbours put together until they have ``enough`` characters, but never more than ``most``."""
    packed: list[Span] = []
    for begin, end in spans:
        if packed and packed[-1][1] - packed[-1][0] < enough and end - packed[-1][0] <= most:
            packed[-1] = packed[-1][0], end
        else:
            packed.append((begin, end))
    return packed
