"""Who ranks the documents of a corpus for the queries of rows, a block of documents at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from cosmith.bulk import Engine
from cosmith.data.ragged import Float32, Int64, offsets_of
from cosmith.mining.hard_negatives.blocks import blocks
from cosmith.mining.hard_negatives.corpus import Corpus
from cosmith.mining.hard_negatives.settings import MiningSettings
from cosmith.retrieval.lexical import Bm25
from cosmith.retrieval.vectors import Encoding, Vectors, encode_in_shards

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

ScoreRows = Callable[[Int64], Float32]
"""Rows [m] → the scores of their queries with each document of a block, float32 ``[m, documents]``."""

_PAIRS_AT_A_TIME = 8192


class Judge:
    """An encoder's opinion of the documents: it ranks them, and says which are too likely answers.

    Attributes:
        key: A hash over the vectors.
        positive_scores: float32 ``[positives]``, the cosine of each with the query of its row.
        lowest: float32 ``[rows]``, the lowest of each row.
        limits: float32 ``[rows]``, what a candidate must score less than.
    """

    def __init__(
        self, encoder: TextEncoder, corpus: Corpus, settings: MiningSettings, folder: Path | None, engine: Engine
    ) -> None:
        source, said = corpus.source, corpus.source.settings
        asked, self._query_of_row = np.unique(source.query, return_inverse=True)

        def encoded(numbers: Int64, prompt: str, called: str) -> Vectors:
            encoding = Encoding(
                encoder, corpus.texts, numbers, called, prompt, said.instruction, settings.dim, settings.stored_as
            )
            return encode_in_shards(encoding, folder, engine)

        self._queries = encoded(asked, said.query_prompt, "queries")
        self._documents = encoded(corpus.encoded, said.document_prompt, "documents")
        self.key = f"{encoder.fingerprint()} {getattr(encoder, 'precision', '')}"
        rows = np.repeat(np.arange(len(source)), np.diff(source.positive_offsets))
        self.positive_scores = self.of_pairs(rows, corpus.places_encoded(source.positives))
        self.lowest: Float32 = np.minimum.reduceat(self.positive_scores, source.positive_offsets[:-1])
        self.limits = settings.limits.of(self.lowest)

    def over(self, part: slice) -> ScoreRows:
        """How it scores these documents."""
        columns = self._documents.part(part).T

        def score(rows: Int64) -> Float32:
            return self._queries.take(self._query_of_row[rows]) @ columns

        return score

    def of_pairs(self, rows: Int64, places: Int64) -> Float32:
        """The cosine of each row's query with the text at a place of ``corpus.encoded``: float32 ``[pairs]``."""
        scores: Float32 = np.empty(len(rows), dtype=np.float32)
        for part in blocks(len(rows), _PAIRS_AT_A_TIME):
            asked = self._queries.take(self._query_of_row[rows[part]])
            scores[part] = np.einsum("ij,ij->i", asked, self._documents.take(places[part]))
        return scores


@dataclass(frozen=True)
class Words:
    """BM25's ranking of the documents; a document that shares no word with a query is no candidate."""

    index: Bm25
    corpus: Corpus

    @classmethod
    def build(cls, corpus: Corpus, language: str | None, folder: Path | None) -> Words:
        """Index the documents, or read the index of the same ones from ``folder``."""
        place = None
        if folder is not None:
            digest = xxhash.xxh3_128(repr((language, len(corpus))).encode())
            digest.update(np.ascontiguousarray(corpus.texts.hashes[corpus.documents]).view(np.uint8).data)
            place = folder / "bm25" / digest.hexdigest()
            if (place / "bm25.json").is_file():
                return cls(Bm25.load(place), corpus)
        names = [str(position) for position in range(len(corpus))]
        index = Bm25.build(names, corpus.texts.take(corpus.documents), language=language)
        return cls(index if place is None else index.save(place), corpus)

    @cached_property
    def _by_document(self) -> Any:
        """What each document's words add to its score: a sparse array, float32 ``[documents, stems]``."""
        from scipy.sparse import csc_array

        shape = (len(self.corpus), len(self.index.vocabulary))
        return csc_array((self.index.weights, self.index.documents, self.index.offsets), shape=shape).tocsr()

    @cached_property
    def _by_row(self) -> Any:
        """How often each row's query has each stem: a sparse array, float32 ``[rows, stems]``."""
        from scipy.sparse import csr_array

        asked, query_of_row = np.unique(self.corpus.source.query, return_inverse=True)
        stems = self.index.stems(self.corpus.texts.take(asked))
        flat = np.array([stem for each in stems for stem in each], dtype=np.int64)
        offsets = offsets_of(np.array([len(each) for each in stems], dtype=np.int64))
        counts = np.ones(len(flat), dtype=np.float32)
        return csr_array((counts, flat, offsets), shape=(len(asked), len(self.index.vocabulary)))[query_of_row]

    def over(self, part: slice) -> ScoreRows:
        """How it scores these documents; ``-inf`` for those that share no word with the query."""
        columns = self._by_document[part].T.tocsr()

        def score(rows: Int64) -> Float32:
            scores: Float32 = (self._by_row[rows] @ columns).toarray()
            scores[scores <= 0] = -np.inf
            return scores

        return score


def mean_scores(judges: Sequence[Judge], rows: Int64, places: Int64) -> Float32:
    """The mean of the judges' cosines of pairs, float32 ``[pairs]``."""
    if len(judges) == 1:
        return judges[0].of_pairs(rows, places)
    mean: Float32 = np.mean([judge.of_pairs(rows, places) for judge in judges], axis=0, dtype=np.float32)
    return mean
