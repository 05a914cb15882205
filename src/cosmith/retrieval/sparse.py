"""Exact search for the greatest dot products of sparse vectors, by way of the dimensions that queries have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.retrieval.dense import BestSoFar, Positions, Scores, require_finite

if TYPE_CHECKING:
    from cosmith.models import SparseVectors

_BLOCK_SCORES = 4_194_304  # held at a time


def search_sparse(queries: SparseVectors, documents: SparseVectors, k: int) -> tuple[Positions, Scores]:
    """The documents with the greatest dot product with each query; exact.

    Only the documents that share a dimension with a query are touched, as in a search by words.

    Args:
        queries: Q rows.
        documents: N rows of the same dimensions.
        k: How many of each query; may be greater than N.

    Returns:
        Positions int64 ``[Q, min(k, N)]`` and dot products float32 of the same shape, best first; equal scores in
        ascending position. A document that shares no dimension is no hit: ``-inf``.

    Raises:
        InputError: When ``k`` is less than one, the dimensions differ, or a number is not finite.
    """
    if k < 1:
        raise InputError(f"must be at least 1, got {k}", field="k")
    if queries.dimension != documents.dimension:
        raise InputError(
            f"queries have {queries.dimension} dimensions, documents {documents.dimension}", field="queries",
            remedy="Encode both with the same model.",
        )  # fmt: skip
    postings, count = documents.by_dimension(), len(documents)
    width = min(k, count)
    positions = np.zeros((len(queries), width), dtype=np.int64)
    scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
    block = max(1, _BLOCK_SCORES // max(count, 1))
    for start in range(0, len(queries) if count else 0, block):
        part = slice(start, min(start + block, len(queries)))
        totals = np.full((part.stop - part.start, count), -np.inf, dtype=np.float32)
        for row, number in zip(totals, range(part.start, part.stop), strict=True):
            own = slice(queries.offsets[number], queries.offsets[number + 1])
            _add(row, queries.indices[own], queries.values[own], postings)
        best = BestSoFar(len(totals), width)
        best.add(totals, 0)
        positions[part], scores[part] = best.result()
    return positions, scores


def _add(row: Scores, dimensions: npt.NDArray[np.int32], weights: Scores, postings: SparseVectors) -> None:
    """Put the dot products of a query into ``row`` [N], where it has any dimension in common."""
    totals = np.zeros_like(row)
    met = np.zeros(len(row), dtype=np.bool_)
    for dimension, weight in zip(dimensions.tolist(), weights.tolist(), strict=True):
        listed = slice(postings.offsets[dimension], postings.offsets[dimension + 1])
        documents = postings.indices[listed]
        totals[documents] += np.float32(weight) * postings.values[listed]
        met[documents] = True
    require_finite(totals[None], 0)
    row[met] = totals[met]
