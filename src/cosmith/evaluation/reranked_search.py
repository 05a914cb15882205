"""How good the order is that a reranker gives to what a first search found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.tasks.retrieval import judged_queries, score_hits
from cosmith.retrieval.hits import Hits
from cosmith.retrieval.reranking import rerank

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.models import PairScorer


def rerank_collection(
    scorer: PairScorer, collection: Collection, hits: Hits, *, top: int = 100, passages: bool = False
) -> Hits:
    """Put what was found for a collection's own queries in a reranker's order.

    Args:
        scorer: The reranker.
        collection: What was searched; its instruction is told to the reranker.
        hits: A row for each of :func:`~cosmith.evaluation.judged_queries`.
        top: How many hits of each query are read.
        passages: Read of each document the passage that was found best, as :func:`cosmith.retrieval.rerank`.
    """
    queries = [collection.queries[query] for query in judged_queries(collection)]
    return rerank(
        hits, scorer, queries, collection.documents, top=top, passages=passages, instruction=collection.instruction,
        show_progress="Reranking",
    )  # fmt: skip


def mean_reranked_score(found: Sequence[tuple[Collection, Hits]], *, top: int = 100) -> Callable[[PairScorer], float]:
    """A function that gives the mean of the collections' main metrics after reranking; higher is better.

    Args:
        found: Collections, each with the hits of a first search, at least one.
        top: How many hits of each query are read.

    Raises:
        InputError: When there is none.
    """
    if not found:
        raise InputError("there is no task to score on", field="found", remedy="Give at least one.")

    def score(scorer: PairScorer) -> float:
        reranked = [(collection, rerank_collection(scorer, collection, hits, top=top)) for collection, hits in found]
        return mean_score_of(reranked)

    return score


def mean_score_of(found: Sequence[tuple[Collection, Hits]]) -> float:
    """The mean of the collections' main metrics for these hits."""
    return float(np.mean([score_hits(hits, collection, model="", resamples=0).value for collection, hits in found]))
