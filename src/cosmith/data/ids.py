"""The ids of a table's texts, each of which may stand once."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosmith.data.columns import find_column
from cosmith.data.record_values import name_of, shown
from cosmith.data.records import Record, Table
from cosmith.data.texts import text_hash
from cosmith.errors import InputError
from cosmith.phrases import counted


@dataclass(frozen=True)
class TextIds:
    """How the texts of a table are called: by the column ``_id`` or ``id``, or by where they stand.

    Attributes:
        table: The table.
        column: The column; None where there is none.
    """

    table: Table
    column: str | None

    @classmethod
    def among(cls, table: Table, text_column: str) -> TextIds:
        """Those of a table whose texts are in ``text_column``.

        Raises:
            InputError: When several columns could hold the ids.
        """
        others = [name for name in table.columns if name != text_column]
        return cls(table, find_column(others, "auto", "id", table.path, remedy="Call the right one '_id'."))

    def of(self, record: Record) -> str:
        """The id of a record's text.

        Raises:
            UnusableError: It has none.
        """
        if self.column is not None:
            return name_of(record.values.get(self.column), "the id")
        if record.path is None:
            return str(record.line)
        return f"{record.path.relative_to(self.table.path)}:{record.line}"


class SeenIds:
    """Where ids have stood, so that one that stands twice is refused; in memory are 20 bytes for each.

    Args:
        ids: How the texts are called.
    """

    def __init__(self, ids: TextIds) -> None:
        self._ids = ids
        self._hashes, self._lines, self._files = array("q"), array("q"), array("i")
        self._paths: dict[Path, int] = {}

    def add(self, record: Record) -> str:
        """Take a record, and give its id.

        Raises:
            UnusableError: It has none.
        """
        given = self._ids.of(record)
        if self._ids.column is not None:  # lines are different by themselves
            self._hashes.append(text_hash(given.encode()))
            self._lines.append(record.line)
            self._files.append(self._paths.setdefault(record.path or self._ids.table.path, len(self._paths)))
        return given

    def require_unique(self) -> None:
        """Refuse the table when an id stands in two of its records.

        Raises:
            InputError: It does; it names both places.
        """
        hashes = np.array(self._hashes, dtype=np.int64)
        order = np.argsort(hashes, kind="stable")
        same = hashes[order[1:]] == hashes[order[:-1]]
        if not same.any():
            return
        second = int(order[1:][same].min())
        first = int(np.flatnonzero(hashes == hashes[second])[0])
        (path, line), (other, earlier) = self._place(second), self._place(first)
        given = next(
            self._ids.of(record)
            for record in self._ids.table.records()
            if record.line == line and (record.path or self._ids.table.path) == path
        )
        more = f"; {counted(int(same.sum()) - 1, 'more such line')}" if same.sum() > 1 else ""
        raise InputError(
            f"the id {shown(given)} stands on line {earlier}{'' if other == path else f' of {other}'} already{more}",
            path=path, line=line, field=self._ids.column,
            remedy="Remove one of the two, or give each text an id of its own.",
        )  # fmt: skip

    def _place(self, number: int) -> tuple[Path, int]:
        return list(self._paths)[self._files[number]], self._lines[number]
