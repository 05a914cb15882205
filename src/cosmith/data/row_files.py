"""Training rows written as they come, in memory that hardly grows with their number.

All that is known of a row goes to files without a name; texts and groups are numbered there
(:mod:`cosmith.data.numbering`), and the Arrow files are copied together from them. They are, byte for byte, those that
the same rows give in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cosmith.data.arrow_files import write_batch
from cosmith.data.numbering import NumberedTexts, TextNumbering
from cosmith.data.row_arrays import RowCheck
from cosmith.data.row_fingerprint import Column, group_bytes, rows_fingerprint
from cosmith.data.rows import SourceSettings, TrainingRow
from cosmith.data.spools import ByteSpool, Spool

_TYPES = {"q": pa.int64(), "i": pa.int32(), "f": pa.float32()}
_ROLES = ("query", "positives", "negatives")


@dataclass(frozen=True)
class Written:
    """What :func:`write_row_files` wrote: how many rows and texts, and the fingerprint of the source that they are."""

    rows: int
    texts: int
    fingerprint: str


def write_row_files(folder: Path, rows: Iterable[TrainingRow], settings: SourceSettings, spill: Path) -> Written:
    """Write ``texts.arrow`` and ``rows.arrow``.

    Args:
        folder: Where to; the caller sees to it that it is a temporary one. Where there are no rows, nothing is written.
        rows: The rows.
        settings: Those of the source, for its fingerprint.
        spill: A folder on whose disk the rows wait.

    Raises:
        InputError: When a row cannot be used.
        StorageError: When the disk is full.
    """
    waiting = _Waiting(spill)
    for row in rows:
        waiting.add(row)
    if not waiting.rows:
        return Written(0, 0, "")
    return waiting.write(folder, settings)


class _Names:
    """A group of each row."""

    def __init__(self, spill: Path) -> None:
        self._numbering, self.digested = TextNumbering(spill), ByteSpool(spill)

    def add(self, name: str) -> None:
        self._numbering.add(name.encode())
        self.digested.write(group_bytes(name))

    def column(self, spill: Path, mapped: list[mmap]) -> pa.DictionaryArray:
        found = self._numbering.finish()
        indices = Spool(spill, "i")  # what Arrow's dictionary_encode gives
        for block in found.numbers.blocks():
            indices.extend(block.astype(np.int32))
        return pa.DictionaryArray.from_arrays(_array(indices, mapped), _strings(found, mapped), safe=False)


class _Waiting:
    """Rows that wait for their texts to be numbered."""

    def __init__(self, spill: Path) -> None:
        self._spill = spill
        self._check = RowCheck()
        self._texts, self._roles = TextNumbering(spill), Spool(spill, "B")
        self._offsets = {role: Spool(spill, "q") for role in _ROLES[1:]}
        self._totals = dict.fromkeys(_ROLES[1:], 0)
        for offsets in self._offsets.values():
            offsets.append(0)
        self._scores, self._labels = Spool(spill, "f"), Spool(spill, "q")
        self._groups = {name: _Names(spill) for name in ("group", "document_group")}
        self.rows = 0

    def add(self, row: TrainingRow) -> None:
        self._check(row, self.rows)
        self._texts.add(row.query.encode())
        self._roles.append(0)
        for role, texts in ((1, row.positives), (2, row.negatives)):
            for text in texts:
                self._texts.add(text.encode())
                self._roles.append(role)
            self._totals[_ROLES[role]] += len(texts)
            self._offsets[_ROLES[role]].append(self._totals[_ROLES[role]])
        if row.scores is not None:
            self._scores.extend(row.scores)
        if row.label is not None:
            self._labels.append(row.label)
        for name, names in self._groups.items():
            if (given := getattr(row, name)) is not None:
                names.add(given)
        self.rows += 1

    def write(self, folder: Path, settings: SourceSettings) -> Written:
        texts = self._texts.finish()
        mapped: list[mmap] = []
        table = [_strings(texts, mapped), _array(texts.hashes, mapped)]
        write_batch(folder / "texts.arrow", pa.record_batch(table, names=["text", "hash"]), mapped)
        mapped.clear()
        numbers = self._by_role(texts.numbers)
        columns: dict[str, Any] = {
            "query": _array(numbers[0], mapped),
            "positives": _lists(self._offsets["positives"], numbers[1], mapped),
            "negatives": _lists(self._offsets["negatives"], numbers[2], mapped),
        }
        if self._check.has["scores"]:
            both = Spool(self._spill, "q")
            for ends in zip(*(self._offsets[role].blocks() for role in _ROLES[1:]), strict=True):
                both.extend(ends[0] + ends[1])
            columns["scores"] = _lists(both, self._scores, mapped)
        if self._check.has["label"]:
            columns["label"] = _array(self._labels, mapped)
        for name, names in self._groups.items():
            if self._check.has[name]:
                columns[name] = names.column(self._spill, mapped)
        write_batch(folder / "rows.arrow", pa.record_batch(list(columns.values()), names=list(columns)), mapped)
        return Written(self.rows, len(texts), self._fingerprint(settings, texts))

    def _by_role(self, spool: Spool) -> list[Spool]:
        """What is known of each occurrence of a text, parted into that of queries, positives and negatives."""
        parted = [Spool(self._spill, "q") for _ in _ROLES]
        for values, roles in zip(spool.blocks(), self._roles.blocks(), strict=True):
            for role, part in enumerate(parted):
                part.extend(values[roles == role])
        return parted

    def _fingerprint(self, settings: SourceSettings, texts: NumberedTexts) -> str:
        hashes = self._by_role(texts.occurrence_hashes)
        columns: list[Column | None] = [
            _column(hashes[0]),
            _column(self._offsets["positives"]),
            _column(hashes[1]),
            _column(self._offsets["negatives"]),
            _column(hashes[2]),
            _column(self._scores) if self._check.has["scores"] else None,
            _column(self._labels) if self._check.has["label"] else None,
        ]
        groups = [names.digested.blocks() if self._check.has[name] else None for name, names in self._groups.items()]
        return rows_fingerprint(settings, columns, groups[0], groups[1])


def _column(spool: Spool) -> Column:
    return len(spool), spool.blocks()


def _buffer(spool: Spool | ByteSpool, mapped: list[mmap]) -> pa.Buffer:
    mapping = spool.mapped()
    if mapping is None:
        return pa.py_buffer(b"")
    mapped.append(mapping)
    return pa.py_buffer(mapping)


def _array(spool: Spool, mapped: list[mmap]) -> pa.Array:
    kind = _TYPES[spool.dtype.char if spool.dtype.char in _TYPES else "q"]
    return pa.Array.from_buffers(kind, len(spool), [None, _buffer(spool, mapped)], null_count=0)


def _strings(texts: NumberedTexts, mapped: list[mmap]) -> pa.LargeStringArray:
    buffers = [_buffer(texts.ends, mapped), _buffer(texts.texts, mapped)]
    return pa.LargeStringArray.from_buffers(len(texts), *buffers, null_count=0)


def _lists(offsets: Spool, values: Spool, mapped: list[mmap]) -> pa.LargeListArray:
    child = _array(values, mapped)
    buffers = [None, _buffer(offsets, mapped)]
    return pa.Array.from_buffers(pa.large_list(child.type), len(offsets) - 1, buffers, null_count=0, children=[child])
