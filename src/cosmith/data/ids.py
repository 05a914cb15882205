"""The ids of a table's texts, each of which may stand once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import numpy as np

from cosmith.data.columns import find_column
from cosmith.data.ragged import Int64
from cosmith.data.record_values import UnusableError, name_of, shown
from cosmith.data.records import Record, Table
from cosmith.data.spools import Spool
from cosmith.data.texts import text_hash
from cosmith.errors import InputError
from cosmith.phrases import counted

_HASHES_AT_ONCE = 1 << 22


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
    """Where ids have stood, so that one that stands twice is refused; a file without a name holds 8 bytes for each.

    Args:
        ids: How the texts are called.
    """

    def __init__(self, ids: TextIds) -> None:
        self._ids = ids
        self._hashes = None if ids.column is None else Spool(Path(gettempdir()), "q")

    def add(self, record: Record) -> str:
        """Take a record, and give its id.

        Raises:
            UnusableError: It has none.
        """
        given = self._ids.of(record)
        if self._hashes is not None:  # lines are different by themselves
            self._hashes.append(text_hash(given.encode()))
        return given

    def require_unique(self) -> None:
        """Refuse the table when an id stands in two of its records.

        Raises:
            InputError: It does; it names both places.
        """
        if self._hashes is None:
            return
        twice = np.unique(np.concatenate([np.empty(0, np.int64), *_repeated(self._hashes)]))
        if not len(twice):
            return
        first: dict[str, tuple[Path, int]] = {}
        again: list[tuple[str, Path, int]] = []
        for record, given in self._called(set(twice.tolist())):
            place = (record.path or self._ids.table.path, record.line)
            if given in first:
                again.append((given, *place))
            else:
                first[given] = place
        if not again:  # two ids of one hash
            return
        given, path, line = again[0]
        other, earlier = first[given]
        more = f"; {counted(len(again) - 1, 'more such line')}" if len(again) > 1 else ""
        raise InputError(
            f"the id {shown(given)} stands on line {earlier}{'' if other == path else f' of {other}'} already{more}",
            path=path, line=line, field=self._ids.column,
            remedy="Remove one of the two, or give each text an id of its own.",
        )  # fmt: skip

    def _called(self, hashes: set[int]) -> Iterator[tuple[Record, str]]:
        """The records whose ids have one of these hashes, and the ids."""
        for record in self._ids.table.records():
            try:
                given = "" if record.problem else self._ids.of(record)
            except UnusableError:
                continue
            if given and text_hash(given.encode()) in hashes:
                yield record, given


def _repeated(hashes: Spool) -> Iterator[Int64]:
    """The hashes that stand in more than one place; those of one remainder at a time, so that few are held."""
    parts = -(-len(hashes) // _HASHES_AT_ONCE)
    for part in range(parts):
        held = np.concatenate([block[block % parts == part] for block in hashes.blocks()])
        held.sort()
        yield held[1:][held[1:] == held[:-1]]
