"""Training rows as JSON lines that :func:`cosmith.data.read_rows` reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cosmith.atomic import write_json_lines
from cosmith.data.rows import TrainingRow


def write_rows(path: str | Path, rows: Iterable[TrainingRow]) -> int:
    """Write rows one after another, atomically; what a row does not have is left out.

    Returns:
        How many there were.
    """
    return write_json_lines(path, map(_values, rows))


def _values(row: TrainingRow) -> dict[str, Any]:
    values: dict[str, Any] = {"query": row.query, "positive": list(row.positives)}
    if row.negatives:
        values["negative"] = list(row.negatives)
    for name in ("scores", "label", "group", "document_group"):
        if (value := getattr(row, name)) is not None:
            values[name] = list(value) if name == "scores" else value
    return values
