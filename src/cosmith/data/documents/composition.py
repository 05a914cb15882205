"""A document's text as it grows block by block, with the places of its sections and links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cosmith.data.documents.document import Document, Link, Section

_ELSEWHERE = re.compile(r"(?!#|javascript:|data:|mailto:|tel:).", re.IGNORECASE)  # no place within the same document
_UNSEEN = str.maketrans("", "", "\u00ad\u200b\ufeff\0")  # soft hyphens, spaces of no width, NUL


class Inline:
    """The text of one block: runs of white space become one space, and links know where they stand."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""
        self._open: list[_Place] = []
        self._places: list[_Place] = []

    def add(self, text: str) -> None:
        """Add text; white space at its ends parts it from its neighbours."""
        text = text.translate(_UNSEEN)
        words = text.split()
        if text[:1].isspace():
            self._gap = self._gap or " "
        if words:
            self._append(self._gap if self._length else "")
            for place in self._open:
                place.begin(self._length)
            self._append(" ".join(words))
            for place in self._open:
                place.stop = self._length
            self._gap = " " if text[-1].isspace() else ""

    def break_line(self) -> None:
        """What follows stands on a new line."""
        self._gap = "\n"

    def __bool__(self) -> bool:
        """Whether there is any text yet."""
        return self._length > 0

    def open_link(self, target: str) -> None:
        """What follows is written on a link, until it is closed."""
        place = _Place(target.strip())
        self._open.append(place)
        self._places.append(place)

    def close_link(self) -> None:
        """End the innermost open link, if there is one."""
        if self._open:
            self._open.pop()

    def take(self) -> tuple[str, list[Link]]:
        """The text and its links; empties the block. Links that are still open go on in the next one."""
        text = "".join(self._parts)
        links = [
            Link(text[place.start : place.stop], place.target, place.start, place.stop)
            for place in self._places
            if place.stop > place.start and _ELSEWHERE.match(place.target)
        ]
        self._open = [_Place(place.target) for place in self._open]
        self._parts, self._length, self._gap, self._places = [], 0, "", list(self._open)
        return text, links

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)


@dataclass
class _Place:
    target: str
    start: int = -1
    stop: int = -1

    def begin(self, position: int) -> None:
        if self.start < 0:
            self.start = position


@dataclass(frozen=True)
class _Heading:
    text: str
    level: int
    start: int  # where its paragraph begins, and with it the end of what stands before
    stop: int


@dataclass
class Composition:
    """Paragraphs and headings in their order, put together to a :class:`Document`.

    Attributes:
        title: The title, where it is known before the text; else the first heading of level 1 becomes it. That
            heading stands in the text only if it says something else than the title.
    """

    title: str = ""
    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _headings: list[_Heading] = field(default_factory=list)
    _links: list[Link] = field(default_factory=list)
    _title_seen: bool = False

    def paragraph(self, inline: Inline) -> None:
        """End a block: a paragraph, unless it is empty."""
        text, links = inline.take()
        start = self._block(text)
        self._links += [Link(link.text, link.target, start + link.start, start + link.stop) for link in links]

    def literal(self, text: str) -> None:
        """A block whose lines stay as they are, such as code."""
        lines = [line.rstrip() for line in text.translate(_UNSEEN).expandtabs(4).split("\n")]
        while lines and not lines[0]:
            del lines[0]
        self._block("\n".join(lines).rstrip())

    def heading(self, inline: Inline, level: int) -> None:
        """End a block: a heading of a level from 1 on, unless it is empty."""
        text, links = inline.take()
        if not text:
            return
        if level == 1 and not self._title_seen:
            self._title_seen = True
            self.title = self.title or text
            if _says(self.title, text):
                return
        start = self._block(text)
        self._headings.append(_Heading(text, level, start, self._length))
        self._links += [Link(link.text, link.target, start + link.start, start + link.stop) for link in links]

    def document(self, id: str, format: str) -> Document:
        """All of it."""
        text = "".join(self._parts)
        return Document(id, text, self.title, format, tuple(self._sections(text)), tuple(self._links))

    def _block(self, text: str) -> int:
        """Add a block, and say where it begins."""
        if text:
            if self._parts:
                self._parts.append("\n\n")
                self._length += 2
            self._parts.append(text)
            self._length += len(text)
        return self._length - len(text)

    def _sections(self, text: str) -> list[Section]:
        if not self._headings:
            return []
        sections = []
        before = _Heading("", 0, 0, 0)
        for heading in (*self._headings, _Heading("", 0, len(text), len(text))):
            start, stop = trimmed(text, before.stop, heading.start)
            if before.level or stop > start:
                sections.append(Section(before.text, before.level, start, stop))
            before = heading
        return sections


def trimmed(text: str, start: int, stop: int) -> tuple[int, int]:
    """A span of a text without the white space at its ends; an empty one where there is nothing else."""
    part = text[start:stop]
    begin = start + len(part) - len(part.lstrip())
    return begin, max(begin, start + len(part.rstrip()))


def _says(title: str, heading: str) -> bool:
    """Whether a title holds all that a heading says."""
    title, heading = (re.sub(r"\W+", " ", each.casefold()).strip() for each in (title, heading))
    return f" {heading} " in f" {title} "
