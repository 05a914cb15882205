"""What a record is, wherever it stands, and what a table of them is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmith.errors import InputError


@dataclass(frozen=True)
class Record:
    """One record of a file.

    Attributes:
        line: Where it begins, counted from 1 (in a Parquet or Arrow file, or on the hub: which row).
        values: Its columns; empty where ``problem`` says why it cannot be read.
        raw: The record as it stands in the file.
        problem: Why it cannot be read, or empty.
        path: The file, where the table is of several.
    """

    line: int
    values: dict[str, Any]
    raw: str
    problem: str = ""
    path: Path | None = None


@dataclass(frozen=True)
class Table:
    """A file of records, or several that are read as one.

    Attributes:
        path: The file or folder; of a data set on the hub what it was asked for by.
        columns: The names of its columns; of a JSONL file all keys that occur in it.
        records: Reads the records, anew at every call.
        format: What it is, in words.
        named: Whether the columns have names of their own: those of a plain text file do not.
    """

    path: Path
    columns: tuple[str, ...]
    records: Callable[[], Iterator[Record]]
    format: str
    named: bool = True


def require_file(path: Path) -> None:
    """Refuse a path where there is no file, an empty one, one that may not be read, or a pipe: files are read twice.

    Raises:
        InputError: In these cases.
    """
    if path.is_dir():
        raise InputError("is a folder, not a file", path=path, remedy="Give a file.")
    if not path.exists():
        raise InputError("there is no such file", path=path, remedy="Check the path.")
    if not path.is_file():
        raise InputError("is a pipe, or another thing that can be read only once", path=path,
                         remedy="Write it to a file first.")  # fmt: skip
    if not os.access(path, os.R_OK):
        raise InputError("may not be read", path=path, remedy="Change its permissions.")
    if path.stat().st_size == 0:
        raise InputError("is empty", path=path, remedy="Give a file that holds something.")


def column_names(path: Path, names: list[str], line: int | None = None) -> tuple[str, ...]:
    """The names of a file's columns.

    Args:
        path: The file.
        names: They as they stand there.
        line: Where.

    Raises:
        InputError: When two are the same.
    """
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two columns are called {name!r}", path=path, line=line, remedy="Rename one of them.")
    return tuple(names)
