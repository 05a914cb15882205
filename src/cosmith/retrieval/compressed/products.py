"""Inner products of queries with codes, where turning codes into numbers would take longer than the products.

A query alone, and a few, spend most of a scan on what many queries share: making float32 of codes. So that is done in a
buffer small enough to stay in a core's cache, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[Any]

FEW = 4
"""Queries up to which looking products up is faster than a matrix product with the numbers that bytes stand for."""

_ROWS = 512
"""Vectors that are made float32 at a time: of 384 numbers, 0.8 MB."""

_LOOKED_UP = 2**14
"""Vectors whose bytes are looked up at a time: of 48 bytes, 0.8 MB."""

_HALF = np.float32(2.0**56)
"""Its square, 2^112, is what exponents of float16 lack in those of float32."""


def inner_products(queries: Floats, codes: Codes, write: Callable[[Codes, Floats], None]) -> Floats:
    """Inner products ``[Q, n]`` of queries ``[Q, D]`` with the numbers of codes ``[n, D]``.

    Args:
        queries: The queries.
        codes: The codes.
        write: Writes the numbers of some rows of codes into an array of their shape.
    """
    scores = np.empty((len(queries), len(codes)), dtype=np.float32)
    buffer = np.empty((min(_ROWS, len(codes)), queries.shape[1]), dtype=np.float32)
    for start in range(0, len(codes), _ROWS):
        part = codes[start : start + _ROWS]
        numbers = buffer[: len(part)]
        write(part, numbers)
        np.matmul(queries, numbers.T, out=scores[:, start : start + len(part)])
    return scores


def half_products(queries: Floats, codes: Codes) -> Floats:
    """Inner products ``[Q, n]`` with codes in float16, finite.

    NumPy converts float16 number by number. Here its bits are moved to where float32 has them, which is exact, but
    that the exponent is then 112 too low; half of that is made up before the product and half behind it: queries
    may be of 2^71.
    """
    return inner_products(queries * _HALF, codes, _write_halves) * _HALF


def _write_halves(codes: Codes, numbers: Floats) -> None:
    bits = numbers.view(np.int32)
    np.copyto(bits, codes.view(np.int16))  # the sign fills the upper half
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, np.int32(-0x70000001), out=bits)  # of the sign only the highest bit


def looked_up(tables: Floats, codes: npt.NDArray[np.uint8]) -> Floats:
    """The sums ``[Q, n]`` of what tables ``[Q, P, 256]`` hold for the bytes of codes ``[n, P]``."""
    sums = np.zeros((len(tables), len(codes)), dtype=np.float32)
    buffer = np.empty(min(_LOOKED_UP, len(codes)), dtype=np.float32)
    for start in range(0, len(codes), _LOOKED_UP):
        columns = np.ascontiguousarray(codes[start : start + _LOOKED_UP].T)
        found = buffer[: columns.shape[1]]
        for table, row in zip(tables, sums[:, start : start + _LOOKED_UP], strict=True):
            for values, column in zip(table, columns, strict=True):
                values.take(column, out=found, mode="clip")  # a byte is within 256; "raise" would copy
                row += found
    return sums
