"""Arrow IPC files of one record batch, memory-mapped: what is read from them is never copied."""

from __future__ import annotations

import io
from collections.abc import Sequence
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from typing import IO, Any

import numpy.typing as npt
import pyarrow as pa

from cosmith.data.ragged import Int64
from cosmith.errors import InputError

_PIECE = 1 << 22  # bytes that are written before the pages that they came from are let go


def write_batch(path: Path, batch: pa.RecordBatch, mappings: Sequence[mmap] = ()) -> None:
    """Write a batch; the caller sees to it that the place is a temporary one.

    Args:
        path: Where to.
        batch: The batch.
        mappings: The mapped files that it lies in, if it does; their pages are let go as they are copied.
    """
    # Through Python's own file object, whose errors say that the disk is full.
    with path.open("wb") as handle:
        sink = _InPieces(handle, mappings) if mappings else handle
        with pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)


class _InPieces(io.RawIOBase):
    """Writes what may be larger than memory a piece at a time."""

    def __init__(self, handle: IO[bytes], mappings: Sequence[mmap]) -> None:
        super().__init__()
        self._handle, self._mapped = handle, Mapped(mappings)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._handle.tell()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE):
            self._handle.write(view[start : start + _PIECE])
            self._mapped.let_go()
        return len(view)


class Mapped:
    """The files that something is mapped from. What is copied or pickled is in memory, and is mapped from none.

    Args:
        files: They.
    """

    def __init__(self, files: Sequence[mmap] = ()) -> None:
        self._files = tuple(files)

    def __reduce__(self) -> tuple[type[Mapped], tuple[()]]:
        return Mapped, ()

    def let_go(self) -> None:
        """Give the pages of the files back to the system; they are read again when they are asked for."""
        for file in self._files:
            file.madvise(MADV_DONTNEED)


def map_batch(path: Path, columns: dict[str, pa.DataType]) -> tuple[pa.RecordBatch, mmap]:
    """Memory-map a file that :func:`write_batch` wrote.

    Args:
        path: The file.
        columns: The columns that must be there, with their types; others may be.

    Returns:
        The batch, and the mapping that it lies in.

    Raises:
        InputError: When it is missing, damaged, or has other columns.
    """
    remedy = "Build it again."
    if not path.is_file():
        raise InputError("there is no such file", path=path, remedy=remedy)
    try:
        with path.open("rb") as handle:
            mapping = mmap(handle.fileno(), 0, access=ACCESS_READ)
        reader = pa.ipc.open_file(pa.py_buffer(mapping))
        if reader.num_record_batches != 1:
            raise InputError(f"has {reader.num_record_batches} record batches, not one", path=path, remedy=remedy)
        batch = reader.get_batch(0)
        batch.validate()
    except InputError:
        raise
    except (pa.ArrowInvalid, OSError, ValueError) as error:  # the last: an empty file cannot be mapped
        raise InputError(f"is not a whole Arrow file ({error})", path=path, remedy=remedy) from error
    for name, kind in columns.items():
        if name not in batch.schema.names:
            raise InputError(f"has no column {name!r}", path=path, field=name, remedy=remedy)
        if batch.schema.field(name).type != kind:
            raise InputError(
                f"is of type {batch.schema.field(name).type}, not {kind}", path=path, field=name, remedy=remedy
            )
        if batch.column(name).null_count:
            raise InputError("has empty places", path=path, field=name, remedy=remedy)
    return batch, mapping


def ragged_column(values: npt.NDArray[Any], offsets: Int64) -> pa.LargeListArray:
    """A ragged array as Arrow's large list, without copying."""
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def ragged_arrays(column: pa.LargeListArray) -> tuple[npt.NDArray[Any], Int64]:
    """Values and offsets of such a column, without copying."""
    return column.values.to_numpy(zero_copy_only=True), column.offsets.to_numpy(zero_copy_only=True)
