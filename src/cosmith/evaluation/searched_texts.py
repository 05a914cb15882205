"""What is searched of a collection: its documents, or the chunks that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cosmith.retrieval.best_chunk import ChunkTable, best_chunks_of, depth_in_chunks
from cosmith.retrieval.hits import Hits

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.data.chunking import Chunk
    from cosmith.retrieval.dense import Positions, Scores


@dataclass(frozen=True)
class SearchedTexts:
    """The texts that a search of a collection reads, and whose they are.

    Attributes:
        ids: The documents, the greater id first: a search that takes the first of equal scores then takes what
            trec_eval does, also where it is cut.
        texts: One a document, or its chunks, document after document.
        chunks: Which chunks belong to which document; None where documents are read whole.
    """

    ids: list[str]
    texts: list[str]
    chunks: ChunkTable | None

    @classmethod
    def of(cls, collection: Collection, chunks: Sequence[Chunk] | None) -> SearchedTexts:
        """Those of a collection.

        Args:
            collection: What is searched.
            chunks: The documents' chunks, document after document in their order; None: documents are read whole.

        Raises:
            InputError: When the chunks are not those of these documents, in this order.
        """
        ids = sorted(collection.documents, reverse=True)
        if chunks is None:
            return cls(ids, [collection.documents[name] for name in ids], None)
        given = list(collection.documents)
        offsets = ChunkTable.of(chunks, given).offsets
        place = {name: number for number, name in enumerate(given)}
        ordered = [chunk for name in ids for chunk in chunks[offsets[place[name]] : offsets[place[name] + 1]]]
        return cls(ids, [chunk.in_context for chunk in ordered], ChunkTable.of(ordered, ids))

    def hits(self, search: Callable[[int], tuple[Positions, Scores]], k: int) -> Hits:
        """The documents that a search finds, by their best chunks where they have any.

        Args:
            search: Gives the best so many of the texts for each query: positions and scores, best first.
            k: How many documents of each query.
        """
        names = Hits.names_of(self.ids)
        if self.chunks is None:
            return Hits.from_positions(names, *search(k))
        found = search(depth_in_chunks(self.chunks.offsets, k))
        return self.hits_of_chunks(*best_chunks_of(*found, self.chunks.offsets, k))

    def hits_of_chunks(self, positions: Positions, scores: Scores, best: Positions) -> Hits:
        """Documents that were found by their chunks, as :func:`cosmith.retrieval.search_best_chunk` gives them."""
        assert self.chunks is not None
        hits = Hits.from_positions(Hits.names_of(self.ids), positions, scores)
        spans = self.chunks.spans[best]
        spans[hits.ids == ""] = 0
        return replace(hits, spans=spans)
