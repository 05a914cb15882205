"""Texts whose vectors are equal get equal scores, so that a rule can order them and not the rounding.

A matrix product rounds by where a row stands in it, so that equal vectors get scores that differ in the last bit and
come in an order of no meaning. Here each distinct vector is scored once, for all texts that have it. Of equal scores
the text that stands first comes first, also where a search is cut, and
:class:`~cosmith.evaluation.searched_texts.SearchedTexts` has documents in trec_eval's order, the greater id first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.ragged import Int64
from cosmith.models.similarity import Similarity
from cosmith.retrieval.best_chunk import best_within, document_blocks, search_best_chunk
from cosmith.retrieval.dense import QUERY_BLOCK, BestSoFar, Positions, Scores, require_finite, search_dense
from cosmith.retrieval.late_interaction import search_late_interaction
from cosmith.retrieval.similarities import similarities

if TYPE_CHECKING:
    from cosmith.models import TokenVectors

_SCORES_AT_ONCE = 1 << 26
_CHUNKS_AT_ONCE = 8192


def distinct_rows(vectors: npt.NDArray[np.floating]) -> tuple[Positions, Positions]:
    """Which rows of a matrix are equal, byte for byte (by a hash of 128 bits).

    Args:
        vectors: ``[N, D]``.

    Returns:
        int64 ``[G]``, the first row of each group of equal ones, ascending, and int64 ``[N]``, the group of each row.
    """
    return _distinct(row.tobytes() for row in vectors)


def _distinct(contents: Iterable[bytes]) -> tuple[Positions, Positions]:
    groups: dict[bytes, int] = {}
    of = [groups.setdefault(xxhash.xxh3_128_digest(content), len(groups)) for content in contents]
    group_of = np.array(of, dtype=np.int64)
    return np.unique(group_of, return_index=True)[1].astype(np.int64), group_of


def search_equal_alike(
    queries: npt.NDArray[np.floating],
    documents: npt.NDArray[np.floating],
    k: int,
    *,
    similarity: Similarity = "dot",
) -> tuple[Positions, Scores]:
    """As :func:`cosmith.retrieval.search_dense`, with its arguments; documents of one vector have one score."""
    first, group_of = distinct_rows(documents)
    if len(first) == len(documents):
        return search_dense(queries, documents, k, similarity=similarity)
    return members_of(*search_dense(queries, documents[first], k, similarity=similarity), group_of, k)


def search_late_interaction_equal_alike(
    queries: TokenVectors, documents: TokenVectors, k: int
) -> tuple[Positions, Scores]:
    """As :func:`cosmith.retrieval.search_late_interaction`; documents of the same token vectors have one score."""
    first, group_of = _distinct(documents.of(number).tobytes() for number in range(len(documents)))
    if len(first) == len(documents):
        return search_late_interaction(queries, documents, k)
    return members_of(*search_late_interaction(queries, documents.take(first), k), group_of, k)


def search_best_chunk_equal_alike(
    queries: npt.NDArray[np.floating],
    chunks: npt.NDArray[np.floating],
    offsets: Int64,
    k: int,
    *,
    similarity: Similarity = "dot",
) -> tuple[Positions, Scores, Positions]:
    """As :func:`cosmith.retrieval.search_best_chunk`, with its arguments; chunks of one vector have one score."""
    first, group_of = distinct_rows(chunks)
    if len(first) == len(chunks):
        return search_best_chunk(queries, chunks, offsets, k, similarity=similarity)
    distinct, found = chunks[first], []
    size = min(QUERY_BLOCK, max(1, _SCORES_AT_ONCE // len(distinct)))
    for start in range(0, len(queries), size):
        scores = similarities(queries[start : start + size], distinct, similarity)
        require_finite(scores, 0)
        best = BestSoFar(len(scores), k)
        for begin, end in document_blocks(offsets, _CHUNKS_AT_ONCE):
            own = scores[:, group_of[offsets[begin] : offsets[end]]]
            best.add(np.maximum.reduceat(own, offsets[begin:end] - offsets[begin], axis=1), begin)
        positions, kept = best.result()
        of_chunks = best_within(lambda row, part, scored=scores: scored[row, group_of[part]], offsets, positions)  # type: ignore[misc]
        found.append((positions, kept, of_chunks))
    documents, values, best_chunks = (np.concatenate(part) for part in zip(*found, strict=True))
    return documents, values, best_chunks


def members_of(found: Positions, scored: Scores, group_of: Positions, k: int) -> tuple[Positions, Scores]:
    """The best documents, where those of a group have one vector and groups were searched.

    Args:
        found: Groups int64 ``[Q, min(k, G)]``, best first, as a search of G different vectors gives them: the k best
            vectors hold the k best documents, since each is one document's at least.
        scored: Their scores float32, of the same shape.
        group_of: The group of each document int64 ``[N]``.
        k: How many documents of each query.

    Returns:
        Positions of documents int64 ``[Q, min(k, N)]`` and scores float32 of the same shape, best first; of equal
        scores, also where they are cut, the lower positions.
    """
    width = min(k, len(group_of))
    members = np.argsort(group_of, kind="stable")
    sizes = np.bincount(group_of)
    starts = np.cumsum(sizes) - sizes
    counts = np.minimum(sizes[found], width)
    # Documents of a group can only be among the best where those with greater scores do not fill them.
    before = np.cumsum(counts, axis=1) - counts
    leads = np.ones(scored.shape, dtype=np.bool_)
    leads[:, 1:] = scored[:, 1:] < scored[:, :-1]
    greater = np.maximum.accumulate(np.where(leads, before, 0), axis=1)
    counts = np.where(greater < width, counts, 0).ravel()
    rows = np.repeat(np.repeat(np.arange(len(found)), found.shape[1]), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    positions = members[np.repeat(starts[found].ravel(), counts) + place]
    scores = np.repeat(scored.ravel(), counts)
    order = np.lexsort((positions, -scores, rows))
    per_row = np.bincount(rows, minlength=len(found))
    kept = order[(np.cumsum(per_row) - per_row)[:, None] + np.arange(width)]
    return positions[kept].astype(np.int64), scores[kept].astype(np.float32)
