"""The vectors of texts that have one for each of their tokens, and fewer of them by clustering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosmith.data.ragged import offsets_of, take_rows
from cosmith.errors import InputError


@dataclass(frozen=True, eq=False)
class TokenVectors:
    """The token vectors of ``n`` texts, text after text.

    Attributes:
        values: float32 or float16 [total, D], unit rows.
        offsets: int64 [n + 1], where each text begins; every text has at least one vector.
    """

    values: npt.NDArray[np.floating]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """int64 [n], how many vectors each text has."""
        return np.diff(self.offsets)

    @property
    def dimension(self) -> int:
        """D, the length of a vector."""
        return int(self.values.shape[1])

    @classmethod
    def concatenate(cls, parts: Sequence[TokenVectors], dimension: int) -> TokenVectors:
        """The texts of all, one after the other."""
        if not parts:
            return cls(np.zeros((0, dimension), dtype=np.float32), np.zeros(1, dtype=np.int64))
        counts = np.concatenate([part.counts for part in parts])
        return cls(np.concatenate([part.values for part in parts]), offsets_of(counts))

    def of(self, number: int) -> npt.NDArray[np.floating]:
        """The vectors of one text, [tokens, D]."""
        rows: npt.NDArray[np.floating] = self.values[self.offsets[number] : self.offsets[number + 1]]
        return rows

    def take(self, numbers: npt.NDArray[np.int64]) -> TokenVectors:
        """Those of these texts [m], in that order; repeats are allowed."""
        return TokenVectors(*take_rows(self.values, self.offsets, numbers))

    def half(self) -> TokenVectors:
        """In float16: half the size, and differences in the fourth digit of a score."""
        return TokenVectors(self.values.astype(np.float16), self.offsets)

    def pooled(self, factor: float, *, protected: int = 1) -> TokenVectors:
        """About one vector in ``factor``: those of a text that are alike become their mean.

        The tokens of a text are clustered by Ward's method on the distance 1 - cosine, into ``tokens // factor``
        clusters (Clavié et al., arXiv:2409.14683, section 3, "hierarchical clustering"); unit rows again.

        Args:
            factor: At least 1, which changes nothing.
            protected: The first tokens of a text that stay as they are; by default the one that stands for the whole
                text in many models ([CLS]).

        Raises:
            InputError: When the factor is below 1 or ``protected`` below 0.
        """
        if not factor >= 1:
            raise InputError(f"must be at least 1, not {factor}", field="pool_factor", remedy="2 halves the index.")
        if protected < 0:
            raise InputError(f"must be at least 0, not {protected}", field="protected")
        if factor == 1:
            return self
        rows = [_pooled(self.of(number), factor, protected) for number in range(len(self))]
        parts = [TokenVectors(row, np.array([0, len(row)])) for row in rows]
        return TokenVectors.concatenate(parts, self.dimension)


def _pooled(vectors: npt.NDArray[np.floating], factor: float, protected: int) -> npt.NDArray[np.floating]:
    """The vectors of one text [t, D], clustered."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    kept, rest = vectors[:protected], vectors[protected:].astype(np.float32)
    clusters = max(int(len(rest) // factor), 1)
    if clusters >= len(rest):
        return vectors
    distances = squareform(np.clip(1 - rest @ rest.T, 0, 2), checks=False)
    label = hierarchy.fcluster(hierarchy.linkage(distances, method="ward"), t=clusters, criterion="maxclust")
    _, cluster = np.unique(label, return_inverse=True)
    sums = np.zeros((int(cluster.max()) + 1, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, cluster, rest)
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)  # the length of a mean does not matter
    return np.concatenate([kept, sums.astype(vectors.dtype)])
