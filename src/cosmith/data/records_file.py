"""What a file's records are made into, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Self, TypeVar

from cosmith.data.ids import SeenIds, TextIds
from cosmith.data.record_values import each_usable
from cosmith.data.records import Record, Table
from cosmith.data.rows import Rejected, RejectedRows

T = TypeVar("T")


@dataclass(frozen=True)
class RecordsFile(Generic[T]):
    """The records of a file as what they stand for, read as they are asked for, anew each time.

    Attributes:
        path: The file.
        columns: The column of each part that was found.
        format: What the file is, in words.
        rejected: The records that could not be used when they were last gone through.
    """

    path: Path
    columns: Mapping[str, str]
    format: str
    _read: Callable[[RejectedRows], Iterator[tuple[Path, int, T]]]
    rejected: list[Rejected] = field(default_factory=list)

    @classmethod
    def of(
        cls, table: Table, build: Callable[[Record], T], columns: Mapping[str, str], ids: TextIds | None = None
    ) -> Self:
        """Those of a table.

        Args:
            table: The file.
            build: Makes something of a record, or raises :class:`cosmith.data.record_values.UnusableError`.
            columns: The column of each part that was found.
            ids: How the records are called, where each must have an id of its own; that one stands twice shows when
                all are gone through.
        """

        def read(rejected: RejectedRows) -> Iterator[tuple[Path, int, T]]:
            seen = None if ids is None else SeenIds(ids)

            def placed(record: Record) -> tuple[Path, int, T]:
                built = build(record)
                if seen is not None:
                    seen.add(record)
                return record.path or table.path, record.line, built

            yield from each_usable(table, placed, rejected)
            if seen is not None:
                seen.require_unique()

        return cls(table.path, columns, table.format, read)

    def __iter__(self) -> Iterator[T]:
        self.rejected.clear()
        return self.into(self.rejected)

    def into(self, rejected: RejectedRows) -> Iterator[T]:
        """What they stand for; those that cannot be used go elsewhere than to :attr:`rejected`, e.g. to a file."""
        return (each for _, _, each in self._read(rejected))

    def placed(self, rejected: RejectedRows) -> Iterator[tuple[Path, int, T]]:
        """The same, each with the file and the line where it stands."""
        return self._read(rejected)
