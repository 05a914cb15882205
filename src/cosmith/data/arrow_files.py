"""Arrow IPC files of one record batch, memory-mapped: what is read from them is never copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from cosmith.data.ragged import Int64
from cosmith.errors import InputError


def write_batch(path: Path, batch: pa.RecordBatch) -> None:
    """Write a batch; the caller sees to it that the place is a temporary one."""
    # Through Python's own file object, whose errors say that the disk is full.
    with path.open("wb") as handle, pa.ipc.new_file(handle, batch.schema) as writer:
        writer.write_batch(batch)


def map_batch(path: Path, columns: dict[str, pa.DataType]) -> pa.RecordBatch:
    """Memory-map a file that :func:`write_batch` wrote.

    Args:
        path: The file.
        columns: The columns that must be there, with their types; others may be.

    Raises:
        InputError: When it is missing, damaged, or has other columns.
    """
    remedy = "Build it again."
    if not path.is_file():
        raise InputError("there is no such file", path=path, remedy=remedy)
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        if reader.num_record_batches != 1:
            raise InputError(f"has {reader.num_record_batches} record batches, not one", path=path, remedy=remedy)
        batch = reader.get_batch(0)
        batch.validate()
    except (pa.ArrowInvalid, OSError) as error:
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
    return batch


def ragged_column(values: npt.NDArray[Any], offsets: Int64) -> pa.LargeListArray:
    """A ragged array as Arrow's large list, without copying."""
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def ragged_arrays(column: pa.LargeListArray) -> tuple[npt.NDArray[Any], Int64]:
    """Values and offsets of such a column, without copying."""
    return column.values.to_numpy(zero_copy_only=True), column.offsets.to_numpy(zero_copy_only=True)
