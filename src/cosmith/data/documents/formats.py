"""Which formats are read, how their files are known, and by what."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import PurePath

from cosmith.data.documents.document import Document
from cosmith.errors import InputError, nearest

Reader = Callable[[bytes, str], Document]

_SUFFIXES = {
    "markdown": ".md .markdown .mdown .mkd",
    "html": ".html .htm .xhtml",
    "text": ".txt .text",
    "rst": ".rst .rest",
    "pdf": ".pdf",
    "python": ".py .pyi .pyw",
    "c": ".c .h",
    "c#": ".cs",
    "c++": ".cc .cpp .cxx .hh .hpp .hxx",
    "clojure": ".clj .cljs",
    "dart": ".dart",
    "elixir": ".ex .exs",
    "erlang": ".erl",
    "fortran": ".f .f90 .f95",
    "go": ".go",
    "haskell": ".hs",
    "java": ".java",
    "javascript": ".js .jsx .mjs .cjs",
    "julia": ".jl",
    "kotlin": ".kt .kts",
    "lua": ".lua",
    "ocaml": ".ml .mli",
    "perl": ".pl .pm",
    "php": ".php",
    "r": ".r",
    "ruby": ".rb",
    "rust": ".rs",
    "scala": ".scala",
    "shell": ".sh .bash .zsh",
    "sql": ".sql",
    "swift": ".swift",
    "typescript": ".ts .tsx",
}
_FORMAT_OF = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
FORMATS = tuple(_SUFFIXES)
"""The names of the formats; those behind ``python`` are programming languages whose text is taken as it is."""

# Imported when there is a file of the format: each needs a library that is installed with the extra `documents`.
_WITH_LIBRARY = {
    "markdown": "cosmith.data.documents.markdown:read_markdown",
    "html": "cosmith.data.documents.html:read_html",
    "rst": "cosmith.data.documents.restructured_text:read_restructured_text",
    "pdf": "cosmith.data.documents.pdf:read_pdf",
}


def format_of(path: PurePath) -> str | None:
    """The format of a file by its name; None where it is none of those that are read."""
    return _FORMAT_OF.get(path.suffix.lower())


def checked_formats(names: Iterable[str] | None) -> tuple[str, ...]:
    """Formats by their names; all of them for None.

    Raises:
        InputError: When there is none of that name.
    """
    if names is None:
        return FORMATS
    chosen = (names,) if isinstance(names, str) else tuple(names)
    for name in chosen:
        if name not in FORMATS:
            raise InputError(f"{name!r} is no format of documents", field="formats", remedy=nearest(name, FORMATS))
    return chosen


def reader_of(format: str) -> Reader:
    """What reads files of a format.

    Raises:
        InputError: When the library that it needs is not installed.
    """
    from cosmith.data.documents.plain import read_python, read_text

    if format == "python":
        return read_python
    if format not in _WITH_LIBRARY:
        return partial(read_text, format=format)
    module, _, name = _WITH_LIBRARY[format].partition(":")
    try:
        reader: Reader = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"files of the format {format} cannot be read without {error.name}",
            field="formats",
            remedy='Install it: pip install "cosmith[documents]".',
        ) from error
    return reader
