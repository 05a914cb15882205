"""Retrieval by late interaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cosmith.errors import InputError
from cosmith.evaluation.equal_vectors import search_late_interaction_equal_alike
from cosmith.evaluation.reranked_search import mean_score_of
from cosmith.evaluation.searched_texts import SearchedTexts
from cosmith.evaluation.tasks.retrieval import judged_queries
from cosmith.retrieval.hits import Hits

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.data.chunking import Chunk
    from cosmith.models import LateInteractionEncoder


def search_collection_late_interaction(
    encoder: LateInteractionEncoder,
    collection: Collection,
    k: int = 100,
    *,
    pool_factor: float = 1.0,
    chunks: Sequence[Chunk] | None = None,
) -> Hits:
    """Search a collection with its own queries, exactly.

    Args:
        encoder: Makes the vectors; it is told the collection's instruction.
        collection: What to search.
        k: How many documents of each query.
        pool_factor: Keep about one vector of a document in so many.
        chunks: Search by the best chunk of each document, as :func:`~cosmith.evaluation.search_collection`.

    Returns:
        A row for each of :func:`~cosmith.evaluation.judged_queries`, ``[queries, min(k, documents)]``.
    """
    queries = [collection.queries[query] for query in judged_queries(collection)]
    read, told = SearchedTexts.of(collection, chunks), collection.instruction
    documents = encoder.encode_documents(
        read.texts, instruction=told, pool_factor=pool_factor, show_progress="Encoding documents"
    )
    asked = encoder.encode_queries(queries, instruction=told, show_progress="Encoding queries")
    return read.hits(lambda depth: search_late_interaction_equal_alike(asked, documents, depth), k)


def mean_late_interaction_score(tasks: Mapping[str, Collection]) -> Callable[[LateInteractionEncoder], float]:
    """A function that gives a late-interaction model's mean of the collections' main metrics; higher is better.

    Args:
        tasks: Name → retrieval set, at least one.

    Raises:
        InputError: When there is none.
    """
    if not tasks:
        raise InputError("there is no task to score on", field="tasks", remedy="Give at least one.")

    def score(encoder: LateInteractionEncoder) -> float:
        return mean_score_of([(task, search_collection_late_interaction(encoder, task)) for task in tasks.values()])

    return score
