"""The values of a file's records, checked one by one; a record with one that cannot be used is put aside."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from cosmith.data.records import Record, Table
from cosmith.data.rows import Rejected, RejectedRows, write_rejected
from cosmith.data.texts import text_problem
from cosmith.errors import InputError
from cosmith.phrases import counted

T = TypeVar("T")
_LARGEST_SCORE = float(np.finfo(np.float32).max)


class UnusableError(Exception):
    """Why a record cannot be used; :func:`usable` catches it."""


def each_usable(table: Table, build: Callable[[Record], T], bad: RejectedRows) -> Iterator[T]:
    """What ``build`` makes of the records, one at a time; those for which it gives a reason instead go to ``bad``.

    Raises:
        InputError: In the end, when there was no record that can be used.
    """
    none, rejected, first = True, 0, None
    for record in table.records():
        try:
            if record.problem:
                raise UnusableError(record.problem)
            built = build(record)
        except UnusableError as reason:
            unusable = Rejected(record.line, str(reason), record.raw[:500], str(record.path or table.path))
            rejected, first = rejected + 1, first or unusable
            bad.append(unusable)
        else:
            none = False
            yield built
    if none and first is not None:
        raise InputError(
            f"has {counted(rejected, 'row')}, none of which can be used; the first: {first.reason}",
            path=first.path,
            line=first.line,
            remedy="Mend the rows, or name the right columns.",
        )
    if none:
        raise InputError("has a header, but no rows", path=table.path, remedy="Give a file that holds rows.")


def usable(table: Table, build: Callable[[Record], T], rejected: str | Path | None) -> tuple[list[T], list[Rejected]]:
    """All that can be used, and the rest, which is written to ``rejected`` too where that is a path."""
    bad: list[Rejected] = []
    try:
        return list(each_usable(table, build, bad)), bad
    finally:
        if rejected is not None:
            write_rejected(rejected, bad)


def shown(value: object) -> str:
    """A value as a reason quotes it, cut where it is long: reasons are counted and held."""
    try:
        written = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python writes, lists in lists in lists
        return f"of type {type(value).__name__}"
    return written if len(written) <= 80 else written[:79] + "…"


def text_of(value: object, role: str) -> str:
    """A text that can be used.

    Raises:
        UnusableError: It cannot; so all functions below.
    """
    if problem := text_problem(value):
        raise UnusableError(f"{role} {problem}")
    return str(value)


def texts_of(value: object, role: str) -> tuple[str, ...]:
    """A text or a list of texts; nothing or an empty cell is no text."""
    if value is None or value == "":
        return ()
    if isinstance(value, list):
        return tuple(text_of(text, f"{role} {number}") for number, text in enumerate(value, 1))
    return (text_of(value, f"the {role}"),)


def name_of(value: object, role: str) -> str:
    """An id or a group: a text or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(value, role)


def label_of(value: object) -> int:
    """A whole number of 64 bits, or its digits."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise UnusableError(
                f"the label {shown(value)} is not a whole number" if value else "has no label"
            ) from None
    if value is None:
        raise UnusableError("has no label")
    if not isinstance(value, int):
        raise UnusableError(f"the label {shown(value)} is not a whole number")
    if not -(2**63) <= value < 2**63:
        raise UnusableError(f"the label {shown(value)} does not fit into 64 bits")
    return int(value)


def score_of(value: object, role: str) -> float:
    """A finite number that float32 can hold, or its digits."""
    try:
        score = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        score = math.nan
    if not abs(score) <= _LARGEST_SCORE:  # false for NaN too
        raise UnusableError(
            f"{role} {shown(value)} is not a number" if value not in (None, "") else f"{role} is missing"
        )
    return score


def scores_of(value: object) -> tuple[float, ...]:
    """A number, a list of numbers, or such a list written as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):  # a list in a cell of a CSV or TSV file
        try:
            value = json.loads(value)
        except ValueError:
            raise UnusableError(f"the scores {shown(value)} are not a list of numbers") from None
    values = value if isinstance(value, list) else [value]
    return tuple(score_of(each, f"score {number}") for number, each in enumerate(values, 1))
