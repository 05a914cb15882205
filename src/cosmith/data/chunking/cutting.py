"""Cutting documents: by tokens, by sentences, or along their sections.

However a text is cut, all of it that is not white space stands in a chunk, and what a model reads of a chunk, headings
and special tokens included, is never more than the limit: every chunk is measured as it will be read, and made shorter
until it fits, since a part of a text may have more tokens by itself than it had within the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cosmith.data.chunking.chunk import Chunk, context_of
from cosmith.data.chunking.measure import TextMeasure, WordMeasure
from cosmith.data.documents.composition import trimmed
from cosmith.data.documents.document import Document
from cosmith.data.ragged import Int64
from cosmith.data.sentences import sentence_spans
from cosmith.errors import InputError, nearest

How = Literal["tokens", "sentences", "sections"]
Span = tuple[int, int]
_AT_ONCE = 100_000  # characters given to a tokenizer at a time
_AT_WORST = 64  # characters of a chunk that is less than a token of the whole text


@dataclass(frozen=True)
class Chunking:
    """How documents are cut.

    Attributes:
        how: ``tokens``: as many as there is room for, never within a word that fits by itself; ``sentences``: whole
            sentences; ``sections``: a section each, under its headings, where it is too long by whole sentences.
        tokens: The most tokens of a chunk, with its headings and all that a model adds; None: as many as the model
            reads.
        overlap: Tokens at the end of a chunk that begin the next one too, at most (``sentences``, ``sections``: whole
            sentences of them); never from one section to the next.

    Raises:
        InputError: When a value is not possible.
    """

    how: How = "sentences"
    tokens: int | None = None
    overlap: int = 0

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise InputError(f"{self.how!r} is no way to cut documents", field="how",
                             remedy=nearest(str(self.how), get_args(How)))  # fmt: skip
        if self.tokens is not None and self.tokens < 1:
            raise InputError(f"is {self.tokens}", field="tokens", remedy="Give 1 or more, or leave it out.")
        if self.overlap < 0 or (self.tokens is not None and 2 * self.overlap > self.tokens):
            raise InputError(
                f"is {self.overlap}", field="overlap", remedy="Give 0 or more, and at most half of the tokens."
            )

    def limit(self, measure: TextMeasure) -> int:
        """The most tokens of a chunk.

        Raises:
            InputError: When neither these settings nor the measure have one, or the overlap is over half of it.
        """
        given = [limit for limit in (self.tokens, measure.limit) if limit is not None]
        if not given:
            raise InputError("neither the tokens of a chunk nor a model are said", field="tokens",
                             remedy="Say how many tokens a chunk may have.")  # fmt: skip
        if 2 * self.overlap > min(given):
            raise InputError(f"is {self.overlap}, over half of the {min(given)} tokens of a chunk", field="overlap",
                             remedy="Give less.")  # fmt: skip
        return min(given)


def chunk_documents(
    documents: Iterable[Document], chunking: Chunking | None = None, measure: TextMeasure | None = None
) -> Iterator[Chunk]:
    """Cut documents, one after another.

    Example::

        chunks = chunk_documents(read_documents("handbook"), Chunking("sections", 256), encoder.measure())
        write_chunks("chunks.jsonl", chunks)

    Args:
        documents: Documents; those without sections have one, which is all of their text.
        chunking: How; by default whole sentences, as many as the model reads.
        measure: Counts tokens, :meth:`cosmith.models.Encoder.measure`; None counts words.

    Yields:
        At least one chunk of every document that is not white space only, in the order of their text.

    Raises:
        InputError: When no limit is given, or it is so low that a single character has no room.
    """
    chunking = chunking or Chunking()
    measure = measure or WordMeasure()
    limit = chunking.limit(measure)
    for document in documents:
        yield from _Cutting(document, chunking, measure, limit).chunks()


def chunk_texts(
    texts: Mapping[str, str], chunking: Chunking | None = None, measure: TextMeasure | None = None
) -> Iterator[Chunk]:
    """Cut texts without structure (id → text), as :func:`chunk_documents`."""
    return chunk_documents((Document(name, text) for name, text in texts.items()), chunking, measure)


@dataclass(frozen=True)
class _Region:
    """A part of a document that is cut by itself.

    Attributes:
        start, stop: Where.
        above: The headings that it stands under.
        own: The headings that it begins with, and under which all of it but its first chunk stands as well.
    """

    start: int
    stop: int
    above: tuple[str, ...]
    own: tuple[str, ...] = ()


class _Cutting:
    """The cutting of one document."""

    def __init__(self, document: Document, chunking: Chunking, measure: TextMeasure, limit: int) -> None:
        self.document, self.chunking, self.measure, self.limit = document, chunking, measure, limit
        self.text = document.text

    def chunks(self) -> Iterator[Chunk]:
        for region in self._regions():
            start, stop = trimmed(self.text, region.start, region.stop)
            if stop > start:
                units = self._units(start, stop)
                yield from self._packed(units, self._tokens(start, stop), region)

    # ---------------------------------------------------------------- what is cut

    def _regions(self) -> Iterator[_Region]:
        """The document's sections with their headings; all of it where it has none, or they are not asked for.

        A heading without a text of its own belongs to the first section below it.
        """
        title = (self.document.title,) if self.document.title else ()
        if self.chunking.how != "sections" or not self.document.sections:
            yield _Region(0, len(self.text), title)
            return
        path: list[tuple[int, str]] = []
        start, above = 0, None
        sections = self.document.sections
        for number, section in enumerate(sections):
            path = [each for each in path if each[0] < section.level]
            above = title + tuple(heading for _, heading in path) if above is None else above
            if section.level:
                path.append((section.level, section.heading))
            deeper = number + 1 < len(sections) and sections[number + 1].level > section.level
            if deeper and not self.text[section.start : section.stop].strip():
                continue
            yield self._region(start, section.stop, above, title + tuple(heading for _, heading in path))
            start, above = section.stop, None
        yield _Region(start, len(self.text), title + tuple(heading for _, heading in path))

    def _region(self, start: int, stop: int, above: tuple[str, ...], whole: tuple[str, ...]) -> _Region:
        """A region; where the text does not hold the headings, as in source code, all of it stands under them."""
        own = whole[len(above) :]
        held = own and self.text[start:stop].lstrip().startswith(own[0])
        return _Region(start, stop, above, own) if held else _Region(start, stop, whole)

    def _units(self, start: int, stop: int) -> list[Span]:
        """What is not torn apart unless it must be."""
        if self.chunking.how == "tokens":
            return []
        return list(sentence_spans(self.text, start, stop))

    def _tokens(self, start: int, stop: int) -> Int64:
        """Where tokens begin at which the text may be cut, ascending: int64 ``[n]``; the first is ``start``."""
        found = [np.array([start], dtype=np.int64)]
        while start < stop:
            end = stop if stop - start <= _AT_ONCE else self.text.rfind(" ", start + 1, start + _AT_ONCE) + 1
            end = end or start + _AT_ONCE
            spans = self.measure.spans(self.text[start:end]) + start
            begins = np.array([_visible(self.text, *span) for span in spans.tolist()], dtype=np.int64)
            # A character of several tokens is not cut, and neither is one that stands in a token before.
            reached = np.maximum.accumulate(np.concatenate([[start], spans[:, 1]]))[:-1]
            found.append(begins[(begins >= reached) & (begins > found[0][0])])
            start = end
        return np.unique(np.concatenate(found))

    # ---------------------------------------------------------------- how it is cut

    def _packed(self, units: Sequence[Span], tokens: Int64, region: _Region) -> Iterator[Chunk]:
        start, stop = trimmed(self.text, region.start, region.stop)
        edges = np.array([begin for begin, _ in units if begin > start] + [stop], dtype=np.int64)
        first = True
        covered = start
        while covered < stop:
            headings = self._fitting(region.above if first else region.above + region.own)
            room = self.limit - self.measure.count(context_of(headings))
            begin = start if first else self._back(start, covered, edges, tokens, stop)
            end = self._end(begin, covered, stop, edges, tokens, room, headings)
            if end is None and begin < covered:  # what is repeated takes the room of what is new
                begin = covered
                end = self._end(begin, covered, stop, edges, tokens, room, headings)
            if end is None:
                raise InputError(
                    f"is {self.limit}, too few for the character {self.text[covered]!r} of the document"
                    f" {self.document.id!r}",
                    field="tokens",
                    remedy="Give more.",
                )
            chunk = self._chunk(begin, end, headings, region.own if first else ())
            yield chunk
            start, first = chunk.start, False  # not `begin`, which may be the white space before it
            covered = _next_visible(self.text, end, stop)

    def _end(
        self, begin: int, covered: int, stop: int, edges: Int64, tokens: Int64, room: int, headings: tuple[str, ...]
    ) -> int | None:
        """Where a chunk that begins at ``begin`` ends: behind ``covered``, as far as there is room; None: nowhere."""
        last = int(np.searchsorted(tokens, begin)) + max(room, 1)
        reach = int(tokens[last]) if last < len(tokens) else stop
        ways: tuple[Callable[[], Int64], ...] = (
            lambda: _between(edges, covered, reach),
            lambda: self._words(tokens, covered, reach, stop),
            lambda: _between(tokens, covered, reach),
            lambda: np.arange(covered + 1, min(reach, covered + _AT_WORST) + 1),
        )
        for places in ways:
            end = self._longest(begin, places(), headings)
            if end is not None:
                return end
        return None

    def _words(self, tokens: Int64, covered: int, reach: int, stop: int) -> Int64:
        """Where words begin within reach, and the end of the text."""
        places = [place for place in _between(tokens, covered, reach).tolist()
                  if not (_of_word(self.text[place - 1]) and _of_word(self.text[place]))]  # fmt: skip
        return np.array(places + [stop] * (reach >= stop), dtype=np.int64)

    def _longest(self, begin: int, places: Int64, headings: tuple[str, ...]) -> int | None:
        """The last of some places, ascending, up to which a chunk fits."""
        for place in reversed(places.tolist()):
            if self._fits(begin, place, headings):
                return int(place)
        return None

    def _fits(self, begin: int, end: int, headings: tuple[str, ...]) -> bool:
        return self.measure.count(self._chunk(begin, end, headings).in_context) <= self.limit

    def _fitting(self, headings: tuple[str, ...]) -> tuple[str, ...]:
        """As many of the headings, from the innermost one up, as take no more than half of a chunk."""
        while headings and 2 * self.measure.count(context_of(headings)) > self.limit:
            headings = headings[1:]
        return headings

    def _back(self, start: int, covered: int, edges: Int64, tokens: Int64, stop: int) -> int:
        """Where a chunk begins that repeats the end of what is covered, all of it behind ``start``."""
        if not self.chunking.overlap:
            return covered
        earliest = int(tokens[max(0, int(np.searchsorted(tokens, covered)) - self.chunking.overlap)])
        places = edges[:-1] if len(edges) > 1 else self._words(tokens, start, covered, stop)
        behind = _between(places, max(start, earliest - 1), covered)
        return int(behind[0]) if len(behind) else covered

    def _chunk(self, begin: int, end: int, above: tuple[str, ...], held: tuple[str, ...] = ()) -> Chunk:
        start, stop = trimmed(self.text, begin, end)
        name = self.document.id
        return Chunk(f"{name}#{start}-{stop}", name, start, stop, self.text[start:stop], above, held)


def _visible(text: str, begin: int, end: int) -> int:
    """The first character of a token that is not white space; its first one where all are."""
    part = text[begin:end]
    return begin + len(part) - len(part.lstrip()) if part.strip() else begin


def _between(places: Int64, low: int, high: int) -> Int64:
    """Those of some ascending places that are above ``low`` and at most ``high``."""
    return places[np.searchsorted(places, low, "right") : np.searchsorted(places, high, "right")]


def _next_visible(text: str, place: int, stop: int) -> int:
    while place < stop and text[place].isspace():
        place += 1
    return place


def _of_word(character: str) -> bool:
    """Whether a word may go on behind a character, in scripts that part words by spaces."""
    return (character.isalnum() or character == "_") and not "\u3040" <= character <= "\u9fff"
