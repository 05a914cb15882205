"""Product quantisation: a byte for each part of a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cosmith.errors import InputError
from cosmith.retrieval.compressed.codes import Arrays, Codes, Floats
from cosmith.retrieval.compressed.faiss_library import load_faiss
from cosmith.retrieval.compressed.products import FEW, looked_up


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

    def scores(self, queries: Floats, codes: Codes) -> Floats:
        """Inner products ``[Q, n]``; of few queries with the centroids, whose sums are looked up."""
        if len(queries) > FEW:
            return queries @ self.decode(codes).T
        parts = queries.reshape(len(queries), self.width, -1, 1)
        return looked_up((self.centroids @ parts)[..., 0], codes)

    def arrays(self) -> Arrays:
        """The centroids."""
        return {"centroids": self.centroids}
