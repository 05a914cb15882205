"""Texts on the disk as they come, of which only the places are in memory."""

from __future__ import annotations

import json
from array import array
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any

from cosmith.atomic import explained


class Spill:
    """Records in a temporary file without a name, added one after another, then read in any order.

    In memory are 8 bytes a record. The file vanishes with the object, or with the process.

    Args:
        folder: Where the file is made; None: where the system puts temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._place = folder or Path(gettempdir())
        with explained(self._place):
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - it is read as long as this object lives
        self._ends = array("Q", [0])
        self._map: mmap | None = None

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, record: list[Any]) -> None:
        """Add a list of texts and numbers."""
        with explained(self._place):
            written = self._file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        self._ends.append(self._ends[-1] + written)
        self._map = None

    def skip(self) -> None:
        """Give the next number to nothing."""
        self._ends.append(self._ends[-1])

    def __getitem__(self, number: int) -> list[Any]:
        """The record that was added as the ``number``-th, from 0."""
        if self._map is None:
            with explained(self._place):
                self._file.flush()
            self._map = mmap(self._file.fileno(), 0, access=ACCESS_READ)
        record = self._map[self._ends[number] : self._ends[number + 1]]
        found: list[Any] = json.loads(record.decode("utf-8", "surrogatepass"))
        return found
