"""Documents by their best chunk: exact, since each document's chunks become one score before anything is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosmith.data.chunking import Chunk
from cosmith.data.ragged import Int64, offsets_of
from cosmith.errors import InputError
from cosmith.models.similarity import Similarity
from cosmith.retrieval.dense import QUERY_BLOCK, BestSoFar, Positions, Scores, require_finite
from cosmith.retrieval.similarities import similarities


@dataclass(frozen=True, eq=False)
class ChunkTable:
    """Which chunks belong to which document, without their texts.

    Attributes:
        offsets: int64 ``[documents + 1]``; document ``i`` has the chunks ``offsets[i]`` to ``offsets[i + 1]``, at least
            one.
        spans: int64 ``[chunks, 2]``, where each chunk stands in its document's text.
    """

    offsets: Int64
    spans: Int64

    @classmethod
    def of(cls, chunks: Sequence[Chunk], ids: Iterable[str]) -> ChunkTable:
        """The table of chunks that come document after document.

        Args:
            chunks: All chunks.
            ids: The documents, in the same order.

        Raises:
            InputError: When a document has no chunk, or a chunk is of another document than its place says.
        """
        counts, place = [], 0
        for name in ids:
            start = place
            while place < len(chunks) and chunks[place].document == name:
                place += 1
            if place == start:
                raise InputError(f"no chunk of the document {name!r} stands where it should", field="chunks",
                                 remedy="Cut these documents, in this order.")  # fmt: skip
            counts.append(place - start)
        if place < len(chunks):
            raise InputError(f"the chunk {chunks[place].id!r} is of none of the documents, or out of order",
                             field="chunks", remedy="Cut these documents, in this order.")  # fmt: skip
        spans = np.array([(chunk.start, chunk.stop) for chunk in chunks], dtype=np.int64).reshape(-1, 2)
        return cls(offsets_of(np.array(counts, dtype=np.int64)), spans)

    def __len__(self) -> int:
        """How many chunks there are."""
        return len(self.spans)

    def to_array(self) -> Int64:
        """The table as one array, int64 ``[chunks, 3]``: number of the document, start, stop."""
        documents = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return np.column_stack([documents, self.spans])

    @classmethod
    def from_array(cls, array: Int64, documents: int) -> ChunkTable | None:
        """The table of such an array; None where not each of so many documents has a chunk, in order."""
        numbers = array[:, 0]
        if len(numbers) and (numbers[0] < 0 or numbers[-1] >= documents or (np.diff(numbers) < 0).any()):
            return None
        counts = np.bincount(numbers, minlength=documents)
        return cls(offsets_of(counts), array[:, 1:]) if counts.all() else None


def search_best_chunk(
    queries: npt.NDArray[np.floating],
    chunks: npt.NDArray[np.floating],
    offsets: Int64,
    k: int,
    *,
    block: int = 8192,
    similarity: Similarity = "dot",
) -> tuple[Positions, Scores, Positions]:
    """The documents whose best chunk has the greatest inner product with each query, or is most alike; exact.

    Args:
        queries: ``[Q, D]``.
        chunks: ``[C, D]``, document after document; may be memory-mapped.
        offsets: int64 ``[N + 1]``, where each document's chunks begin; every document has one at least.
        k: How many documents of each query; may be greater than N.
        block: Chunks that are scored at a time, or those of one document where it has more. It changes memory, not
            what is found.
        similarity: What is compared, see :func:`cosmith.retrieval.similarities.similarities`.

    Returns:
        Positions of documents int64 ``[Q, min(k, N)]``, their scores float32, best first (equal scores in ascending
        position), and the position of each one's best chunk among all chunks, int64 (of equal ones the first).

    Raises:
        InputError: When ``k`` or ``block`` is less than one, the widths differ, offsets do not fit the chunks, or a
            vector is not finite.
    """
    if k < 1 or block < 1:
        raise InputError(f"must be at least 1, got {min(k, block)}", field="k" if k < 1 else "block")
    if queries.ndim != 2 or chunks.ndim != 2 or queries.shape[1] != chunks.shape[1]:
        raise InputError(
            f"queries {queries.shape} and chunks {chunks.shape} must be [Q, D] and [C, D] with the same D",
            field="queries",
            remedy="Encode both with the same model and the same dim.",
        )
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(chunks) or (np.diff(offsets) < 1).any():
        raise InputError("must begin with 0, always rise and end with the number of chunks", field="offsets")
    asked: Scores = np.ascontiguousarray(queries, dtype=np.float32)
    if not len(asked):
        none = np.empty((0, min(k, len(offsets) - 1)), dtype=np.int64)
        return none, none.astype(np.float32), none
    found = [_search_block(asked[start : start + QUERY_BLOCK], chunks, offsets, k, block, similarity)
             for start in range(0, len(asked), QUERY_BLOCK)]  # fmt: skip
    positions, scores, best = (np.concatenate(part) for part in zip(*found, strict=True))
    return positions, scores, best


def depth_in_chunks(offsets: Int64, k: int) -> int:
    """How many of the best chunks hold those of ``k`` documents, whatever the scores: as many as the ``k`` documents
    with the most chunks have."""
    return int(np.sort(np.diff(offsets))[::-1][:k].sum())


def best_chunks_of(positions: Positions, scores: Scores, offsets: Int64, k: int) -> tuple[Positions, Scores, Positions]:
    """The documents of chunks that any search has found, each by its best one.

    Args:
        positions: int64 ``[Q, depth]``, chunks, best first; exact where ``depth`` is :func:`depth_in_chunks` or more.
        scores: float32 of the same shape; ``-inf`` where there is no hit.
        offsets: int64 ``[N + 1]``, where each document's chunks begin.
        k: How many documents of each query.

    Returns:
        As :func:`search_best_chunk`, with scores of ``-inf`` (and positions 0) where fewer documents were found.
    """
    width = min(k, len(offsets) - 1)
    documents: Positions = np.zeros((len(positions), width), dtype=np.int64)
    chunks, kept = np.zeros_like(documents), np.full(documents.shape, -np.inf, dtype=np.float32)
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    for row, (found, scored) in enumerate(zip(positions, scores, strict=True)):
        hits = found[~np.isneginf(scored)]
        _, first = np.unique(owners[hits], return_index=True)
        # By score, then by document: of equal chunks that of the earlier document comes first in any search.
        first = np.sort(first)[:width]
        taken = slice(0, len(first))
        chunks[row, taken], kept[row, taken] = hits[first], scored[first]
        documents[row, taken] = owners[hits[first]]
    return documents, kept, chunks


def _search_block(
    asked: Scores, chunks: npt.NDArray[np.floating], offsets: Int64, k: int, block: int, similarity: Similarity
) -> tuple[Positions, Scores, Positions]:
    """The search for a few queries at once."""
    kept = BestSoFar(len(asked), k)
    for first, last in document_blocks(offsets, block):
        rows = np.ascontiguousarray(chunks[offsets[first] : offsets[last]], dtype=np.float32)
        scores = similarities(asked, rows, similarity)
        require_finite(scores, int(offsets[first]))
        kept.add(np.maximum.reduceat(scores, offsets[first:last] - offsets[first], axis=1), first)
    positions, scores = kept.result()

    def scored(row: int, part: slice) -> Scores:
        found: Scores = similarities(asked[row : row + 1], chunks[part], similarity)[0]
        return found

    return positions, scores, best_within(scored, offsets, positions)


def document_blocks(offsets: Int64, block: int) -> Iterator[tuple[int, int]]:
    """Ranges of documents that have at most so many chunks together, or are single ones."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + block, "right")) - 1)
        yield first, last
        first = last


def best_within(scored: Callable[[int, slice], Scores], offsets: Int64, positions: Positions) -> Positions:
    """The best chunk of each document that was found.

    Args:
        scored: The scores of some chunks for a query, from its number and where they stand.
        offsets: int64 ``[N + 1]``, where each document's chunks begin.
        positions: The documents of each query, int64 ``[Q, k]``.

    Returns:
        int64 ``[Q, k]``; of equal chunks the first.
    """
    best: Positions = offsets[positions]
    for row, column in np.argwhere(np.diff(offsets)[positions] > 1).tolist():
        document = positions[row, column]
        best[row, column] += scored(row, slice(offsets[document], offsets[document + 1])).argmax()
    return best
