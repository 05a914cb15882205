"""RaBitQ: a bit a number, and two numbers that make products right on average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cosmith.retrieval.compressed.codes import Arrays, Codes, Floats, signs_of
from cosmith.retrieval.compressed.products import FEW, looked_up
from cosmith.retrieval.vector_forms import sign_bits

_BITS_OF_BYTES = np.unpackbits(np.arange(256, dtype=np.uint8)[None], axis=0).astype(np.float32)
"""``[8, 256]``, the highest first."""


@dataclass(frozen=True)
class RaBitQCode:
    """RaBitQ with one bit a number (Gao and Long, SIGMOD 2024, arXiv:2405.12497): the signs of a vector as seen from
    the centre of all, with two numbers that make products with them right on average.

    Of x = c + r the signs s of r are kept, ‖r‖² / <s, r> as the length that takes the error out (their equation for the
    unbiased estimate), and <r, c>, which is so known exactly. Vectors should be rotated at random before, which a form
    ``rabitq`` does by itself.

    A row is the signs as :class:`SignCode` has them, then two float32 as bytes, little-endian.

    Attributes:
        centre: c, float32 ``[D]``.
    """

    centre: Floats

    @classmethod
    def fit(cls, vectors: Floats) -> Self:
        """With the mean of ``vectors`` ``[n, D]`` as the centre."""
        return cls(np.asarray(vectors.mean(axis=0, dtype=np.float64), dtype=np.float32))

    @property
    def dimension(self) -> int:
        """D."""
        return len(self.centre)

    @property
    def width(self) -> int:
        """Bytes: D / 8, rounded up, and 8."""
        return -(-self.dimension // 8) + 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    def encode(self, vectors: Floats) -> Codes:
        """float32 ``[n, D]`` → uint8 ``[n, width]``."""
        residual = (vectors - self.centre).astype(np.float64)
        bits = sign_bits(np.asarray(residual, dtype=np.float32))
        along = np.where(residual > 0, residual, -residual).sum(axis=1)  # <s, r>: all terms are positive
        squared = np.einsum("ij,ij->i", residual, residual)
        length = np.divide(squared, along, out=np.zeros_like(along), where=along > 0)
        numbers = np.stack([length, residual @ self.centre.astype(np.float64)], axis=1).astype("<f4")
        return np.concatenate([bits, np.ascontiguousarray(numbers).view(np.uint8)], axis=1)

    def decode(self, codes: Codes) -> Floats:
        """c and the signs at their length; in the direction of c exactly what was there: float32 ``[n, D]``."""
        numbers = self._numbers(codes)
        residual = signs_of(codes[:, :-8], self.dimension) * numbers[:, :1]
        missing = np.subtract(numbers[:, 1], residual @ self.centre, dtype=np.float32)
        residual += self._share(missing)[:, None] * self.centre
        return residual + self.centre

    def scores(self, queries: Floats, codes: Codes) -> Floats:
        """Inner products ``[Q, n]``, of the bits and not of decoded vectors: <s, q> is 2 <bits, q> - the sum of q.

        What of a product lies along c is known exactly, so bits are compared with what of a query is across it.
        """
        of_centre = queries @ self.centre[:, None]
        across = queries - self._share(of_centre) * self.centre
        numbers = self._numbers(codes)
        length, along = numbers[:, 0], numbers[:, 1]
        signs = np.float32(2) * self._products_with_bits(across, codes[:, :-8]) - across.sum(axis=1, keepdims=True)
        return np.asarray(of_centre * (1 + self._share(along)) + length * signs, dtype=np.float32)

    def _products_with_bits(self, queries: Floats, bits: Codes) -> Floats:
        """Of queries ``[Q, D]`` with bits ``[n, D / 8]``: ``[Q, n]``; of few queries looked up byte by byte."""
        if len(queries) > FEW:
            return queries @ np.unpackbits(bits, axis=1, count=self.dimension).astype(np.float32).T
        padded = np.pad(queries, ((0, 0), (0, 8 * bits.shape[1] - self.dimension)))
        return looked_up(padded.reshape(len(queries), -1, 8) @ _BITS_OF_BYTES, bits)

    def _numbers(self, codes: Codes) -> Floats:
        """The two of each row, ``[n, 2]``."""
        return np.ascontiguousarray(codes[:, -8:]).view("<f4").astype(np.float32)

    def _share(self, missing: Floats) -> Floats:
        """How much of c must be added for products with c to grow by so much."""
        squared = float(self.centre @ self.centre)
        if squared <= 1e-12:  # its direction says nothing, and float32 cannot divide by it
            return np.zeros_like(missing)
        return missing / np.float32(squared)

    def arrays(self) -> Arrays:
        """The centre."""
        return {"centre": self.centre}
