"""The errors that a user can do something about.

Everything that Cosmith refuses goes through :class:`CosmithError`: the message says what was wrong, where
(file, line, field), and what to do. The command line prints it without a traceback and exits with 1.
"""

from __future__ import annotations

import difflib
import shlex
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


class ColumnError(InputError):
    """A column that is needed is not in a file, or could be several of those that are.

    Args:
        problem: As of every error.
        path: The file.
        field: The argument that says which column it is.
        advice: What to do, up to where that argument is given: ``Say which it is:``.
        column: The column that is likely meant, or a word that stands for one.
        way: What is written before the column to give the argument; by default as in Python, ``positive='answer'``.
    """

    def __init__(
        self, problem: str, *, path: str | Path | None, field: str, advice: str, column: str, way: str | None = None
    ) -> None:
        self.advice, self.column = advice, column
        said = f"{field}={column!r}" if way is None else way + shlex.quote(column)
        super().__init__(problem, path=path, field=field, remedy=f"{advice} {said}.")

    def told_as(self, field: str, way: str) -> ColumnError:
        """The same where the column is named in another way, e.g. by the option ``--positive``, ``"--positive "``."""
        return ColumnError(self.problem, path=self.path, field=field, advice=self.advice, column=self.column, way=way)


class NoQueriesError(ColumnError):
    """Texts or documents, where rows of a query and its answer are needed.

    Args:
        problem: What is there instead.
        path: Where.
        field: The argument that says which column has the queries.
    """

    def __init__(self, problem: str, *, path: str | Path | None, field: str) -> None:
        made = f"cosmith data pairs {shlex.quote(str(path))} --output pairs.jsonl"
        remedy = (
            f"Make pairs of them first: {made}, or have a language model write queries: cosmith data synthesise."
            " Where a column does hold the queries, name it."
        )
        InputError.__init__(self, problem, path=path, field=field, remedy=remedy)

    def told_as(self, field: str, way: str) -> NoQueriesError:
        """The same by another argument; which column to name is not known."""
        return NoQueriesError(self.problem, path=self.path, field=field)


class StorageError(CosmithError, OSError):
    """Something could not be written or read; what was there before stands unchanged."""


_OF_THE_EXTRA_TORCH = {"torch", "transformers", "accelerate", "tensorboard"}


def told_as_extra(error: ModuleNotFoundError, what: str) -> InputError | None:
    """What to install where a module is missing that comes with the extra ``torch``; None where it is another.

    Args:
        error: As Python raised it.
        what: What was asked for.
    """
    if error.name is None or error.name.partition(".")[0] not in _OF_THE_EXTRA_TORCH:
        return None
    return InputError(
        f"needs the package {error.name}, which is not installed", field=what,
        remedy='Run: pip install "cosmith[torch]". Without it models run that `cosmith export` made.',
    )  # fmt: skip


def nearest(word: str, valid: Iterable[str]) -> str:
    """A remedy for a misspelt name: the nearest valid one, or the whole list."""
    choices = sorted(valid)
    close = difflib.get_close_matches(word, choices, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Valid: {', '.join(choices)}."
