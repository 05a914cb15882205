"""Which candidates are parts of a row's own document: they are no wrong answers to its query, whatever they score."""

from __future__ import annotations

from array import array
from functools import cached_property

import numpy as np
import xxhash

from cosmith.data import Source
from cosmith.data.passages import Passage, document_of_id
from cosmith.data.ragged import Int64, offsets_of, take_rows

Pairs = tuple[Int64, Int64]


class OwnDocuments:
    """The candidates that are parts of the documents that a source's positives are parts of.

    A candidate is a part of a document when it is a positive of a row with that ``document_group``, or when it was
    added with the id of the document or of a chunk of it. Of a chunk's id the document counts on both sides.

    Args:
        source: The rows.
        positives: int64 ``[P]``, which candidate each of the source's positives is.
    """

    def __init__(self, source: Source, positives: Int64) -> None:
        self._positives, self._offsets = positives, source.positive_offsets
        self._numbers: dict[str, int] = {}
        of_name: dict[str, int] = {}
        of_row = array("q")
        for name in source.document_groups or ():
            if name not in of_name:
                of_name[name] = self._numbers.setdefault(document_of_id(name), len(self._numbers))
            of_row.append(of_name[name])
        self._of_row = np.array(of_row, dtype=np.int64)
        self._added, self._added_documents = array("q"), array("q")

    def add(self, candidate: int, text: Passage | str) -> None:
        """Take a candidate with what is known of its document; all are added before the first is asked for."""
        if self._numbers and isinstance(text, Passage):
            number = self._numbers.get(document_of_id(text.document or text.id))
            if number is not None:
                self._added.append(candidate)
                self._added_documents.append(number)

    def of(self, rows: Int64) -> Pairs:
        """Places among these rows, and the candidates that are parts of the documents of the row's positives."""
        if not self._numbers:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        different, documents, document_offsets = self._documents_of_positives
        positives, offsets = take_rows(self._positives, self._offsets, rows)
        places = np.repeat(np.arange(len(rows)), np.diff(offsets))
        found, offsets = take_rows(documents, document_offsets, np.searchsorted(different, positives))
        pairs = np.unique(np.repeat(places, np.diff(offsets)) * len(self._numbers) + found)
        places, found = np.divmod(pairs, len(self._numbers))
        parts, offsets = take_rows(*self._parts, found)
        return np.repeat(places, np.diff(offsets)), parts

    def key(self) -> str:
        """A hash that tells the documents of one set of candidates from another's; empty where none are known."""
        if not self._numbers:
            return ""
        digest = xxhash.xxh3_128()
        for numbers in (*self._of_positives, *self._parts):
            digest.update(np.ascontiguousarray(numbers).view(np.uint8).data)
        return digest.hexdigest()

    @cached_property
    def _of_positives(self) -> Pairs:
        """Each positive and the number of each document that it is a part of, ordered by positive."""
        of_document = np.repeat(self._of_row, np.diff(self._offsets))
        pairs = np.unique(self._positives * len(self._numbers) + of_document)
        return np.divmod(pairs, len(self._numbers))

    @cached_property
    def _documents_of_positives(self) -> tuple[Int64, Int64, Int64]:
        """The different positives, ascending, and the documents of each: a ragged array and its offsets."""
        positives, documents = self._of_positives
        different, counts = np.unique(positives, return_counts=True)
        return different, documents, offsets_of(counts)

    @cached_property
    def _parts(self) -> Pairs:
        """The candidates that are parts of each document as a ragged array, and its offsets."""
        positives, documents = self._of_positives
        candidates = np.concatenate([positives, np.array(self._added, dtype=np.int64)])
        documents = np.concatenate([documents, np.array(self._added_documents, dtype=np.int64)])
        width = int(candidates.max(initial=0)) + 1
        documents, candidates = np.divmod(np.unique(documents * width + candidates), width)
        return candidates, offsets_of(np.bincount(documents, minlength=len(self._numbers)))
