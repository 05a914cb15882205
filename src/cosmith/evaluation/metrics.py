"""How good a ranking is, query by query, with the semantics of trec_eval (so equal to pytrec_eval).

Where trec_eval and textbooks differ, trec_eval is followed: gain is linear in the relevance (not 2^rel - 1), the
discount of rank r is log2(r + 1), the ideal ranking holds all judged documents of positive relevance, and zero or
negative relevance gains nothing. Scores are compared as float32; equal ones are ordered by document id, descending as
strings, whatever order the searcher gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.retrieval.hits import Hits

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


RETRIEVAL_METRICS = ("ndcg", "recall", "mrr", "map", "precision", "success")
"""What :func:`retrieval_metrics` computes at each cut-off."""


@dataclass(frozen=True)
class Judged:
    """Rankings with what was judged of them.

    Attributes:
        gains: float64 ``[queries, k]``, the relevance of the document at each rank; 0 where it is not relevant or
            there is none.
        ideal: float64 ``[queries, m]``, the positive relevances of each query's judged documents, descending, filled
            with 0.
    """

    gains: Floats
    ideal: Floats

    @property
    def relevant(self) -> Bools:
        """Where a relevant document stands: bool ``[queries, k]``."""
        return self.gains > 0

    @property
    def relevant_counts(self) -> npt.NDArray[np.int64]:
        """How many relevant documents each query has in all: int64 ``[queries]``."""
        counts: npt.NDArray[np.int64] = (self.ideal > 0).sum(axis=1)
        return counts


def retrieval_metrics(
    hits: Hits, query_ids: Sequence[str], relevance: Mapping[str, Mapping[str, int]], *, ks: Sequence[int]
) -> dict[str, Floats]:
    """All metrics at all cut-offs, one value for each query.

    Args:
        hits: What was found; row i belongs to ``query_ids[i]``. A query for which nothing was found scores 0.
        query_ids: The queries, each once.
        relevance: Query id → document id → relevance. A query that has none scores 0 in everything.
        ks: Cut-offs, each at least 1. A ranking that is shorter is scored as it is.

    Returns:
        ``precision@k``, ``recall@k``, ``map@k``, ``mrr@k``, ``ndcg@k`` and ``success@k`` for each k, each float64
        ``[queries]``, between 0 and 1.

    Raises:
        InputError: When the rows do not match the queries, a query's hits name a document twice, or a k is below 1.
    """
    for k in ks:
        if k < 1:
            raise InputError(f"a cut-off must be at least 1, got {k}", field="ks")
    judged = judge(hits, query_ids, relevance)
    relevant, counts = judged.relevant, judged.relevant_counts
    ks = sorted(set(ks))
    return (
        {f"ndcg@{k}": ndcg(judged.gains, judged.ideal, k) for k in ks}
        | {f"recall@{k}": recall(relevant, counts, k) for k in ks}
        | {f"mrr@{k}": reciprocal_rank(relevant, k) for k in ks}
        | {f"map@{k}": average_precision(relevant, counts, k) for k in ks}
        | {f"precision@{k}": precision(relevant, k) for k in ks}
        | {f"success@{k}": success(relevant, k) for k in ks}
    )


def judge(hits: Hits, query_ids: Sequence[str], relevance: Mapping[str, Mapping[str, int]]) -> Judged:
    """Look up the relevance of every hit, in trec_eval's order.

    Raises:
        InputError: As :func:`retrieval_metrics`.
    """
    if len(query_ids) != len(hits):
        raise InputError(f"there are {len(query_ids)} queries, but hits for {len(hits)}", field="hits")
    if len(set(query_ids)) != len(query_ids):
        raise InputError("a query is named twice", field="query_ids")
    gains = np.zeros(hits.ids.shape, dtype=np.float64)
    ideals = []
    for row, (query, names) in enumerate(zip(query_ids, trec_order(hits), strict=True)):
        judgements = relevance.get(query, {})
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"query {query!r} has the document {twice!r} twice among its hits", field="hits")
        gains[row, : len(names)] = [judgements.get(name, 0) for name in names]
        ideals.append(sorted((value for value in judgements.values() if value > 0), reverse=True))
    ideal = np.zeros((len(ideals), max(map(len, ideals), default=0)), dtype=np.float64)
    for row, values in enumerate(ideals):
        ideal[row, : len(values)] = values
    return Judged(np.maximum(gains, 0), ideal)


def trec_order(hits: Hits) -> list[list[str]]:
    """The ids of each query's hits by float32 score descending, equal ones by id descending, without the filling."""
    there = hits.ids != ""
    # Already so where scores fall strictly and the filling is at the end: the common case, which needs no sorting.
    falling = ((hits.scores[:, :-1] > hits.scores[:, 1:]) & there[:, :-1]) | ~there[:, 1:]
    rows: list[list[str]] = hits.ids.tolist()
    for row, (in_order, count) in enumerate(zip(falling.all(axis=1), there.sum(axis=1), strict=True)):
        if in_order:
            del rows[row][count:]
        else:
            pairs = zip(hits.scores[row].tolist(), rows[row], strict=True)
            rows[row] = [name for _, name in sorted(pairs, reverse=True) if name]
    return rows


def precision(relevant: Bools, k: int) -> Floats:
    """The share of the first ``k`` that is relevant; a shorter ranking counts as filled with what is not."""
    shares: Floats = relevant[:, :k].sum(axis=1) / k
    return shares


def recall(relevant: Bools, relevant_counts: npt.NDArray[np.int64], k: int) -> Floats:
    """The share of a query's relevant documents that stand among the first ``k``."""
    return _share(relevant[:, :k].sum(axis=1).astype(np.float64), relevant_counts)


def average_precision(relevant: Bools, relevant_counts: npt.NDArray[np.int64], k: int) -> Floats:
    """The precision at each relevant document among the first ``k``, summed, over the number of relevant documents.

    trec_eval's ``map_cut``: the divisor is all relevant documents, even where they are more than ``k``.
    """
    top = relevant[:, :k]
    precisions = np.cumsum(top, axis=1) / np.arange(1, top.shape[1] + 1)
    return _share((precisions * top).sum(axis=1), relevant_counts)


def reciprocal_rank(relevant: Bools, k: int) -> Floats:
    """One over the rank of the first relevant document; 0 when there is none among the first ``k``."""
    top = relevant[:, :k]
    if not top.shape[1]:
        return np.zeros(len(top))
    return np.where(top.any(axis=1), 1.0 / (top.argmax(axis=1) + 1), 0.0)


def ndcg(gains: Floats, ideal: Floats, k: int) -> Floats:
    """Discounted cumulative gain over that of the ideal ranking (Järvelin & Kekäläinen 2002, linear gain).

    sum of gain at rank r / log2(r + 1) for r = 1..k, over the same sum with the judged documents in the best order.
    """
    return _share(_discounted(gains, k), _discounted(ideal, k))


def success(relevant: Bools, k: int) -> Floats:
    """1 where a relevant document is among the first ``k``, else 0 (also called hit rate)."""
    found: Bools = np.logical_or.reduce(relevant[:, :k], axis=1)
    return found.astype(np.float64)


def _discounted(gains: Floats, k: int) -> Floats:
    top = gains[:, :k]
    discounted: Floats = top @ (1.0 / np.log2(np.arange(2, top.shape[1] + 2)))
    return discounted


def _share(part: Floats, whole: npt.NDArray[np.floating] | npt.NDArray[np.int64]) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
