"""Codes: what is stored of a vector, as plain arrays that other vector databases take as well.

A code is fit on vectors and then turns any others of their length into an array ``[n, width]`` with a row a vector, and
back into vectors that are near them. A search compares whole queries with what the codes stand for (asymmetric: only
the documents are rounded); signs alone are compared with signs, by the bits in which they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.retrieval.vector_forms import int8_codes, sign_bits

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[Any]
Arrays = Mapping[str, npt.NDArray[Any]]

_LARGEST = 127


class Code(Protocol):
    """How vectors of one length become rows of an array.

    ``fit(vectors, ...)`` of each class makes one; ``of(arrays)`` makes it again of what ``arrays()`` gives.
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
        return _signs(codes, self.dimension) / np.float32(np.sqrt(self.dimension))

    def arrays(self) -> Arrays:
        """Nothing is fit."""
        return {}


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
        numbers = np.ascontiguousarray(codes[:, -8:]).view("<f4").astype(np.float32)
        residual = _signs(codes[:, :-8], self.dimension) * numbers[:, :1]
        squared = float(self.centre @ self.centre)
        if squared > 1e-12:  # below, its direction says nothing, and float32 cannot divide by it
            missing = numbers[:, 1] - residual @ self.centre
            residual += (missing / np.float32(squared))[:, None] * self.centre
        return residual + self.centre

    def arrays(self) -> Arrays:
        """The centre."""
        return {"centre": self.centre}


@dataclass(frozen=True)
class ProductCode:
    """Product quantisation (Jégou, Douze and Schmid, TPAMI 2011): vectors are cut into M parts of D / M numbers, and of
    each part the nearest of 256 centroids is kept, in a byte.

    Attributes:
        centroids: float32 ``[M, 256, D / M]``.
    """

    centroids: Floats

    @classmethod
    def fit(cls, vectors: Floats, parts: int, *, seed: int = 0) -> Self:
        """With the centroids of k-means of each part (faiss's: 25 iterations).

        Fewer than 256 vectors are taken as often as they must, so that k-means has enough.

        Raises:
            InputError: When D is not a multiple of ``parts``, or faiss is not installed.
        """
        dimension = vectors.shape[1]
        if parts < 1 or dimension % parts:
            possible = [str(each) for each in range(1, dimension + 1) if dimension % each == 0]
            raise InputError(
                f"{dimension} numbers cannot be cut into {parts} equal parts", field="form",
                remedy=f"Choose one of {', '.join(possible)}.",
            )  # fmt: skip
        faiss = load_faiss()
        trained = faiss.ProductQuantizer(dimension, parts, 8)
        trained.cp.seed, trained.cp.min_points_per_centroid = seed + 1, 1
        rows = np.resize(vectors, (max(len(vectors), 256), dimension))  # repeats them in order
        trained.train(np.ascontiguousarray(rows, dtype=np.float32))
        return cls(faiss.vector_to_array(trained.centroids).reshape(parts, 256, dimension // parts).copy())

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.centroids.shape[0] * self.centroids.shape[2])

    @property
    def width(self) -> int:
        """Bytes: M."""
        return int(self.centroids.shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    def encode(self, vectors: Floats) -> Codes:
        """float32 ``[n, D]`` → uint8 ``[n, M]``; of centroids equally near, the first."""
        codes = np.empty((len(vectors), self.width), dtype=np.uint8)
        parts = vectors.reshape(len(vectors), self.width, -1)
        for number, centroids in enumerate(self.centroids):
            # Less the length of the part itself, which is the same for all centroids.
            distances = (centroids * centroids).sum(axis=1) - 2 * (parts[:, number] @ centroids.T)
            codes[:, number] = distances.argmin(axis=1)
        return codes

    def decode(self, codes: Codes) -> Floats:
        """uint8 ``[n, M]`` → float32 ``[n, D]``."""
        return self.centroids[np.arange(self.width), codes].reshape(len(codes), self.dimension)

    def arrays(self) -> Arrays:
        """The centroids."""
        return {"centroids": self.centroids}


CodeName = Literal["float32", "float16", "int8", "uint8", "binary", "pq", "rabitq"]


def fit_code(name: CodeName, vectors: Floats, *, parts: int | None = None, seed: int = 0) -> Code:
    """The code of a name, fit on ``vectors`` ``[n, D]``; ``parts`` is that of ``pq``.

    Raises:
        InputError: When vectors of this length have no such code, or it needs what is not installed.
    """
    match name:
        case "float32" | "float16":
            return FloatCode(vectors.shape[1], np.dtype(name))
        case "int8" | "uint8":
            return ScaledCode.fit(vectors, name)
        case "binary":
            return SignCode(vectors.shape[1])
        case "rabitq":
            return RaBitQCode.fit(vectors)
        case "pq":
            return ProductCode.fit(vectors, parts or 1, seed=seed)


def code_of(name: CodeName, dimension: int, arrays: Arrays) -> Code:
    """The code that gave these ``arrays()``.

    Raises:
        KeyError, ValueError: When they are not those of such a code.
    """
    match name:
        case "float32" | "float16":
            return FloatCode(dimension, np.dtype(name))
        case "int8" | "uint8":
            return ScaledCode(dimension, float(arrays["scale"][0]), np.dtype(name))
        case "binary":
            return SignCode(dimension)
        case "rabitq":
            return RaBitQCode(np.asarray(arrays["centre"], dtype=np.float32))
        case "pq":
            return ProductCode(np.asarray(arrays["centroids"], dtype=np.float32))


def load_faiss() -> Any:
    """The library of that name.

    Raises:
        InputError: When it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            "this form of vectors is made by faiss, which is not installed", field="form",
            remedy='Install it: pip install "cosmith[compress]".',
        ) from error  # fmt: skip
    return faiss


def _signs(codes: Codes, dimension: int) -> Floats:
    """-1 and 1, float32 ``[n, D]``."""
    return np.unpackbits(codes, axis=1, count=dimension).astype(np.float32) * 2 - 1
