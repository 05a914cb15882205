"""Where the paragraphs, sentences and passages of a text begin and end; all spans are characters, spaces at the ends
left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cosmith.data.documents import Document

Span = tuple[int, int]

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
# A mark behind two letters or more (no initial, no "e.g.") and before something that can begin a sentence; the marks of
# Chinese and Japanese; the end of a paragraph.
_SENTENCE_END = re.compile(r"\w\w[.!?][\"')\]»”’]*\s++(?![a-z])|[。！？]\s*|\n\s*\n\s*")


def trimmed(text: str, start: int, stop: int) -> Span:
    """A span without the spaces at its ends; an empty one stays at ``start``."""
    inner = text[start:stop]
    kept = inner.strip()
    if not kept:
        return start, start
    begin = start + len(inner) - len(inner.lstrip())
    return begin, begin + len(kept)


def bodies(document: Document) -> list[Span]:
    """The stretches of a document's text that no heading parts: the bodies of its sections, or all of the text."""
    spans = [(each.start, each.stop) for each in document.sections] or [(0, len(document.text))]
    return [span for span in (trimmed(document.text, *span) for span in spans) if span[0] < span[1]]


def paragraphs(text: str, start: int, stop: int) -> Iterator[Span]:
    """What blank lines part."""
    return _parts(text, start, stop, (end.end() for end in _BLANK_LINE.finditer(text, start, stop)))


def sentence_ends(text: str, start: int, stop: int) -> Iterator[int]:
    """Where sentences end that others follow: the first character behind each and the spaces after it."""
    return (end.end() for end in _SENTENCE_END.finditer(text, start, stop))


def sentences(text: str, start: int, stop: int) -> Iterator[Span]:
    """What ends of sentences part."""
    return _parts(text, start, stop, sentence_ends(text, start, stop))


def passages(text: str, start: int, stop: int, *, shortest: int, longest: int) -> list[Span]:
    """Paragraphs, those longer than ``longest`` characters parted between sentences, short ones with what follows.

    A passage below ``shortest`` takes the next one along where both together are not too long. A single sentence that
    is longer than ``longest`` stays whole.
    """
    pieces = [
        piece
        for span in paragraphs(text, start, stop)
        for piece in ([span] if span[1] - span[0] <= longest else _packed(sentences(text, *span), longest, longest))
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


def _parts(text: str, start: int, stop: int, ends: Iterable[int]) -> Iterator[Span]:
    begin = start
    for end in (*ends, stop):
        span = trimmed(text, begin, end)
        if span[0] < span[1]:
            yield span
        begin = end
