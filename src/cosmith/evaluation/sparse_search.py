"""Retrieval with sparse vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cosmith.errors import InputError
from cosmith.evaluation.reranked_search import mean_score_of
from cosmith.evaluation.searched_texts import SearchedTexts
from cosmith.evaluation.tasks.retrieval import judged_queries
from cosmith.retrieval.hits import Hits
from cosmith.retrieval.sparse import search_sparse

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.data.chunking import Chunk
    from cosmith.models import SparseEncoder


def search_collection_sparse(
    encoder: SparseEncoder, collection: Collection, k: int = 100, *, chunks: Sequence[Chunk] | None = None
) -> Hits:
    """Search a collection with its own queries, exactly; prompts as in :func:`~cosmith.evaluation.search_collection`.

    Args:
        encoder: Makes the vectors.
        collection: What to search.
        k: How many documents of each query.
        chunks: Search by the best chunk of each document, as :func:`~cosmith.evaluation.search_collection`.

    Returns:
        A row for each of :func:`~cosmith.evaluation.judged_queries`, ``[queries, min(k, documents)]``; a document that
        shares no word with a query is no hit.
    """
    queries = [collection.queries[query] for query in judged_queries(collection)]
    read, told = SearchedTexts.of(collection, chunks), collection.instruction
    documents = encoder.encode(read.texts, prompt="document", instruction=told, show_progress="Encoding documents")
    asked = encoder.encode(queries, prompt="query", instruction=told, show_progress="Encoding queries")
    return read.hits(lambda depth: search_sparse(asked, documents, depth), k)


def mean_sparse_score(tasks: Mapping[str, Collection]) -> Callable[[SparseEncoder], float]:
    """A function that gives a sparse encoder's mean of the collections' main metrics; higher is better.

    Args:
        tasks: Name → retrieval set, at least one.

    Raises:
        InputError: When there is none.
    """
    if not tasks:
        raise InputError("there is no task to score on", field="tasks", remedy="Give at least one.")
    return lambda encoder: mean_score_of([(task, search_collection_sparse(encoder, task)) for task in tasks.values()])
