"""The outcome of a search: which documents, how well, for each query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError


@dataclass(frozen=True)
class Hits:
    """The best documents of each query, best first.

    Args:
        ids: Document ids, object array of str ``[queries, k]``; a row that runs out of documents ends in ``""``.
        scores: float32 ``[queries, k]``; ``-inf`` where the id is ``""``. What a score means is the searcher's
            affair (cosine, BM25); only the order within a row counts.
        spans: int64 ``[queries, k, 2]``: the passage of each document that answers best, first and behind-the-last
            character of its text; (0, 0) where the id is ``""``. None where documents were not cut into chunks.

    Raises:
        InputError: When the shapes differ, or a score is not a number.
    """

    ids: npt.NDArray[np.object_]
    scores: npt.NDArray[np.float32]
    spans: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.shape != self.scores.shape:
            raise InputError(
                f"ids {self.ids.shape} and scores {self.scores.shape} must both be [queries, k]", field="hits"
            )
        if self.spans is not None and self.spans.shape != (*self.ids.shape, 2):
            raise InputError(f"spans {self.spans.shape} must be {(*self.ids.shape, 2)}", field="hits")
        if np.isnan(self.scores).any():
            row = int(np.isnan(self.scores).any(axis=1).argmax())
            raise InputError(
                f"query number {row} (counted from 0) has a score that is not a number",
                field="hits",
                remedy="Look for NaN in the vectors that were searched.",
            )

    @classmethod
    def from_positions(
        cls, names: npt.NDArray[np.object_], positions: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]
    ) -> Hits:
        """Name what a search found by position.

        Args:
            names: The id of each document in the order that was searched, from :meth:`names_of`.
            positions: int64 ``[queries, k]``.
            scores: float32 ``[queries, k]``; where it is ``-inf`` there is no hit, whatever the position.
        """
        return cls(names[np.where(np.isneginf(scores), len(names) - 1, positions)], scores)

    @staticmethod
    def names_of(ids: Sequence[str]) -> npt.NDArray[np.object_]:
        """Document ids as an object array with ``""`` behind them, for :meth:`from_positions`; made once an index."""
        names = np.empty(len(ids) + 1, dtype=object)
        names[:-1] = ids
        names[-1] = ""
        return names

    def __len__(self) -> int:
        """How many queries there are."""
        return len(self.ids)

    @property
    def depth(self) -> int:
        """How many hits a query can have at most: the k that was searched, or the size of the corpus."""
        return int(self.ids.shape[1])

    def filled(self, k: int) -> Hits:
        """The same with empty places up to ``k`` hits of each query, where no more were to be found."""
        if (missing := k - self.depth) <= 0:
            return self
        ids = np.full((len(self), missing), "", dtype=object)
        scores = np.full((len(self), missing), -np.inf, dtype=np.float32)
        spans = None
        if self.spans is not None:
            spans = np.concatenate([self.spans, np.zeros((len(self), missing, 2), dtype=np.int64)], axis=1)
        return Hits(np.concatenate([self.ids, ids], axis=1), np.concatenate([self.scores, scores], axis=1), spans)

    def top(self, k: int) -> Hits:
        """The first ``k`` hits of each query."""
        return Hits(self.ids[:, :k], self.scores[:, :k], None if self.spans is None else self.spans[:, :k])

    def of(self, query: int) -> list[tuple[str, float]]:
        """The ``(document id, score)`` of one query (its row number), without the filling."""
        pairs = zip(self.ids[query], self.scores[query], strict=True)
        return [(name, float(score)) for name, score in pairs if name]

    def spans_of(self, query: int) -> list[tuple[int, int]] | None:
        """Where the best passage of each of one query's documents stands in its text; None where there are none."""
        if self.spans is None:
            return None
        pairs = zip(self.ids[query], self.spans[query].tolist(), strict=True)
        return [(start, stop) for name, (start, stop) in pairs if name]
