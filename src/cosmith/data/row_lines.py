"""Training rows as JSON lines that :func:`cosmith.data.read_rows` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cosmith.atomic import write_json_lines
from cosmith.data.rows import TrainingRow

_TEXTS = ("query", "positive", "negative", "scores")


def write_rows(path: str | Path, rows: Iterable[TrainingRow], rest: Iterable[Mapping[str, Any]] | None = None) -> int:
    """Write rows one after another, atomically; what a row does not have is left out.

    Args:
        path: The file.
        rows: The rows.
        rest: Of each row what else stands in its record (:meth:`cosmith.data.RowsFile.rest`): it is written in place of
            the row's label and groups. A column that is called as one of the row's is written as ``original_…``.

    Returns:
        How many there were.
    """
    if rest is None:
        return write_json_lines(path, map(_values, rows))
    return write_json_lines(path, (_with(_values(row), others) for row, others in zip(rows, rest, strict=False)))


def _with(values: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    written = {name: value for name, value in values.items() if name in _TEXTS}
    for name, value in rest.items():
        written[f"original_{name}" if name in written else name] = _plain(value)
    return written


def _plain(value: Any) -> Any:
    """As JSON has it: a Parquet file may hold dates, too."""
    if value is None or isinstance(value, str | int | float):
        return value
    return json.loads(json.dumps(value, ensure_ascii=False, default=str))


def _values(row: TrainingRow) -> dict[str, Any]:
    values: dict[str, Any] = {"query": row.query, "positive": list(row.positives)}
    if row.negatives:
        values["negative"] = list(row.negatives)
    for name in ("scores", "label", "group", "document_group"):
        if (value := getattr(row, name)) is not None:
            values[name] = list(value) if name == "scores" else value
    return values
