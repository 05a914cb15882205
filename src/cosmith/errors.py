"""The errors that a user can do something about.

Everything that Cosmith refuses goes through :class:`CosmithError`: the message says what was wrong, where
(file, line, field), and what to do. The command line prints it without a traceback and exits with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class CosmithError(Exception):
    """Something the user can mend.

    Args:
        problem: What is wrong, one sentence without the final full stop.
        path: The file or folder concerned.
        line: The line (counted from 1) within ``path``.
        field: The column, key or argument concerned.
        remedy: What to do about it, one sentence.
    """

    def __init__(
        self,
        problem: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem, self.path, self.line, self.field, self.remedy = problem, path, line, field, remedy
        where = str(path) if path is not None else ""
        if line is not None:
            where += f":{line}" if where else f"line {line}"
        if field is not None:
            where += f" [{field}]" if where else f"[{field}]"
        message = f"{where}: {problem}" if where else problem
        super().__init__(f"{message}. {remedy}" if remedy else message)


class InputError(CosmithError, ValueError):
    """What was given (a file, a row, an argument) cannot be used."""


class StorageError(CosmithError, OSError):
    """Something could not be written or read; what was there before stands unchanged."""


def nearest(word: str, valid: Iterable[str]) -> str:
    """A remedy for a misspelt name: the nearest valid one, or the whole list."""
    choices = sorted(valid)
    close = difflib.get_close_matches(word, choices, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Valid: {', '.join(choices)}."
