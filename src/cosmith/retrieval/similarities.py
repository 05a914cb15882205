"""How alike vectors are, by the similarity that their model asks for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cosmith.models.similarity import Similarity

Vectors = npt.NDArray[np.floating]

_METRICS = {"euclidean": "euclidean", "manhattan": "cityblock"}


def similarities(first: Vectors, second: Vectors, similarity: Similarity) -> npt.NDArray[np.float32]:
    """How alike each two vectors are; greater is more alike.

    Args:
        first: ``[n, D]``.
        second: ``[m, D]``.
        similarity: ``cosine`` and ``dot``: inner products, rows that are compared by cosine being unit length;
            ``euclidean`` and ``manhattan``: distances, negated.

    Returns:
        float32 ``[n, m]``.
    """
    if similarity in _METRICS:
        from scipy.spatial.distance import cdist

        return np.asarray(-cdist(first, second, _METRICS[similarity]), dtype=np.float32)
    return np.asarray(first @ second.T, dtype=np.float32)


def paired_similarities(first: Vectors, second: Vectors, similarity: Similarity) -> npt.NDArray[np.float64]:
    """How alike the rows of two arrays ``[n, D]`` are, float64 ``[n]``; arguments as of :func:`similarities`."""
    if similarity in ("cosine", "dot"):
        found: npt.NDArray[np.float64] = np.einsum("ij,ij->i", first, second, dtype=np.float64)
        return found
    order = {"euclidean": 2, "manhattan": 1}[similarity]
    return np.asarray(-np.linalg.norm(first - second, ord=order, axis=1), dtype=np.float64)
