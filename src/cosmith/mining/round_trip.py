"""Round-trip consistency: a pair is kept when a search for its query finds its document.

A query that somebody, or a language model, has written for a document may suit a hundred others better, or none. So
Promptagator keeps a synthetic query when its document ranks first for it (arXiv:2209.11755, Section 3.2), InPars-v2
when a reranker scores the pair high (arXiv:2301.01820).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosmith.data.passages import CorpusTexts, Passage, each_passage
from cosmith.errors import InputError
from cosmith.mining.own_documents import OwnDocuments
from cosmith.phrases import counted, share
from cosmith.retrieval.dense import search_dense

if TYPE_CHECKING:
    from cosmith.data import Source
    from cosmith.models import TextEncoder

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_EXAMPLES = 5
_NOWHERE = np.iinfo(np.int64).max
_AT_ONCE = 65536  # positives in hand at a time
_QUERIES = 1024  # searched for at a time: what is spared of each, and its hits, are in memory


@dataclass(frozen=True)
class FoundInstead:
    """A row whose positive was not found, or not clearly, for a person to judge.

    Attributes:
        query: The query.
        document: Its positive that ranks lowest.
        found: The document that the search put first, beside the row's own.
        score: The positive's.
        found_score: That document's.
    """

    query: str
    document: str
    found: str
    score: float
    found_score: float


@dataclass(frozen=True)
class RoundTrip:
    """What a search for the queries of a source has found.

    Attributes:
        source: The rows that were kept, in their order and as they were.
        rows: How many there were.
        documents: How many documents were searched.
        kept: bool ``[rows]``.
        ranks: int64 ``[rows]``, the rank of each row's positive, from 1; of several, of the lowest one; 0: not among
            the first k.
        margins: float32 ``[rows]``, by how much the lowest positive scores above the best other document; below 0
            where that scores higher.
        scores: float32 ``[rows]``, the lowest positive's cosine with the query.
        missed: Some of the rows that were left out, those with the lowest margins first.
    """

    source: Source
    rows: int
    documents: int
    kept: npt.NDArray[np.bool_] = field(repr=False, compare=False)
    ranks: Int64 = field(repr=False, compare=False)
    margins: Float32 = field(repr=False, compare=False)
    scores: Float32 = field(repr=False, compare=False)
    missed: tuple[FoundInstead, ...]

    def describe(self) -> str:
        """The counts in one line."""
        kept, first = int(self.kept.sum()), int((self.ranks == 1).sum())
        return (
            f"{counted(kept, 'row')} of {self.rows:,} kept ({share(kept / self.rows)}); of {self.documents:,} documents"
            f" their own came first for {first:,} ({share(first / self.rows)})"
        )


def round_trip(
    encoder: TextEncoder,
    source: Source,
    corpus: CorpusTexts | None = None,
    k: int = 1,
    *,
    margin: float | None = None,
    dim: int | None = None,
) -> RoundTrip:
    """Keep the rows whose positives are found for their queries.

    Exact: every query is held against every document, in blocks. Other positives that the source has of a query do not
    stand in the way of a row's own, nor do the documents that its positives are parts of (``document_group``), whole or
    in other parts. Equal scores: what stands first among the documents ranks higher.

    Args:
        encoder: Reads every text with the prompt and the instruction that it has in training, each distinct text once.
        source: The rows; each needs a positive.
        corpus: The documents to search, beside the source's own, by their ids or as passages
            (:class:`cosmith.data.Passage`); of bare texts nobody knows their documents. None: the source's positives
            and negatives only.
        k: A row is kept when all its positives rank among the first ``k``.
        margin: And when they score at least this much above the best other document; None: no such limit.
        dim: Compare only this many numbers of each vector.

    Raises:
        InputError: When a row has no positive, ``k`` is not possible, or nothing would be kept.
    """
    if k < 1:
        raise InputError(f"must be at least 1, got {k}", field="k")
    if (np.diff(source.positive_offsets) == 0).any():
        raise InputError(
            f"{source.name!r} has rows without a positive to search for", field="source",
            remedy="Select the rows that have one.",
        )  # fmt: skip
    said = source.settings
    numbers = np.unique(np.concatenate([source.positives, source.negatives]))
    place_of = {text: place for place, text in enumerate(source.texts.take(numbers))}
    places = np.searchsorted(numbers, source.positives)
    own_documents = OwnDocuments(source, places)
    for each in each_passage(corpus or ()):
        text = each.text if isinstance(each, Passage) else each
        own_documents.add(place_of.setdefault(text, len(place_of)), each)
    documents = list(place_of)
    queries, query_of = np.unique(source.query, return_inverse=True)
    query_vectors = encoder.encode(
        source.texts.take(queries), prompt=said.query_prompt, instruction=said.instruction, dim=dim,
        show_progress="Encoding queries",
    )  # fmt: skip
    document_vectors = encoder.encode(
        documents, prompt=said.document_prompt, instruction=said.instruction, dim=dim,
        show_progress="Encoding documents",
    )  # fmt: skip
    positive_rows = np.repeat(np.arange(len(source)), np.diff(source.positive_offsets))
    asked = query_of[positive_rows]
    own = np.einsum("ij,ij->i", query_vectors[asked], document_vectors[places], dtype=np.float32)
    ranks, first_other, best_other = _searched(
        query_vectors, document_vectors, asked, places, _Spared(own_documents, query_of, asked, places), k
    )
    lowest = np.minimum.reduceat(own, source.positive_offsets[:-1])
    rank_of_row = np.maximum.reduceat(
        np.where((ranks == 0) | (ranks > k), _NOWHERE, ranks), source.positive_offsets[:-1]
    )
    rank_of_row[rank_of_row == _NOWHERE] = 0
    margins = lowest - best_other[query_of]
    kept = rank_of_row > 0
    if margin is not None:
        kept &= margins >= np.float32(margin)
    if not kept.any():
        raise InputError(
            f"none of {counted(len(source), 'row')} finds its own document among the first {k}", field="k",
            remedy="Raise k, lower the margin, or take a model that knows the domain better.",
        )  # fmt: skip
    left_out = np.flatnonzero(~kept)
    left_out = left_out[np.argsort(margins[left_out], kind="stable")][:_EXAMPLES]
    return RoundTrip(
        source=source.select(np.flatnonzero(kept)),
        rows=len(source),
        documents=len(documents),
        kept=kept,
        ranks=rank_of_row,
        margins=margins,
        scores=lowest,
        missed=tuple(
            _instead(source, row, own, documents[first_other[query_of[row]]], float(best_other[query_of[row]]))
            for row in left_out.tolist()
            if first_other[query_of[row]] >= 0
        ),
    )


@dataclass(frozen=True)
class _Spared:
    """What counts against none of a query's positives: the others of them, and all of their documents.

    Attributes:
        own_documents: The documents that rows are from.
        query_of: int64 ``[R]``, the query of each row.
        asked: int64 ``[P]``, the query of each positive.
        places: int64 ``[P]``, the document that it is.
    """

    own_documents: OwnDocuments
    query_of: Int64
    asked: Int64
    places: Int64

    def of(self, part: slice) -> tuple[Int64, Int64]:
        """Queries of this part, counted from its start, and documents: each pair once."""
        rows = np.flatnonzero((part.start <= self.query_of) & (self.query_of < part.stop))
        inside = (part.start <= self.asked) & (self.asked < part.stop)
        of_row, parts = self.own_documents.of(rows)
        queries = np.concatenate([self.asked[inside], self.query_of[rows[of_row]]]) - part.start
        pairs = np.unique(np.stack([queries, np.concatenate([self.places[inside], parts])]), axis=1)
        return pairs[0], pairs[1]


def _searched(
    query_vectors: Float32, document_vectors: Float32, asked: Int64, places: Int64, spared: _Spared, k: int
) -> tuple[Int64, Int64, Float32]:
    """Search for all queries, some at a time.

    Args:
        query_vectors: float32 ``[Q, D]``.
        document_vectors: float32 ``[N, D]``.
        asked: int64 ``[P]``, the query of each positive.
        places: int64 ``[P]``, the document that it is.
        spared: What does not count.
        k: How many others there may be to be told from.

    Returns:
        The rank ``[P]`` of each positive for its query, 0 where it is not among the hits; the best other document
        ``[Q]`` of each query, -1 where there is none; and its score ``[Q]``, minus infinity likewise.
    """
    count, width = len(query_vectors), len(document_vectors)
    ranks = np.zeros(len(places), dtype=np.int64)
    first_other, best_other = np.full(count, -1, dtype=np.int64), np.full(count, -np.inf, dtype=np.float32)
    for start in range(0, count, _QUERIES):
        part = slice(start, min(start + _QUERIES, count))
        queries, documents = spared.of(part)
        # Deep enough that k others are seen beside all that are spared, and one more to take the margin from.
        depth = k + 1 + int(np.bincount(queries).max())
        positions, scores = search_dense(query_vectors[part], document_vectors, depth)
        pairs = positions + np.arange(len(positions))[:, None] * width
        others = ~np.isin(pairs, queries * width + documents)
        inside = np.flatnonzero((part.start <= asked) & (asked < part.stop))
        ranks[inside] = _ranks(positions, others, asked[inside] - start, places[inside])
        column, there = others.argmax(axis=1), np.flatnonzero(others.any(axis=1))
        first_other[start + there] = positions[there, column[there]]
        best_other[start + there] = scores[there, column[there]]
    return ranks, first_other, best_other


def _ranks(positions: Int64, others: npt.NDArray[np.bool_], queries: Int64, places: Int64) -> Int64:
    """The rank ``[P]`` of each document ``places`` for its query, spared ones not counted; 0: not among the hits."""
    before: Int64 = np.cumsum(others, axis=1) - others
    ranks = np.zeros(len(places), dtype=np.int64)
    for start in range(0, len(places), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        hit = positions[queries[part]] == places[part, None]
        column = hit.argmax(axis=1)
        found = hit[np.arange(len(hit)), column]
        ranks[part] = np.where(found, before[queries[part], column] + 1, 0)
    return ranks


def _instead(source: Source, row: int, own: Float32, found: str, found_score: float) -> FoundInstead:
    start, stop = int(source.positive_offsets[row]), int(source.positive_offsets[row + 1])
    lowest = start + int(own[start:stop].argmin())
    query, document = source.texts.take([int(source.query[row]), int(source.positives[lowest])])
    return FoundInstead(query, document, found, float(own[lowest]), found_score)
