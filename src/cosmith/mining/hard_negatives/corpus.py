"""The texts that may become negatives, and which of them may never be one of which rows."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cosmith.data import Source
from cosmith.data.passages import CorpusTexts, Passage, each_passage
from cosmith.data.ragged import Int64, offsets_of, take_rows
from cosmith.data.row_arrays import require_text
from cosmith.data.texts import TextTable, TextTableBuilder
from cosmith.mining.likely_positives import Review
from cosmith.mining.own_documents import OwnDocuments

Places = tuple[Int64, Int64]
"""Places among some rows, and positions among the documents, ordered by position."""


class Corpus:
    """A source's positives, and whatever other texts are given, each once.

    Args:
        source: The rows.
        more: The other texts; those that know their documents are no candidates of the rows of these.
        keep: Whether rows keep the negatives that they have.
        encode_kept: Whether those have to be encoded, too.
        review: What people have said of pairs.

    Attributes:
        source: The rows.
        texts: The source's texts, and behind them those that only the corpus has.
        documents: int64 ``[documents]``, the text numbers of the candidates, ascending.
        encoded: int64, those of the candidates and behind them, ascending, those of the kept negatives that
            are no candidates, where they are needed.
    """

    def __init__(self, source: Source, more: CorpusTexts, *, keep: bool, encode_kept: bool, review: Review) -> None:
        self.source, self._keep = source, keep
        builder, added = TextTableBuilder(source.texts), array("q")
        self._own = OwnDocuments(source, source.positives)
        for place, each in enumerate(each_passage(more)):
            text = each.text if isinstance(each, Passage) else each
            require_text(text, place, "the text of the corpus")
            added.append(builder.add(text))
            self._own.add(added[-1], each)
        self.texts: TextTable = builder.table() if len(builder) > len(source.texts) else source.texts
        self.documents: Int64 = np.unique(np.concatenate([source.positives, np.array(added, dtype=np.int64)]))
        kept = source.negatives if encode_kept else source.negatives[:0]
        self.encoded: Int64 = np.concatenate([self.documents, np.setdiff1d(kept, self.documents)])
        self._exempt = self._pairs_of_review(review)
        if source.labels is not None:
            self._labelled, self._label = self._labels_of_documents(source.labels)

    def __len__(self) -> int:
        return len(self.documents)

    def positions(self, texts: Int64) -> tuple[Int64, npt.NDArray[np.bool_]]:
        """Where these texts stand among the documents, and whether they do: both ``[len(texts)]``."""
        positions = np.minimum(np.searchsorted(self.documents, texts), len(self.documents) - 1)
        return positions, self.documents[positions] == texts

    def places_encoded(self, texts: Int64) -> Int64:
        """Where these texts, all of them candidates or kept negatives, stand in ``encoded``."""
        positions, is_document = self.positions(texts)
        behind = np.searchsorted(self.encoded[len(self) :], texts) + len(self)
        return np.where(is_document, positions, behind)

    def excluded(self, rows: Int64) -> Places:
        """What may never be a negative of these rows.

        All that the source knows to answer the row's query, the documents that its positives are parts of and all
        other parts of them, the query itself, and the negatives that the row keeps.
        """
        source, asked = self.source, self.source.query[rows]
        places, answers = _joined(asked, *source.known_positives(rows))
        own_places, own_parts = self._own.of(rows)
        parts = [(answers, places), (asked, np.arange(len(rows))), (own_parts, own_places)]
        if self._keep:
            own, offsets = take_rows(source.negatives, source.negative_offsets, rows)
            parts.append((own, np.repeat(np.arange(len(rows)), np.diff(offsets))))
        texts, places = (np.concatenate(part) for part in zip(*parts, strict=True))
        positions, is_document = self.positions(texts)
        return _by_position(places[is_document], positions[is_document])

    def exempt(self, rows: Int64) -> Places:
        """What a person has called no answer, so that it may be a negative of these rows whatever it scores."""
        return _by_position(*_joined(self.source.query[rows], *self._exempt))

    def exempt_key(self) -> str:
        """What tells one set of exempt pairs from another."""
        queries, positions = self._exempt
        return repr([queries.tolist(), positions.tolist()])

    def documents_key(self) -> str:
        """What tells one knowledge of which texts are parts of which rows' documents from another."""
        return self._own.key()

    def of_same_label(self, rows: Int64, part: slice) -> npt.NDArray[np.bool_] | None:
        """Which of these documents are of the label of which of these rows: ``[len(rows), documents of the part]``.

        A document is of the labels of the rows in which it stands as a positive or as the query; None: rows have no
        labels.
        """
        if self.source.labels is None:
            return None
        there, place = np.unique(self.source.labels[rows], return_inverse=True)
        here = slice(*np.searchsorted(self._labelled, [part.start, part.stop]))
        label, document = self._label[here], self._labelled[here] - part.start
        wanted = np.isin(label, there)
        carries = np.zeros((len(there), part.stop - part.start), dtype=np.bool_)
        carries[np.searchsorted(there, label[wanted]), document[wanted]] = True
        return carries[place]

    def with_negatives(self, rows: Int64, positions: Int64, *, keep: bool) -> Source:
        """These rows with the documents at these positions as negatives, in memory.

        Args:
            rows: int64 [m].
            positions: int64 ``[m, width]``; -1 where there is none.
            keep: Whether the negatives that the rows have stay, in front.
        """
        arrays = self.source.arrays.take(rows)
        place, column = np.nonzero(positions >= 0)
        found = self.documents[positions[place, column]]
        counts = np.bincount(place, minlength=len(rows))
        if keep and len(arrays.negatives):
            had = np.diff(arrays.negative_offsets)
            order = np.argsort(np.concatenate([np.repeat(np.arange(len(rows)), had), place]), kind="stable")
            found, counts = np.concatenate([arrays.negatives, found])[order], counts + had
        arrays = replace(arrays, negatives=found, negative_offsets=offsets_of(counts), scores=None)
        return replace(self.source, texts=self.texts, arrays=arrays, folder=None)

    def _pairs_of_review(self, review: Review) -> Places:
        """Query text number and document position of each pair that is no answer, ordered by query."""
        queries, positions = array("q"), array("q")
        if review.non_answers:
            numbers = TextTableBuilder(self.texts)  # texts that it has not seen get numbers that no row asks for
            for query, document in review.non_answers:
                position, is_document = self.positions(np.array([numbers.add(document)], dtype=np.int64))
                if is_document[0]:
                    queries.append(numbers.add(query))
                    positions.append(int(position[0]))
        asked = np.array(queries, dtype=np.int64)
        order = np.argsort(asked, kind="stable")
        return asked[order], np.array(positions, dtype=np.int64)[order]

    def _labels_of_documents(self, labels: Int64) -> Places:
        """The pairs of a document's position and a label that it carries, ordered by document."""
        row_of = np.repeat(np.arange(len(self.source)), np.diff(self.source.positive_offsets))
        texts = np.concatenate([self.source.positives, self.source.query])
        positions, is_document = self.positions(texts)
        carried = np.concatenate([labels[row_of], labels])[is_document]
        order = np.argsort(positions[is_document], kind="stable")
        return positions[is_document][order], carried[order]


def _joined(asked: Int64, keys: Int64, values: Int64) -> tuple[Int64, Int64]:
    """Each value whose key is asked for, with the place in ``asked``; ``keys`` ascend."""
    starts, stops = np.searchsorted(keys, asked, "left"), np.searchsorted(keys, asked, "right")
    counts = stops - starts
    places = np.repeat(np.arange(len(asked)), counts)
    within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places, values[np.repeat(starts, counts) + within]


def _by_position(places: Int64, positions: Int64) -> Places:
    order = np.argsort(positions, kind="stable")
    return places[order], positions[order]
