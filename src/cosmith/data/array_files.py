"""Arrays as `.npy` files: mapped into memory for reading, and written so that a full disk is told as one.

Writing goes through Python's own file object: a full disk is then an ``OSError`` that says so, where ``numpy.save``
and ``ndarray.tofile`` give one without a reason ("10240 requested and 992 written"), and a writable memory map kills
the process.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.phrases import counted


def write_array(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[npt.NDArray[Any]]) -> None:
    """Write an array whose rows come in blocks; the caller sees to it that the place is a temporary one."""
    with path.open("wb") as handle:
        write_array_to(handle, shape, dtype, blocks)


def write_array_to(
    handle: IO[bytes], shape: tuple[int, ...], dtype: npt.DTypeLike, blocks: Iterable[npt.NDArray[Any]]
) -> None:
    """As :func:`write_array`, into a file that is open."""
    write_header_to(handle, shape, dtype)
    for block in blocks:
        handle.write(np.ascontiguousarray(block, dtype=dtype).reshape(-1).view(np.uint8).data)


def write_header_to(handle: IO[bytes], shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Write what stands before the values.

    NumPy pads headers so that the first dimension can grow in place: one that is written first, for no rows, takes as
    many bytes as the one that replaces it in the end.
    """
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(handle, header)


def map_array(path: Path, dtype: npt.DTypeLike, remedy: str) -> npt.NDArray[Any]:
    """Memory-map an array for reading.

    Raises:
        InputError: When it is missing, damaged (a file cut short or with more behind it counts as such), or of another
            type.
    """
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise InputError("there is no such file", path=path, remedy=remedy) from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"is not a whole .npy file ({error})", path=path, remedy=remedy) from error
    if array.dtype != np.dtype(dtype):
        raise InputError(f"holds {array.dtype}, not {np.dtype(dtype)}", path=path, remedy=remedy)
    if isinstance(array, np.memmap) and size != array.offset + array.nbytes:
        more = size - array.offset - array.nbytes
        raise InputError(f"has {counted(more, 'byte')} behind its {counted(len(array), 'row')}", path=path,
                         remedy=remedy)  # fmt: skip
    return array.view(np.ndarray)
