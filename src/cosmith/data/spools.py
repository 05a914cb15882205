"""Numbers and bytes that go to files without a name as they come, so that memory holds no more than a block of them.

What is mapped or read back from them is never held whole either: :func:`write_batch <cosmith.data.arrow_files>` lets go
of the pages that it has copied.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from cosmith.atomic import explained

BLOCK = 1 << 15
"""Numbers that are held, written and read at a time."""


class ByteSpool:
    """Bytes in a file without a name.

    Args:
        folder: On whose disk the file is; it goes with this object.

    Raises:
        StorageError: When the folder may not be written, or its disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = _unnamed_file(folder)
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Put bytes behind the others."""
        with explained(self._folder):
            self._file.write(data)
        self.size += len(data)

    def write_at(self, place: int, data: bytes) -> None:
        """Put bytes in the place of others, or behind the end."""
        self._flush()
        with explained(self._folder):
            os.pwrite(self._file.fileno(), data, place)
        self.size = max(self.size, place + len(data))

    def read(self, place: int, size: int) -> bytes:
        """``size`` bytes from ``place`` on."""
        self._flush()
        return os.pread(self._file.fileno(), size, place)

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """All bytes, ``size`` at a time."""
        for place in range(0, self.size, size):
            yield self.read(place, min(size, self.size - place))

    def mapped(self) -> mmap | None:
        """The file as it is now, memory-mapped; None while it is empty, which cannot be mapped."""
        self._flush()
        return mmap(self._file.fileno(), 0, access=ACCESS_READ) if self.size else None

    def _flush(self) -> None:
        with explained(self._folder):
            self._file.flush()


class Spool:
    """Numbers of one type in a file without a name.

    Args:
        folder: On whose disk the file is.
        code: The type, as Python's arrays call it: ``q`` int64, ``i`` int32, ``f`` float32, ``B`` uint8.

    Raises:
        StorageError: As :class:`ByteSpool`.
    """

    def __init__(self, folder: Path, code: Literal["q", "i", "f", "B"]) -> None:
        self._bytes = ByteSpool(folder)
        self._pending: array[Any] = array(code)
        self.dtype = np.dtype(code)

    def __len__(self) -> int:
        return self._bytes.size // self.dtype.itemsize + len(self._pending)

    def append(self, value: float) -> None:
        """Put a number behind the others."""
        self._pending.append(value)
        if len(self._pending) >= BLOCK:
            self._flush()

    def extend(self, values: npt.NDArray[Any] | Iterable[float]) -> None:
        """Put numbers behind the others."""
        if isinstance(values, np.ndarray):
            self._flush()
            self._bytes.write(np.ascontiguousarray(values, dtype=self.dtype).tobytes())
            return
        self._pending.extend(values)
        if len(self._pending) >= BLOCK:
            self._flush()

    def read(self, start: int, count: int) -> npt.NDArray[Any]:
        """``count`` numbers from number ``start`` on."""
        self._flush()
        size = self.dtype.itemsize
        return np.frombuffer(self._bytes.read(start * size, count * size), dtype=self.dtype)

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """All numbers, :data:`BLOCK` at a time."""
        for start in range(0, len(self), BLOCK):
            yield self.read(start, min(BLOCK, len(self) - start))

    def mapped(self) -> mmap | None:
        """As :meth:`ByteSpool.mapped`."""
        self._flush()
        return self._bytes.mapped()

    def _flush(self) -> None:
        if self._pending:
            self._bytes.write(self._pending.tobytes())
            del self._pending[:]


def _unnamed_file(folder: Path) -> IO[bytes]:
    with explained(folder):
        return TemporaryFile(dir=folder)
