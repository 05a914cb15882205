"""Texts whose vectors are equal get equal scores, and of equal scores the greater id comes first, as in trec_eval.

A matrix product rounds by where a row stands in it, so that equal vectors get scores that differ in the last bit and
come in an order of no meaning. Here each distinct vector is scored once, for all texts that have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.models.similarity import Similarity
from cosmith.retrieval.dense import Positions, Scores, search_dense


def distinct_rows(vectors: npt.NDArray[np.floating]) -> tuple[Positions, Positions]:
    """Which rows of a matrix are equal, byte for byte (by a hash of 128 bits).

    Args:
        vectors: ``[N, D]``.

    Returns:
        int64 ``[G]``, the first row of each group of equal ones, ascending, and int64 ``[N]``, the group of each row.
    """
    groups: dict[bytes, int] = {}
    of = [groups.setdefault(xxhash.xxh3_128_digest(row.tobytes()), len(groups)) for row in vectors]
    group_of = np.array(of, dtype=np.int64)
    return np.unique(group_of, return_index=True)[1].astype(np.int64), group_of


def search_by_score_and_id(
    queries: npt.NDArray[np.floating],
    documents: npt.NDArray[np.floating],
    ids: Sequence[str],
    k: int,
    *,
    similarity: Similarity = "dot",
) -> tuple[Positions, Scores]:
    """The documents that are most alike to each query; documents of one vector have one score.

    Args:
        queries: ``[Q, D]``.
        documents: ``[N, D]``.
        ids: The N documents' ids.
        k: How many of each query; may be greater than N.
        similarity: What is compared, see :func:`cosmith.retrieval.similarities.similarities`.

    Returns:
        Positions int64 ``[Q, min(k, N)]`` and similarities float32 of the same shape, best first; of documents with
        equal vectors, also where the search is cut, those with the greater ids.

    Raises:
        InputError: As :func:`cosmith.retrieval.search_dense`.
    """
    first, group_of = distinct_rows(documents)
    if len(first) == len(documents):
        return search_dense(queries, documents, k, similarity=similarity)
    # The k best vectors hold the k best documents, since each is one document's at least.
    found, scored = search_dense(queries, documents[first], k, similarity=similarity)
    descending = sorted(range(len(ids)), key=ids.__getitem__, reverse=True)
    rank = np.empty(len(ids), dtype=np.int64)
    rank[descending] = np.arange(len(ids))
    members = np.lexsort((rank, group_of))
    starts = np.searchsorted(group_of[members], np.arange(len(first) + 1))
    width = min(k, len(documents))
    positions = np.empty((len(found), width), dtype=np.int64)
    scores = np.empty((len(found), width), dtype=np.float32)
    for row, (groups, values) in enumerate(zip(found, scored, strict=True)):
        kept = [members[starts[group] : starts[group + 1]][:k] for group in groups.tolist()]
        every, of_every = np.concatenate(kept), np.repeat(values, [len(each) for each in kept])
        best = np.lexsort((rank[every], -of_every))[:width]
        positions[row], scores[row] = every[best], of_every[best]
    return positions, scores
