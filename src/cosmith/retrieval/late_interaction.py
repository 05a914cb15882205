"""Exact search by late interaction: every query against every document, a block at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.retrieval.dense import BestSoFar, Positions, Scores, require_finite

if TYPE_CHECKING:
    from cosmith.models import TokenVectors

_QUERIES, _DOCUMENTS = 64, 1_024  # scored together


def search_late_interaction(queries: TokenVectors, documents: TokenVectors, k: int) -> tuple[Positions, Scores]:
    """The documents with the greatest score of each query, see :func:`cosmith.losses.max_similarity`; exact.

    Args:
        queries: Q texts.
        documents: N texts of the same dimension; may be float16, and memory-mapped: they are read a block at a time.
        k: How many of each query; may be greater than N.

    Returns:
        Positions int64 ``[Q, min(k, N)]`` and scores float32 of the same shape, best first; equal scores in ascending
        position.

    Raises:
        InputError: When ``k`` is less than one, the dimensions differ, or a vector is not finite.
    """
    import torch

    from cosmith.losses import max_similarity

    if k < 1:
        raise InputError(f"must be at least 1, got {k}", field="k")
    if queries.dimension != documents.dimension:
        raise InputError(
            f"queries have {queries.dimension} dimensions, documents {documents.dimension}", field="queries",
            remedy="Encode both with the same model.",
        )  # fmt: skip
    width = min(k, len(documents))
    positions = np.zeros((len(queries), width), dtype=np.int64)
    scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
    for start in range(0, len(queries) if width else 0, _QUERIES):
        rows = np.arange(start, min(start + _QUERIES, len(queries)))
        asked = queries.take(rows)
        best = BestSoFar(len(rows), k)
        for first in range(0, len(documents), _DOCUMENTS):
            read = documents.take(np.arange(first, min(first + _DOCUMENTS, len(documents))))
            found = max_similarity(
                torch.from_numpy(asked.values.astype(np.float32)),
                torch.from_numpy(asked.offsets),
                torch.from_numpy(read.values.astype(np.float32)),
                torch.from_numpy(read.offsets),
            ).numpy()
            require_finite(found, first)
            best.add(found, first)
        positions[rows], scores[rows] = best.result()
    return positions, scores
