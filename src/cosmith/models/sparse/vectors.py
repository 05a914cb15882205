"""Vectors that are zero nearly everywhere: which dimensions are not, and what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosmith.data.ragged import offsets_of, take_rows


@dataclass(frozen=True, eq=False)
class SparseVectors:
    """``n`` vectors, row after row; as ``(values, indices, offsets)`` they are what ``scipy.sparse.csr_array`` takes.

    Attributes:
        values: float32 [total], none of them zero.
        indices: int32 [total], the dimension of each, ascending within a row.
        offsets: int64 [n + 1], where each row begins.
        dimension: V, how many dimensions there are.
    """

    values: npt.NDArray[np.float32]
    indices: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    dimension: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """int64 [n], how many dimensions of each row are not zero."""
        return np.diff(self.offsets)

    @classmethod
    def of(cls, dense: npt.NDArray[np.float32]) -> SparseVectors:
        """From rows [n, V]."""
        row, column = dense.nonzero()
        offsets = offsets_of(np.bincount(row, minlength=len(dense)))
        return cls(dense[row, column], column.astype(np.int32), offsets, dense.shape[1])

    @classmethod
    def concatenate(cls, parts: Sequence[SparseVectors], dimension: int) -> SparseVectors:
        """The rows of all, one after the other."""
        if not parts:
            parts = [cls.of(np.zeros((0, dimension), dtype=np.float32))]
        counts = np.concatenate([part.counts for part in parts])
        return cls(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.indices for part in parts]),
            offsets_of(counts),
            dimension,
        )

    def take(self, numbers: npt.NDArray[np.int64]) -> SparseVectors:
        """These rows [m], in that order; repeats are allowed."""
        values, offsets = take_rows(self.values, self.offsets, numbers)
        return SparseVectors(values, take_rows(self.indices, self.offsets, numbers)[0], offsets, self.dimension)

    def dense(self) -> npt.NDArray[np.float32]:
        """float32 [n, V]."""
        rows = np.zeros((len(self), self.dimension), dtype=np.float32)
        rows[np.repeat(np.arange(len(self)), self.counts), self.indices] = self.values
        return rows

    def by_dimension(self) -> SparseVectors:
        """The same numbers by column: row ``v`` of the result has the rows in which dimension ``v`` is not zero."""
        row = np.repeat(np.arange(len(self), dtype=np.int32), self.counts)
        order = np.argsort(self.indices, kind="stable")
        counts = np.bincount(self.indices, minlength=self.dimension)
        return SparseVectors(self.values[order], row[order], offsets_of(counts), len(self))
