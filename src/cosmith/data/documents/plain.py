"""Plain text, and source code, whose text is taken as it is."""

from __future__ import annotations

import re

from cosmith.data.documents.composition import trimmed
from cosmith.data.documents.decoding import UnreadableError, decoded
from cosmith.data.documents.document import Document, Section
from cosmith.data.python_source import decoded_source, definitions_of

_EDGES = re.compile(r"\A(?:[ \t]*\n)+|\s+\Z")


def read_text(data: bytes, name: str, format: str = "text") -> Document:
    """A file of plain text, or of a programming language: as it is, without blank lines at its ends.

    Raises:
        UnreadableError: The bytes are not UTF-8.
    """
    return Document(name, _EDGES.sub("", decoded(data)), format=format)


def read_python(data: bytes, name: str) -> Document:
    """A file of Python: as it is, with a section for each class, function and method, its dotted name the heading.

    A section begins with the decorators and with the lines of comment right above; a file that this version of Python
    cannot parse has none. The file is never imported.

    Raises:
        UnreadableError: The bytes are not in the encoding that the file declares.
    """
    source = decoded_source(data)
    if source is None:
        raise UnreadableError("is not in the encoding that it declares (UTF-8, where it declares none)")
    text = _EDGES.sub("", source)
    starts = [("", 0, 0)]
    starts += [(each.qualname, each.qualname.count(".") + 1, each.start) for each in definitions_of(text)]
    stops = [start for *_, start in starts[1:]] + [len(text)]
    sections = []
    for (heading, level, begin), end in zip(starts, stops, strict=True):
        start, stop = trimmed(text, begin, end)
        if heading or stop > start:
            sections.append(Section(heading, level, start, stop))
    return Document(name, text, format="python", sections=tuple(sections) if len(starts) > 1 else ())
