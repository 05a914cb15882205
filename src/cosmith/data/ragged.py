"""Rows of unequal length as two flat arrays: the values one after another, and where each row begins."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)


def offsets_of(lengths: npt.NDArray[Any]) -> Int64:
    """Where each row begins: int64 [n + 1], from the lengths [n]; the last entry is the total."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def take_rows(values: npt.NDArray[Value], offsets: Int64, numbers: Int64) -> tuple[npt.NDArray[Value], Int64]:
    """Rows ``numbers`` (int64 [m], in that order, repeats allowed) of a ragged array, as values and offsets [m + 1]."""
    starts = offsets[numbers]
    lengths = offsets[numbers + 1] - starts
    taken = offsets_of(lengths)
    places = np.arange(taken[-1], dtype=np.int64) + np.repeat(starts - taken[:-1], lengths)
    return values[places], taken


def checked_numbers(numbers: npt.ArrayLike, count: int, what: str) -> Int64:
    """``numbers`` as int64 [m], all within ``[0, count)``.

    Raises:
        TypeError: When they are not whole numbers (a mask, floats).
        IndexError: When one is negative or too large.
    """
    given = np.asarray(numbers)
    if given.size == 0:
        return np.zeros(0, dtype=np.int64)
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        raise TypeError(
            f"{what} numbers are a one-dimensional array of integers, not {given.dtype} of shape {given.shape}"
        )
    low, high = int(given.min()), int(given.max())
    if low < 0 or high >= count:
        raise IndexError(f"{what} number {low if low < 0 else high} is not within [0, {count})")
    return given.astype(np.int64, copy=False)
