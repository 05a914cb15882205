"""The forms in which vectors are stored, from four bytes a number to an eighth of one, and what is compared of each.

``int8``: whole numbers from -127 to 127 with one scale for all numbers of an array and no offset, so that the products
of codes are in the order of the products of vectors. ``binary``: the signs; of equal distances in bits (Hamming) there
are many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError, nearest

VectorForm = Literal["float32", "int8", "binary"]
VECTOR_FORMS: tuple[VectorForm, ...] = get_args(VectorForm)

_LARGEST = 127


def require_forms(forms: Iterable[str], *, field: str = "precisions") -> tuple[VectorForm, ...]:
    """The forms by their names.

    Raises:
        InputError: When there is no such form, naming ``field``.
    """
    known = {str(form): form for form in VECTOR_FORMS}
    asked = tuple(forms)
    unknown = next((form for form in asked if form not in known), None)
    if unknown is not None:
        raise InputError(f"there is no form of vectors {unknown!r}", field=field, remedy=nearest(unknown, known))
    return tuple(known[form] for form in asked)


def stored_bytes(dimension: int, form: VectorForm) -> int:
    """Bytes of one vector of ``dimension`` numbers, without what an index adds: signs are packed, eight to a byte."""
    return {"float32": 4 * dimension, "int8": dimension, "binary": math.ceil(dimension / 8)}[form]


def int8_codes(vectors: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], float]:
    """Whole numbers that stand for vectors: symmetric, one scale, zero stays zero.

    Args:
        vectors: float32 ``[n, D]``, finite.

    Returns:
        int8 ``[n, D]`` from -127 to 127, and the scale: ``codes * scale`` is off by at most half of it in each number.
        The scale is that of the largest number in the array; 1 where all are 0.
    """
    largest = float(np.abs(vectors).max(initial=0.0))
    scale = largest / _LARGEST or 1.0
    return np.rint(vectors / np.float32(scale)).clip(-_LARGEST, _LARGEST).astype(np.int8), scale


def sign_bits(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The signs of vectors ``[n, D]``, 1 where a number is above 0: uint8 ``[n, ceil(D / 8)]``, the first number in the
    highest bit, as :func:`numpy.packbits` and the ``ubinary`` of sentence-transformers have them."""
    return np.packbits(vectors > 0, axis=1)


def as_stored(vectors: npt.NDArray[np.float32], form: VectorForm) -> npt.NDArray[np.float32]:
    """Vectors whose inner products are those of the form that is stored, ``[n, D]``, to be scored in its place.

    ``int8``: the codes, made unit length again. ``binary``: -c and c, where c is the power of two that brings them
    nearest to unit length; their inner products are c² (D - 2 x Hamming distance), exact, so that equal distances tie.
    A row of zeros, which is how a static model says that it knows none of a text's words, stays zero.

    Args:
        vectors: float32 ``[n, D]``, finite.
        form: Which.
    """
    if form == "float32" or not vectors.size:
        return vectors
    if form == "int8":
        codes = int8_codes(vectors)[0].astype(np.float32)
        lengths: npt.NDArray[np.float32] = np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)
        return np.asarray(codes / lengths, dtype=np.float32)
    level = np.float32(2.0 ** -round(math.log2(vectors.shape[1]) / 2))
    signs = np.where(vectors > 0, level, -level)
    return np.where(vectors.any(axis=1, keepdims=True), signs, np.float32(0.0))
