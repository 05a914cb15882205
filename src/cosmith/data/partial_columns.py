"""Columns of training rows in which only some of the rows have a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cosmith.data.records import Record
from cosmith.phrases import counted

LOOKED_AT = 1000
"""The rows by which it is decided whether a column that was found by its name is used."""


def has_value(value: object) -> bool:
    """Whether a cell holds something: it is there, not empty and not blank, and no NaN, as Parquet files have it."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value != [] and value == value


def unused_columns(
    rows: Iterable[Record], parts: Mapping[str, Callable[[Mapping[str, Any]], bool]], columns: Mapping[str, str]
) -> dict[str, str]:
    """The parts for which fewer than half of the first rows have a value, each with what is to be said of it.

    One row that has a score must not cost all others; where most have one, those that lack it are the ones to look at.

    Args:
        rows: Records of rows that can be used; of them the first :data:`LOOKED_AT` are looked at.
        parts: Of each part whether a record has a value for it.
        columns: The column of each part.
    """
    if not parts:
        return {}
    seen, has = 0, dict.fromkeys(parts, 0)
    for record in islice(rows, LOOKED_AT):
        seen += 1
        for part, there in parts.items():
            has[part] += there(record.values)
    of = f"of the first {LOOKED_AT:,} rows" if seen == LOOKED_AT else f"of {counted(seen, 'row')}"
    return {
        part: f"column {columns[part]!r} is not used: {count:,} {of} have a value{_remedy(part, columns[part])}"
        for part, count in has.items()
        if 2 * count < seen
    }


def _remedy(part: str, column: str) -> str:
    if part not in ("label", "scores"):  # FlagEmbedding's two columns of scores cannot be named
        return "; leave out the other rows, where it counts"
    return f"; where it counts, name it, and only these are taken ({part}={column!r}, in a stage {part}: {column})"


def own_group(record: Record, path: Path) -> str:
    """The name of the group of a row that has none: its own, by its place, which does not tell where the files lie."""
    where = path.name
    if record.path is not None and record.path != path:
        where = str(record.path.relative_to(path)) if record.path.is_relative_to(path) else record.path.name
    return f"row {record.line} of {where}"


def rest_of(values: Mapping[str, Any], played: Sequence[str]) -> dict[str, Any]:
    """The values of a record in columns that play no part."""
    return {name: value for name, value in values.items() if name not in played}
