"""Which column of a file plays which part."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from cosmith.errors import InputError, nearest

# The first of each is the canonical name: where it is there, others are not taken into account.
SYNONYMS = {
    "query": ("query", "anchor", "question", "sentence1", "text1"),
    "positive": ("positive", "positives", "pos", "document", "passage", "answer", "sentence2", "text2"),
    "label": ("label",),
    "group": ("group",),
    "scores": ("scores", "score"),
    "id": ("_id", "id"),
    "text": ("text", "document", "passage", "content", "sentence", "query", "question"),
    "first": ("sentence1", "text1"),
    "second": ("sentence2", "text2"),
    "score": ("score",),
}
_NEGATIVE = re.compile(r"neg(?:ative)?s?(?:[_ -]?(\d+))?", re.IGNORECASE)


def find_column(columns: Sequence[str], choice: str | None, part: str, path: Path) -> str | None:
    """Find the column of a part, e.g. the query.

    Args:
        columns: The columns that there are.
        choice: A column's name, ``"auto"`` to find it among the part's synonyms (case does not count), None for none.
        part: A key of :data:`SYNONYMS`.
        path: The file, for the message.

    Returns:
        The column's name; None where there is none.

    Raises:
        InputError: When the named column is not there, or several could be meant.
    """
    if choice is None:
        return None
    if choice != "auto":
        return _named(columns, choice, part, path)
    names = SYNONYMS[part]
    if names[0] in columns:
        return names[0]
    found = [column for column in columns if column.strip().lower() in names]
    if len(found) > 1:
        raise InputError(
            f"several columns could be the {part}: {', '.join(map(repr, found))}",
            path=path,
            field=part,
            remedy=f"Say which: {part}={found[0]!r}.",
        )
    return found[0] if found else None


def require_column(columns: Sequence[str], choice: str, part: str, path: Path, remedy: str | None = None) -> str:
    """As :func:`find_column`, for a part that there must be.

    Args:
        columns, choice, part, path: As there.
        remedy: What to do where there is none; by default to say which it is.

    Raises:
        InputError: When there is none; it names the columns that there are.
    """
    column = find_column(columns, choice, part, path)
    if column is None:
        names = SYNONYMS[part]
        close = next((name for name in columns if difflib.get_close_matches(name.lower(), names, n=1)), None)
        hint = f"Did you mean {close!r}? Say {part}={close!r}." if close else f"Say which it is: {part}=COLUMN."
        listed = ", ".join(map(repr, columns)) or "none"
        raise InputError(
            f"no column is called {' or '.join(names)}; its columns: {listed}",
            path=path,
            field=part,
            remedy=remedy or hint,
        )
    return column


def find_negatives(columns: Sequence[str], choice: str | Sequence[str] | None, path: Path) -> tuple[str, ...]:
    """The columns of negatives: ``negative``, ``negatives``, ``neg``, ``negative_1``, ``negative_2``, … in order.

    Raises:
        InputError: When a named column is not there.
    """
    if choice is None:
        return ()
    if choice != "auto":
        named = [choice] if isinstance(choice, str) else choice
        return tuple(_named(columns, name, "negative", path) for name in named)
    found = [(match, column) for column in columns if (match := _NEGATIVE.fullmatch(column.strip()))]
    return tuple(column for match, column in sorted(found, key=lambda pair: int(pair[0][1] or 0)))


def _named(columns: Sequence[str], name: str, part: str, path: Path) -> str:
    if name not in columns:
        raise InputError(f"has no column {name!r}", path=path, field=part, remedy=nearest(name, columns))
    return name
