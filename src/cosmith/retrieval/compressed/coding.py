"""Vectors as rows of codes, and the exact search over these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.retrieval.compressed.codes import Code, Codes, Floats, bytes_of
from cosmith.retrieval.compressed.form import Coding, TransformStep, with_rotation
from cosmith.retrieval.compressed.named_codes import fit_code
from cosmith.retrieval.compressed.products import FEW
from cosmith.retrieval.compressed.transforms import (
    Transform,
    fit_pca,
    fit_whitening,
    nested_cut,
    rotation,
)
from cosmith.retrieval.dense import QUERY_BLOCK, BestSoFar, Positions, Scores, require_finite

Vectors = npt.NDArray[np.floating]

BLOCK = 8192
"""Vectors that are coded or compared at a time."""

_BLOCK_OF_FEW = 4 * BLOCK
"""Vectors that are compared at a time with a few queries, for which choosing the best of a block would take longest."""

_FITTED_ON = 100_000
"""Vectors that transforms and codes are fit on, at most: evenly spaced among all."""


@dataclass(frozen=True)
class FittedCoding:
    """A transform and a code that were fit together.

    Attributes:
        transform: What is done first; None: nothing.
        code: What is stored.
    """

    transform: Transform | None
    code: Code

    @classmethod
    def fit(cls, coding: Coding, vectors: Vectors, *, seed: int = 0) -> FittedCoding:
        """Fit what a coding names on vectors ``[n, D]``, finite; ``seed`` is that of rotations and k-means.

        Raises:
            InputError: When it does not go with vectors of this length, or it needs what is not installed.
        """
        sample = sample_of(vectors)
        transform = fit_transforms(with_rotation(coding).transforms, sample, seed=seed)
        shortened = sample if transform is None else transform(sample)
        return cls(transform, fit_code(coding.code, shortened, parts=coding.parts, seed=seed))

    @property
    def bytes(self) -> int:
        """Of a vector."""
        return bytes_of(self.code)

    def transformed(self, vectors: Vectors) -> Floats:
        """Vectors, e.g. queries, as they are compared with what codes stand for: float32 ``[n, d]``."""
        if self.transform is None:
            return np.ascontiguousarray(vectors, dtype=np.float32)
        return self.transform(vectors)

    def encode(self, vectors: Vectors) -> Codes:
        """Vectors ``[n, D]`` → codes ``[n, width]``, in blocks.

        Raises:
            InputError: When one holds a number that is not finite, naming it.
        """
        codes = np.empty((len(vectors), self.code.width), dtype=self.code.dtype)
        for start in range(0, len(vectors), BLOCK):
            rows = vectors[start : start + BLOCK]
            require_finite_vectors(rows, start)
            codes[start : start + BLOCK] = self.code.encode(self.transformed(rows))
        return codes

    def decode(self, codes: Codes) -> Floats:
        """Codes → vectors near those that they were made of, float32 ``[n, D]``."""
        rows = self.code.decode(codes)
        return rows if self.transform is None else self.transform.undo(rows)


def fit_transforms(steps: tuple[TransformStep, ...], vectors: Vectors, *, seed: int = 0) -> Transform | None:
    """One transform for several, each fit on what the ones before it give; None where there are none.

    Raises:
        InputError: When one does not go with the length of the vectors, or with the one before it.
    """
    fitted: list[Transform] = []
    for step in steps:
        rows = reduce(lambda made, transform: transform(made), fitted, np.asarray(vectors, dtype=np.float32))
        fitted.append(_fit_transform(step, rows, seed))
    return reduce(Transform.then, fitted) if fitted else None


def _fit_transform(step: TransformStep, vectors: Floats, seed: int) -> Transform:
    dimension = vectors.shape[1]
    kept = step.kept or dimension
    try:
        match step.name:
            case "cut":
                return nested_cut(dimension, kept)
            case "pca":
                return fit_pca(vectors, kept)
            case "centred-pca":
                return fit_pca(vectors, kept, centred=True)
            case "whitened":
                return fit_whitening(vectors, kept)
            case "rotated":
                return rotation(dimension, seed=seed)
    except InputError as error:
        if error.field != "kept":
            raise
        raise InputError(f"{str(step)!r}: {error.problem}", field="form", remedy=error.remedy) from error


@dataclass(frozen=True)
class StoredCodes:
    """Codes of vectors, with what made them; the rows stand in the order of the vectors.

    Attributes:
        fitted: What made them.
        codes: ``[n, width]``; may be memory-mapped.
    """

    fitted: FittedCoding
    codes: Codes

    @classmethod
    def build(cls, vectors: Vectors, coding: Coding, *, seed: int = 0) -> StoredCodes:
        """Fit a coding on vectors ``[n, D]``, and code them. float32 of whole vectors is not copied.

        Raises:
            InputError: When the coding does not go with the vectors, or one of these is not finite.
        """
        for start in range(0, len(vectors), BLOCK):
            require_finite_vectors(vectors[start : start + BLOCK], start)
        fitted = FittedCoding.fit(coding, vectors, seed=seed)
        whole = fitted.transform is None and coding.code == "float32" and vectors.dtype == np.float32
        return cls(fitted, vectors if whole else fitted.encode(vectors))

    @property
    def bytes(self) -> float:
        """Of a vector."""
        return self.fitted.bytes

    def __len__(self) -> int:
        """How many vectors there are."""
        return len(self.codes)

    def search(self, queries: Vectors, k: int) -> tuple[Positions, Scores]:
        """The vectors whose codes are nearest to each query, exactly; of equal ones, those that come first.

        Args:
            queries: ``[Q, D]``, finite.
            k: How many; may be greater than n.

        Returns:
            Positions and scores ``[Q, min(k, n)]``, best first. Scores are inner products of queries with what the
            codes stand for; of signs, the cosine of signs with signs, 1 - 2 x bits that differ / d.
        """
        if k < 1:
            raise InputError(f"must be at least 1, got {k}", field="k")
        asked = self.fitted.transformed(queries)
        parts = [slice(start, start + QUERY_BLOCK) for start in range(0, len(asked), QUERY_BLOCK)]
        best = [BestSoFar(len(asked[part]), k) for part in parts]
        block = BLOCK if len(asked) > FEW else _BLOCK_OF_FEW
        for first in range(0, len(self.codes), block):
            rows = self.codes[first : first + block]
            for part, kept in zip(parts, best, strict=True):
                scores = self.fitted.code.scores(asked[part], rows)
                require_finite(scores, first)
                kept.add(scores, first)
        none = np.empty((0, min(k, len(self.codes))))
        found = [(none.astype(np.int64), none.astype(np.float32)), *(kept.result() for kept in best)]
        return np.concatenate([positions for positions, _ in found]), np.concatenate([scores for _, scores in found])

    def rescore(self, queries: Vectors, candidates: Positions, k: int) -> tuple[Positions, Scores]:
        """The ``k`` best of some vectors for each query.

        Args:
            queries: ``[Q, D]``.
            candidates: Their positions ``[Q, c]``; -1 is none.
            k: How many, at most c.

        Returns:
            Positions and scores ``[Q, min(k, c)]``, best first, of equal ones the lower position first; -1 and -inf
            where a row has no more candidates.
        """
        asked = self.fitted.transformed(queries)
        kept = min(k, candidates.shape[1])
        positions = np.full((len(asked), kept), -1, dtype=np.int64)
        scores = np.full((len(asked), kept), -np.inf, dtype=np.float32)
        for row, (query, found) in enumerate(zip(asked, candidates, strict=True)):
            ordered = np.sort(found[found >= 0])  # also reads a memory-mapped file in its order
            values = self.fitted.code.scores(query[None], self.codes[ordered])[0]
            best = np.argsort(-values, kind="stable")[:kept]
            positions[row, : len(best)], scores[row, : len(best)] = ordered[best], values[best]
        return positions, scores


def sample_of(vectors: Vectors) -> Vectors:
    """At most 100,000 of the vectors, evenly spaced: what transforms and codes are fit on."""
    if len(vectors) <= _FITTED_ON:
        return vectors
    rows: Any = np.linspace(0, len(vectors) - 1, _FITTED_ON).astype(np.int64)
    return np.asarray(vectors[rows])


def require_finite_vectors(vectors: Vectors, first: int) -> None:
    """Refuse vectors that cannot be coded; ``first`` is the number of the first of them.

    Raises:
        InputError: Naming the first that holds a number that is not finite.
    """
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise InputError(
            f"vector number {first + int(finite.argmin())} (counted from 0) is not finite", field="vectors",
            remedy="The model that made it gives NaN or infinity: check its weights and its precision.",
        )  # fmt: skip
