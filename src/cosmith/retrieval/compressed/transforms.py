"""Linear maps that shorten or turn vectors before they are coded, fit on the user's own.

A nested cut keeps the first numbers, which is what models trained with nested dimensions (Matryoshka) are made for. For
all others the principal components of the vectors keep more (:func:`fit_pca`). A rotation keeps all inner products and
spreads what differs between vectors evenly over their numbers, which codes of one bit a number need.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Transform:
    """``(x - mean) @ matrix``, made unit length again where that is asked for.

    Attributes:
        mean: float32 ``[D]``; zeros: nothing is subtracted.
        matrix: float32 ``[D, d]``.
        renormalise: Make rows unit length again; rows of zeros stay zero.
    """

    mean: Floats
    matrix: Floats
    renormalise: bool = False

    @property
    def dimension(self) -> int:
        """Numbers of a vector before it, D."""
        return int(self.matrix.shape[0])

    @property
    def kept(self) -> int:
        """Numbers of a vector after it, d."""
        return int(self.matrix.shape[1])

    def __call__(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Vectors ``[n, D]`` → float32 ``[n, d]``."""
        made: Floats = np.subtract(vectors, self.mean, dtype=np.float32) @ self.matrix
        return unit_rows(made) if self.renormalise else made

    def undo(self, vectors: Floats) -> Floats:
        """Vectors ``[n, d]`` → float32 ``[n, D]``: those of the least squares that the map takes there, where the
        lengths that renormalising took away are not known."""
        return np.asarray(vectors @ np.linalg.pinv(self.matrix) + self.mean, dtype=np.float32)

    def then(self, other: Transform) -> Transform:
        """Both, one after the other; where one of them makes rows unit length, that is done once, at the end.

        Raises:
            InputError: When the first makes rows unit length, and the second subtracts a mean: that is no such map.
        """
        if self.renormalise and other.mean.any():
            raise InputError(
                "a transform that subtracts a mean cannot stand behind one that makes unit length", field="transform",
                remedy="Put it first.",
            )  # fmt: skip
        # (x - m) A - n = (x - (m + n A⁺)) A, as A has full column rank.
        mean = self.mean + (other.mean @ np.linalg.pinv(self.matrix) if other.mean.any() else 0)
        return Transform(
            np.asarray(mean, dtype=np.float32), self.matrix @ other.matrix, self.renormalise or other.renormalise
        )


def unit_rows(vectors: Floats) -> Floats:
    """Rows made unit length; rows of zeros stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    made: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return made


def nested_cut(dimension: int, kept: int) -> Transform:
    """The first ``kept`` numbers, made unit length again.

    Raises:
        InputError: When ``kept`` is not between 1 and D.
    """
    _require_kept(kept, dimension)
    return Transform(np.zeros(dimension, dtype=np.float32), np.eye(dimension, kept, dtype=np.float32), True)


def fit_pca(vectors: npt.NDArray[np.floating], kept: int, *, centred: bool = False) -> Transform:
    """The directions in which vectors are longest, or, centred, differ most.

    Of all maps to ``kept`` numbers, the uncentred one keeps the vectors with the least squared error (Eckart and Young,
    Psychometrika 1936), and so their inner products with queries that are spread as they are. Without a mean to
    subtract, the inner products of shortened vectors estimate those of the full ones; with one they are covariances,
    which rank documents otherwise.

    Args:
        vectors: ``[n, D]``, finite.
        kept: Numbers to keep, in order of what they hold.
        centred: Subtract the mean, from all.

    Raises:
        InputError: When ``kept`` is not between 1 and D, there are no vectors, or one is not finite.
    """
    _, directions, mean = _principal(vectors, kept, centred=centred)
    return Transform(mean, np.asarray(directions[:, :kept], dtype=np.float32))


def fit_whitening(vectors: npt.NDArray[np.floating], kept: int) -> Transform:
    """Centred principal components, each divided by its spread, made unit length again: all directions count alike
    (Su et al., arXiv:2103.15316, algorithm 1).

    Directions in which the vectors hardly differ, which n vectors have beyond their first n - 1, are not blown up but
    left out (as zeros).

    Args:
        vectors: ``[n, D]``, finite.
        kept: Numbers to keep.

    Raises:
        InputError: When ``kept`` is not between 1 and D, there are no vectors, or one is not finite.
    """
    values, directions, mean = _principal(vectors, kept, centred=True)
    spread = np.sqrt(np.maximum(values, 0.0))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-5 * spread.max(initial=0.0))
    return Transform(mean, np.asarray((directions * scale)[:, :kept], dtype=np.float32), True)


def rotation(dimension: int, *, seed: int = 0) -> Transform:
    """A random rotation, uniform over all (QR of a Gaussian matrix, with the signs that make it so: Mezzadri,
    arXiv:math-ph/0609050, section 5)."""
    square = np.random.default_rng(seed).normal(size=(dimension, dimension))
    orthogonal, triangular = np.linalg.qr(square)
    signs = np.where(np.diag(triangular) < 0, -1.0, 1.0)
    return Transform(np.zeros(dimension, dtype=np.float32), np.asarray(orthogonal * signs, dtype=np.float32))


def _principal(
    vectors: npt.NDArray[np.floating], kept: int, *, centred: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Floats]:
    """Variances, descending, directions as columns and the mean that was subtracted."""
    if vectors.ndim != 2 or not len(vectors):
        raise InputError(f"vectors {vectors.shape} must be [n, D], with n of at least 1", field="vectors")
    _require_kept(kept, vectors.shape[1])
    mean = vectors.mean(axis=0, dtype=np.float64) if centred else np.zeros(vectors.shape[1])
    second = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), _ROWS):
        rows = np.asarray(vectors[start : start + _ROWS], dtype=np.float64) - mean
        second += rows.T @ rows
    if not np.isfinite(second).all():
        raise InputError("hold a number that is not finite", field="vectors", remedy="Check the model that made them.")
    values, directions = np.linalg.eigh(second / len(vectors))
    # Eigenvectors are known but for their sign: the greatest number of each is made positive, on every machine.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=0)[None], axis=0)
    directions = directions * np.where(largest < 0, -1.0, 1.0)
    return values[::-1], directions[:, ::-1], np.asarray(mean, dtype=np.float32)


def _require_kept(kept: int, dimension: int) -> None:
    if not 1 <= kept <= dimension:
        raise InputError(f"cannot keep {kept} of {dimension} numbers", field="kept", remedy=f"Choose 1 to {dimension}.")


_ROWS = 8192
"""Vectors held in float64 at a time."""
