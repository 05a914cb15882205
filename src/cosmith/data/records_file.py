"""What a file's records are made into, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from cosmith.data.record_values import each_usable
from cosmith.data.records import Record, Table
from cosmith.data.rows import Rejected

T = TypeVar("T")


@dataclass(frozen=True)
class RecordsFile(Generic[T]):
    """The records of a file as what they stand for, read as they are asked for, anew each time.

    Attributes:
        table: The file.
        build: Makes something of a record, or raises :class:`cosmith.data.record_values.UnusableError`.
        rejected: The records that could not be used when they were last gone through.
    """

    table: Table
    build: Callable[[Record], T]
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file."""
        return self.table.path

    def __iter__(self) -> Iterator[T]:
        self.rejected.clear()
        return each_usable(self.table, self.build, self.rejected)
