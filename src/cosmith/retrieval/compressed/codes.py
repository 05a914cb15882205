"""Codes: what is stored of a vector, as plain arrays that other vector databases take as well.

A code is fit on vectors and then turns any others of their length into an array ``[n, width]`` with a row a vector, and
back into vectors that are near them. A search compares whole queries with what the codes stand for (asymmetric: only
the documents are rounded); signs alone are compared with signs, by the bits in which they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from cosmith.retrieval.compressed.hamming import differing_bits
from cosmith.retrieval.compressed.products import half_products, inner_products
from cosmith.retrieval.vector_forms import int8_codes, sign_bits

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[Any]
Arrays = Mapping[str, npt.NDArray[Any]]

_LARGEST = 127


class Code(Protocol):
    """How vectors of one length become rows of an array.

    :func:`~cosmith.retrieval.compressed.named_codes.fit_code` makes one by its name, ``code_of`` again of its arrays.
    """

    @property
    def dimension(self) -> int:
        """Numbers of a vector, D."""

    @property
    def width(self) -> int:
        """Numbers of a row of codes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of codes."""

    def encode(self, vectors: Floats) -> Codes:
        """float32 ``[n, D]``, finite → codes ``[n, width]``."""

    def decode(self, codes: Codes) -> Floats:
        """Codes ``[n, width]`` → float32 ``[n, D]``."""

    def scores(self, queries: Floats, codes: Codes) -> Floats:
        """Inner products of queries float32 ``[Q, D]`` with what codes ``[n, width]`` stand for: float32 ``[Q, n]``."""

    def arrays(self) -> Arrays:
        """What was fit, by name."""


def bytes_of(code: Code) -> int:
    """Bytes of one vector."""
    return code.width * code.dtype.itemsize


@dataclass(frozen=True)
class FloatCode:
    """Numbers as they are: float32, or rounded to float16 (its numbers have 11 bits; beyond 65,504 there are none, so
    they are held there).

    Attributes:
        dimension: D.
        dtype: float32 or float16.
    """

    dimension: int
    dtype: np.dtype[Any]

    @property
    def width(self) -> int:
        """D."""
        return self.dimension

    def encode(self, vectors: Floats) -> Codes:
        """float32 ``[n, D]`` → ``[n, D]``."""
        if self.dtype == np.float32:
            return np.asarray(vectors, dtype=np.float32)
        greatest = np.finfo(np.float16).max
        return np.asarray(vectors.clip(-greatest, greatest), dtype=self.dtype)

    def decode(self, codes: Codes) -> Floats:
        """``[n, D]`` → float32 ``[n, D]``."""
        return np.asarray(codes, dtype=np.float32)

    def scores(self, queries: Floats, codes: Codes) -> Floats:
        """Inner products ``[Q, n]``."""
        if self.dtype == np.float16:
            return half_products(queries, codes)
        return queries @ self.decode(codes).T

    def arrays(self) -> Arrays:
        """Nothing is fit."""
        return {}


@dataclass(frozen=True)
class ScaledCode:
    """Whole numbers from -127 to 127 with one scale and no offset of values: int8, or uint8 (the same plus 128, for
    databases that have no signs; 0 is then stored as 128).

    One scale for all numbers keeps products of codes in the order of products of vectors; a scale for each dimension
    does not, unless queries are scaled to match.

    Attributes:
        dimension: D.
        scale: A step. What lies beyond 127 steps is held there.
        dtype: int8 or uint8.
    """

    dimension: int
    scale: float
    dtype: np.dtype[Any]

    @classmethod
    def fit(cls, vectors: Floats, dtype: npt.DTypeLike = np.int8) -> Self:
        """127 steps to the largest number of ``vectors`` ``[n, D]``."""
        return cls(vectors.shape[1], int8_codes(vectors)[1], np.dtype(dtype))

    @property
    def width(self) -> int:
        """D."""
        return self.dimension

    @property
    def _zero(self) -> int:
        return 128 if self.dtype == np.uint8 else 0

    def encode(self, vectors: Floats) -> Codes:
        """float32 ``[n, D]`` → ``[n, D]``, off by at most half a step where nothing is held."""
        steps: Floats = np.rint(vectors / np.float32(self.scale)).clip(-_LARGEST, _LARGEST)
        return (steps + np.float32(self._zero)).astype(self.dtype)

    def decode(self, codes: Codes) -> Floats:
        """``[n, D]`` → float32 ``[n, D]``."""
        return (np.asarray(codes, dtype=np.float32) - np.float32(self._zero)) * np.float32(self.scale)

    def scores(self, queries: Floats, codes: Codes) -> Floats:
        """Inner products ``[Q, n]``; what all codes have in common is done with the products, not with the codes."""
        products = inner_products(queries, codes, lambda part, numbers: np.copyto(numbers, part))
        if self._zero:
            products -= np.float32(self._zero) * queries.sum(axis=1, keepdims=True)
        return np.asarray(products * np.float32(self.scale), dtype=np.float32)

    def arrays(self) -> Arrays:
        """The scale."""
        return {"scale": np.array([self.scale], dtype=np.float64)}


@dataclass(frozen=True)
class SignCode:
    """The sign of each number, 1 where it is above 0, eight to a byte, as :func:`cosmith.retrieval.sign_bits` has it.

    Attributes:
        dimension: D.
    """

    dimension: int

    @property
    def width(self) -> int:
        """Bytes: D / 8, rounded up."""
        return -(-self.dimension // 8)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    def encode(self, vectors: Floats) -> Codes:
        """float32 ``[n, D]`` → uint8 ``[n, width]``."""
        return sign_bits(vectors)

    def decode(self, codes: Codes) -> Floats:
        """The directions that the signs say: ±1/√D, unit length, float32 ``[n, D]``."""
        return signs_of(codes, self.dimension) / np.float32(np.sqrt(self.dimension))

    def scores(self, queries: Floats, codes: Codes) -> Floats:
        """The cosine of the queries' signs with those of the codes, 1 - 2 x bits that differ / D: ``[Q, n]``, exact."""
        scores = differing_bits(self.encode(queries), codes).astype(np.float32)
        scores *= np.float32(-2 / self.dimension)
        scores += 1
        return scores

    def arrays(self) -> Arrays:
        """Nothing is fit."""
        return {}


def signs_of(codes: Codes, dimension: int) -> Floats:
    """-1 and 1 for packed bits, float32 ``[n, D]``."""
    return np.unpackbits(codes, axis=1, count=dimension).astype(np.float32) * 2 - 1
