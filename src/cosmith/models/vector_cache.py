"""Vectors that were made once: the latest in memory, many more on disk, found again by what they were made of."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from cosmith.data.sqlite_files import explained_sqlite, open_sqlite
from cosmith.errors import InputError
from cosmith.phrases import share

MEMORY_BYTES, DISK_BYTES = 64 * 10**6, 4 * 10**9
_VERSION, _WHAT = 1, "cache of vectors"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"
)
_KEYS_A_QUERY, _ROWS_A_TRANSACTION = 500, 2_000
_ROW_OVERHEAD = 200
"""Bytes of a vector in memory beside its numbers: key, array object, place in the table."""
_LOG_BYTES = 64 * 10**6
"""To how much the write-ahead log is cut back when it has been taken over."""
_KEPT = 0.9
"""When the file is full, the oldest go until this share of the limit is in use, so that not every write clears."""


@dataclass
class CacheCounts:
    """What was asked of a cache, in distinct texts a call.

    Attributes:
        disk: Found as it was kept by those that used the cache before.
        made: Not found, so made.
        again: Found since it was asked for, or made, after the cache was opened.
    """

    disk: int = 0
    made: int = 0
    again: int = 0

    @property
    def asked(self) -> int:
        """All of them but those asked for again."""
        return self.disk + self.made

    @property
    def hit_rate(self) -> float:
        """The share that was there before; 0 where nothing was asked."""
        return self.disk / self.asked if self.asked else 0.0

    def describe(self) -> str:
        """``9,214 of 10,000 vectors (92 %) were there already; 786 were needed again``."""
        told = f"{self.disk:,} of {self.asked:,} vectors ({share(self.hit_rate)}) were there already"
        return told + (f"; {self.again:,} were needed again" if self.again else "")


class VectorCache:
    """Vectors by key, the least recently used of them dropped from memory, the oldest from the disk.

    On disk it is SQLite with a write-ahead log: vectors are there whole or not at all, whatever ends the process, and
    any number of processes may read and write at once. Texts are not in it, only hashes. Threads may share it.

    Args:
        path: The file, made where it is absent; None: in memory only.
        memory_bytes: The most bytes of vectors in memory.
        disk_bytes: The most bytes of the file that are in use. The file itself never shrinks, but what is free in it is
            used again.

    Attributes:
        counts: What was asked of it so far.

    Raises:
        InputError: When the file is something else, or a limit is negative.
        StorageError: When it may not be written.
    """

    def __init__(
        self, path: str | Path | None, *, memory_bytes: int = MEMORY_BYTES, disk_bytes: int = DISK_BYTES
    ) -> None:
        for name, limit in (("memory_bytes", memory_bytes), ("disk_bytes", disk_bytes)):
            if limit < 0:
                raise InputError(f"must be at least 0, got {limit}", field=name)
        self.path = None if path is None else Path(path)
        self.memory_bytes, self.disk_bytes = memory_bytes, disk_bytes
        self.counts = CacheCounts()
        self._memory: OrderedDict[bytes, npt.NDArray[np.float32]] = OrderedDict()
        self._memory_used = 0
        self._lock = threading.Lock()
        self._connection = None
        self._last_before = 0
        if self.path is not None:
            self._connection = open_sqlite(self.path, _TABLE, _VERSION, _WHAT)
            self._connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            self._last_before = self._connection.execute("SELECT max(number) FROM vectors").fetchone()[0] or 0

    def look_up(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Fill in the vectors that are there.

        Args:
            keys: Distinct keys.
            vectors: float32 ``[len(keys), width]``; a row whose vector is found is overwritten. One of another width
                counts as not found.

        Returns:
            bool ``[len(keys)]``: which were found.
        """
        found = np.zeros(len(keys), dtype=bool)
        with self._lock:
            for row, key in enumerate(keys):
                known = self._memory.get(key)
                if known is not None and len(known) == vectors.shape[1]:
                    self._memory.move_to_end(key)
                    vectors[row], found[row] = known, True
            before = 0  # nothing that is in memory: it was asked for, or made, since the cache was opened
            for start in range(0, len(keys), _KEYS_A_QUERY) if self._connection is not None else ():
                rows = np.flatnonzero(~found[start : start + _KEYS_A_QUERY]) + start
                before += self._look_up_on_disk(keys, rows, vectors, found)
            self.counts.disk += before
            self.counts.made += len(keys) - int(found.sum())
            self.counts.again += int(found.sum()) - before
        return found

    def _look_up_on_disk(
        self,
        keys: Sequence[bytes],
        rows: npt.NDArray[np.int64],
        vectors: npt.NDArray[np.float32],
        found: npt.NDArray[np.bool_],
    ) -> int:
        """Fill in what is there, and say how much of it was before this cache was opened."""
        assert self._connection is not None
        assert self.path is not None
        row_of = {keys[row]: row for row in rows.tolist()}
        marks = ", ".join("?" * len(row_of))
        with explained_sqlite(self.path, _WHAT):
            there = self._connection.execute(
                f"SELECT key, vector, number FROM vectors WHERE key IN ({marks})", list(row_of)
            ).fetchall()
        before = 0
        for key, stored, number in there:
            if len(stored) == 4 * vectors.shape[1]:
                row = row_of[key]
                vectors[row], found[row] = np.frombuffer(stored, dtype="<f4"), True
                self._remember(key, vectors[row])
                before += number <= self._last_before
        return before

    def keep(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Keep vectors; those that are not finite are left out.

        Args:
            keys: Their keys.
            vectors: float32 ``[len(keys), width]``.

        Raises:
            StorageError: When the disk is full; what was committed before stands.
        """
        rows = np.flatnonzero(np.isfinite(vectors).all(axis=1)).tolist()
        with self._lock:
            for row in rows:
                self._remember(keys[row], vectors[row])
            if self._connection is None or self.path is None:
                return
            for start in range(0, len(rows), _ROWS_A_TRANSACTION):
                values = [
                    (keys[row], vectors[row].astype("<f4", copy=False).tobytes())
                    for row in rows[start : start + _ROWS_A_TRANSACTION]
                ]
                with explained_sqlite(self.path, _WHAT), self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    self._connection.executemany("INSERT OR REPLACE INTO vectors (key, vector) VALUES (?, ?)", values)
                    self._clear_oldest()

    def _clear_oldest(self) -> None:
        """Delete the oldest where more of the file is in use than the limit."""
        in_use = self._bytes_in_use()
        if in_use <= self.disk_bytes:
            return
        assert self._connection is not None
        first, last = self._connection.execute("SELECT min(number), max(number) FROM vectors").fetchone()
        going = np.ceil((last - first + 1) * (1 - _KEPT * self.disk_bytes / in_use))
        self._connection.execute("DELETE FROM vectors WHERE number < ?", (first + int(going),))

    def _bytes_in_use(self) -> int:
        assert self._connection is not None
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _remember(self, key: bytes, vector: npt.NDArray[np.float32]) -> None:
        """Keep a copy in memory, dropping what was not used for longest."""
        size = vector.nbytes + _ROW_OVERHEAD
        if size > self.memory_bytes:
            return
        old = self._memory.pop(key, None)
        self._memory_used += size - (0 if old is None else old.nbytes + _ROW_OVERHEAD)
        self._memory[key] = vector.copy()
        while self._memory_used > self.memory_bytes:
            _, dropped = self._memory.popitem(last=False)
            self._memory_used -= dropped.nbytes + _ROW_OVERHEAD

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def default_cache_path() -> Path:
    """The user's file of vectors: ``vectors.sqlite`` in ``$COSMITH_CACHE``, else in the user's cache folder."""
    given = os.environ.get("COSMITH_CACHE")
    if given:
        return Path(given) / "vectors.sqlite"
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "cosmith" / "vectors.sqlite"
