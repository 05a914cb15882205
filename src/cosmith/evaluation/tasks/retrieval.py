"""Retrieval: encode a test set, search it, score what was found (MTEB's protocol)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cosmith.errors import InputError, nearest
from cosmith.evaluation.equal_vectors import search_best_chunk_equal_alike, search_equal_alike
from cosmith.evaluation.metrics import RETRIEVAL_METRICS, retrieval_metrics
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.searched_texts import SearchedTexts
from cosmith.evaluation.significance import Interval, bootstrap_intervals
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_compared_texts
from cosmith.models.similarity import similarity_of
from cosmith.retrieval.hits import Hits
from cosmith.retrieval.lexical import Bm25
from cosmith.retrieval.makers import model_name

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.data.chunking import Chunk
    from cosmith.models import TextEncoder

KS = (1, 3, 5, 10, 100)
"""The cut-offs of the field."""

HEADLINES = ("ndcg@10", "recall@1", "recall@10", "recall@100", "mrr@10", "map@100", "precision@10")
"""The metrics that get an interval and stand in tables, where they are computed."""


@dataclass(frozen=True)
class RetrievalTask(OfData):
    """A collection as a task; see :func:`evaluate_retrieval`.

    Attributes:
        name: What the test set is called.
        data: Documents, queries and judgements.
        main: The metric that counts.
        ks: Cut-offs.

    Raises:
        InputError: When the metric is none of :data:`~cosmith.evaluation.metrics.RETRIEVAL_METRICS` at a cut-off, or a
            cut-off is below 1.
    """

    name: str
    data: Collection
    main: str = "ndcg@10"
    ks: tuple[int, ...] = KS
    kind: ClassVar[Kind] = "retrieval"

    def __post_init__(self) -> None:
        _cut_offs(self.ks, self.main)

    @property
    def depth(self) -> int:
        """How many documents of each query have to be found: as many as the deepest cut-off asks for."""
        return _cut_offs(self.ks, self.main)[-1]

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        return (
            TaskTexts("documents", list(self.data.documents.values()), "document"),
            TaskTexts("queries", [self.data.queries[query] for query in judged_queries(self.data)], "query"),
        )

    def evaluate(
        self,
        encoder: TextEncoder,
        *,
        dim: int | None = None,
        seed: int = 0,
        resamples: int = 10_000,
        model: str | None = None,
    ) -> Scores:
        """Score an encoder; arguments and errors as :meth:`EvaluationTask.evaluate`."""
        return evaluate_retrieval(
            encoder, replace(self.data, name=self.name), ks=self.ks, dim=dim, main=self.main, seed=seed,
            resamples=resamples, model=model,
        )  # fmt: skip


def judged_queries(collection: Collection) -> tuple[str, ...]:
    """The queries that have a relevant document, in the collection's order: those that are evaluated.

    Raises:
        InputError: When there is none.
    """
    queries = tuple(
        query
        for query in collection.queries
        if any(grade > 0 for grade in collection.relevance.get(query, {}).values())
    )
    if not queries:
        raise InputError(f"the collection {collection.name!r} has no query with a relevant document", field="relevance")
    return queries


def search_collection(
    encoder: TextEncoder,
    collection: Collection,
    k: int = 100,
    *,
    dim: int | None = None,
    chunks: Sequence[Chunk] | None = None,
) -> Hits:
    """Search a collection with its own queries, exactly, by the model's own similarity.

    Queries are encoded with the prompt ``"query"``, documents with ``"document"``, both with the collection's
    instruction, as in training. A document whose id equals the query's is a document like any other.

    Args:
        encoder: Makes the vectors.
        collection: What to search.
        k: How many documents of each query.
        dim: Compare only this many numbers of each vector.
        chunks: The documents' chunks, document after document in their order, e.g. from
            ``chunk_texts(collection.documents, Chunking(tokens=128), encoder.measure())``: a document then counts by
            its best one. None: documents have one vector each.

    Returns:
        A row for each of :func:`judged_queries`, ``[queries, min(k, documents)]``. Documents that have one vector have
        one score; of equal scores the greater ids are kept and come first.
    """
    queries = [collection.queries[query] for query in judged_queries(collection)]
    read, told = SearchedTexts.of(collection, chunks), collection.instruction
    documents, asked = (
        encode_compared_texts(encoder, texts, instruction=told, dim=dim)
        for texts in (TaskTexts("documents", read.texts, "document"), TaskTexts("queries", queries, "query"))
    )
    by = similarity_of(encoder)
    if read.chunks is None:
        return read.hits(lambda depth: search_equal_alike(asked, documents, depth, similarity=by), k)
    return read.hits_of_chunks(*search_best_chunk_equal_alike(asked, documents, read.chunks.offsets, k, similarity=by))


def search_collection_bm25(
    collection: Collection, k: int = 100, *, language: str | None = "english", chunks: Sequence[Chunk] | None = None
) -> Hits:
    """Search a collection by words; arguments and result are as :func:`search_collection`'s.

    Of chunks, the weight of a word is counted among chunks: in how many it stands, and how long they are.
    """
    queries = [collection.queries[query] for query in judged_queries(collection)]
    read = SearchedTexts.of(collection, chunks)
    index = Bm25.build([str(place) for place in range(len(read.texts))], read.texts, language=language)
    return read.hits(lambda depth: index.search_positions(queries, depth), k)


def evaluate_retrieval(
    encoder: TextEncoder,
    collection: Collection,
    *,
    ks: Sequence[int] = KS,
    dim: int | None = None,
    chunks: Sequence[Chunk] | None = None,
    main: str = "ndcg@10",
    seed: int = 0,
    resamples: int = 10_000,
    model: str | None = None,
) -> Scores:
    """How well an encoder finds the relevant documents.

    To keep the hits as well, call :func:`search_collection` and :func:`score_hits`.

    Args:
        encoder: Makes the vectors.
        collection: The test set.
        ks: Cut-offs.
        dim: Compare only this many numbers of each vector.
        chunks: Score documents by their best chunk, see :func:`search_collection`.
        main: The metric that counts.
        seed: For the intervals.
        resamples: For the intervals; 0 leaves them out (quicker, for use within training).
        model: What to call the encoder; by default its own name.
    """
    hits = search_collection(encoder, collection, max(_cut_offs(ks, main)), dim=dim, chunks=chunks)
    return score_hits(
        hits, collection, model=model or model_name(encoder), ks=ks, main=main, seed=seed, resamples=resamples
    )


def evaluate_bm25(
    collection: Collection,
    *,
    ks: Sequence[int] = KS,
    main: str = "ndcg@10",
    seed: int = 0,
    resamples: int = 10_000,
    language: str | None = "english",
    chunks: Sequence[Chunk] | None = None,
    model: str = "BM25",
) -> Scores:
    """How well words alone find the relevant documents; the arguments are those of :func:`evaluate_retrieval`."""
    hits = search_collection_bm25(collection, max(_cut_offs(ks, main)), language=language, chunks=chunks)
    return score_hits(hits, collection, model=model, ks=ks, main=main, seed=seed, resamples=resamples)


def score_hits(
    hits: Hits,
    collection: Collection,
    *,
    model: str,
    query_ids: Sequence[str] | None = None,
    ks: Sequence[int] = KS,
    main: str = "ndcg@10",
    seed: int = 0,
    resamples: int = 10_000,
) -> Scores:
    """Score what any search found.

    Every query with a relevant document counts: one that the search left out, or for which it found nothing, scores 0
    (trec_eval would leave it out and so reward silence). Queries without a relevant document count for nothing.

    Args:
        hits: What was found, at least as deep as the greatest cut-off, or as the corpus.
        collection: The test set.
        model: What to call the searcher.
        query_ids: The query of each row of ``hits``; by default those of :func:`judged_queries`.
        ks: Cut-offs.
        main: The metric that counts.
        seed: For the intervals.
        resamples: For the intervals; 0 leaves them out.

    Raises:
        InputError: When the rows do not match the queries, a query is unknown, or the hits are not deep enough.
    """
    counted = judged_queries(collection)
    rows = _aligned(hits, counted if query_ids is None else query_ids, counted, collection)
    ks = _cut_offs(ks, main)
    if rows.depth < min(ks[-1], len(collection.documents)):
        raise InputError(
            f"the hits are {rows.depth} deep, too shallow for a cut-off of {ks[-1]}",
            field="ks",
            remedy=f"Search with k={ks[-1]}, or leave out the cut-offs above {rows.depth}; where there was no more to"
            f" find, score hits.filled({ks[-1]}).",
        )
    per_query = retrieval_metrics(rows, counted, collection.relevance, ks=ks)
    shown = dict.fromkeys([main, *(metric for metric in HEADLINES if metric in per_query)])
    intervals: dict[str, Interval] = {}
    if resamples and len(counted) > 1:  # one query says nothing of how queries differ
        columns = np.column_stack([per_query[metric] for metric in shown])
        intervals = dict(zip(shown, bootstrap_intervals(columns, resamples=resamples, seed=seed), strict=True))
    return Scores(
        task=collection.name,
        model=model,
        main=main,
        values={metric: float(values.mean()) for metric, values in per_query.items()},
        intervals=intervals,
        per_query=per_query,
        query_ids=counted,
    )


def _aligned(hits: Hits, given: Sequence[str], counted: Sequence[str], collection: Collection) -> Hits:
    """The rows of the queries that count, in their order; empty rows for those that were not searched."""
    if len(given) != len(hits):
        raise InputError(f"there are {len(given)} queries, but hits for {len(hits)}", field="hits")
    if list(given) == list(counted):
        return hits
    for query in given:
        if query not in collection.queries:
            raise InputError(
                f"{query!r} is no query of {collection.name!r}",
                field="query_ids",
                remedy=nearest(query, collection.queries),
            )
    row_of = {query: row for row, query in enumerate(given)}
    if len(row_of) != len(given):
        raise InputError("a query is named twice", field="query_ids")
    ids = np.full((len(counted), hits.depth), "", dtype=object)
    scores = np.full((len(counted), hits.depth), -np.inf, dtype=np.float32)
    for row, query in enumerate(counted):
        if (found := row_of.get(query)) is not None:
            ids[row], scores[row] = hits.ids[found], hits.scores[found]
    return Hits(ids, scores)


def _cut_offs(ks: Sequence[int], main: str) -> list[int]:
    """The cut-offs asked for and that of the main metric, ascending; what cannot be is refused before any work is
    done."""
    metric, _, cut_off = main.partition("@")
    if not (cut_off.isascii() and cut_off.isdecimal()) or cut_off.startswith("0"):
        known = ", ".join(RETRIEVAL_METRICS)
        raise InputError(
            f"{main!r} is not a metric at a cut-off of 1 or more", field="main",
            remedy=f"Write it like 'ndcg@10'; there are {known}.",
        )  # fmt: skip
    if metric not in RETRIEVAL_METRICS:
        known_here = [f"{each}@{cut_off}" for each in RETRIEVAL_METRICS]
        raise InputError(f"{main!r} is not a metric of retrieval", field="main", remedy=nearest(main, known_here))
    cut_offs = sorted({*ks, int(cut_off)})
    if cut_offs[0] < 1:
        raise InputError(f"a cut-off must be at least 1, got {cut_offs[0]}", field="ks")
    return cut_offs
