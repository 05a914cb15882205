"""Has the test been trained on? What training rows and a test set have in common, and which of it is legitimate.

The documents of a search are meant to be known: a model that is trained on a team's documents and is then asked new
questions about the same ones does just what it is for, and its test set shares its documents with training. What must
not be known is what the test asks. So, of a retrieval set, a test query is trained on where

* a training query has the same words in the same order (in lower case, without the punctuation around them);
* it has eight words or more, and a training query has thirteen words in a row with it, or all of it where it has
  fewer (the n-grams of GPT-3, arXiv:2005.14165, Appendix C: thirteen words, and no fewer than eight);
* a positive or a negative is the same text, unless that is a document of the test set.

A text that is set against itself (SimCSE) is a document, not a query: it may hold the words of a test query, as the
documents do that are searched.

Of pairs (graded, judged, translations), one is trained on where a training row holds both of its texts; of other test
sets (labelled texts, queries with candidates, summaries) a text where a training row holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cosmith.data.cleaning.words import UInt64, WordHashes, hashed, normalised, runs, wholes
from cosmith.data.ragged import Int64
from cosmith.data.row_arrays import blocks_of
from cosmith.phrases import counted, one_line, share

if TYPE_CHECKING:
    from cosmith.data.collection import Collection
    from cosmith.data.readers import StsPairs
    from cosmith.data.source import Source

LONGEST_RUN, SHORTEST_RUN = 13, 8
"""Words in a row by which a query is known again, and the fewest of a query that is known by less than all of it."""

_AT_ONCE = 65536  # texts in hand at a time
_EXAMPLES = 5


@dataclass(frozen=True)
class TrainedOn:
    """A query, or a pair, of a test set that stands in training rows.

    Attributes:
        test: It.
        train: The training text that is known by it.
        how: What the two have in common.
    """

    test: str
    train: str
    how: str


@dataclass(frozen=True)
class Overlap:
    """What some training rows and a test set have in common.

    Attributes:
        source: What the rows are called.
        task: What the test set is called.
        asked: How many queries, or pairs, the test set has.
        trained: How many of them are trained on.
        rows: int64, the training rows that do so.
        tested: int64, the numbers of the queries, pairs or texts that are trained on, in the test set's order.
        unit: ``query``, ``pair`` or ``text``.
        documents: How many documents the test set has.
        shared: How many of them stand in the rows, as they may.
        answers: How many documents answer a query of the test set.
        shared_answers: How many of those stand in the rows, as they may.
        examples: Some of the queries, or pairs, that are trained on.
    """

    source: str
    task: str
    asked: int
    trained: int
    rows: Int64 = field(repr=False, compare=False)
    tested: Int64 = field(repr=False, compare=False)
    unit: str = "query"
    documents: int = 0
    shared: int = 0
    answers: int = 0
    shared_answers: int = 0
    examples: tuple[TrainedOn, ...] = ()

    def describe(self) -> str:
        """The counts in one line."""
        asked = counted(self.asked, self.unit, "queries" if self.unit == "query" else None)
        told = f"{self.source}, against {self.task}: {self.trained:,} of {asked} trained on"
        if self.trained:
            told += f" ({share(self.trained / self.asked)}), in {counted(len(self.rows), 'row')}"
        if self.documents:
            told += (
                f"; {self.shared:,} of {counted(self.documents, 'document')} shared, {self.shared_answers:,} of the"
                f" {self.answers:,} that answer"
            )
        return told

    def values(self) -> dict[str, Any]:
        """The same as plain values."""
        found: dict[str, Any] = {key: each for key, each in vars(self).items() if isinstance(each, str | int)}
        examples = [asdict(each) for each in self.examples]
        return found | {"rows": len(self.rows), "examples": examples, "told": self.describe()}


def overlap_with_collection(source: Source, collection: Collection) -> Overlap:
    """What training rows have in common with a retrieval set.

    The rows' texts are read some at a time; held are the test set, and a byte for each text and each row.

    Args:
        source: The training rows.
        collection: The test set.
    """
    queries = list(collection.queries.values())
    by_query = list(_alike(source, queries))
    documents = {_key(text) for text in collection.documents.values()}
    asked = {_key(text): number for number, text in enumerate(queries)}
    shared: set[int] = set()
    by_document: list[tuple[int, int, str]] = []
    for text, key in _keys(source, (source.positives, source.negatives)):
        if key in documents:
            shared.add(key)
        elif key in asked:
            by_document.append((asked[key], text, "the same text, as a document"))
    found = {number: (text, how) for number, text, how in reversed([*by_query, *by_document])}
    rows = np.zeros(len(source), dtype=np.bool_)
    for found_rows in rows_with(source, [text for _, text, _ in by_query], [text for _, text, _ in by_document]):
        rows[found_rows] = True
    relevant = {name for grades in collection.relevance.values() for name, grade in grades.items() if grade > 0}
    answers = {_key(collection.documents[name]) for name in relevant if name in collection.documents}
    return Overlap(
        source=source.name,
        task=collection.name,
        asked=len(queries),
        trained=len(found),
        rows=np.flatnonzero(rows),
        tested=_numbers(found),
        documents=len(documents),
        shared=len(shared),
        answers=len(answers),
        shared_answers=len(shared & answers),
        examples=_examples(source, queries, found),
    )


def overlap_with_pairs(source: Source, pairs: StsPairs, name: str) -> Overlap:
    """What training rows have in common with an sts set.

    Args:
        source: The training rows.
        pairs: The test set.
        name: What it is called.
    """
    keys = [(_key(first), _key(second)) for first, second in zip(pairs.first, pairs.second, strict=True)]
    wanted = {key for both in keys for key in both}
    texts_of: dict[int, list[int]] = {}
    for text, key in _keys(source, (source.query, source.positives, source.negatives)):
        if key in wanted:
            texts_of.setdefault(key, []).append(text)
    rows_of = _rows_of_each(source, [text for texts in texts_of.values() for text in texts])
    rows: set[int] = set()
    found: dict[int, tuple[int, str]] = {}
    for number, (one, other) in enumerate(keys):
        for first in texts_of.get(one, ()):
            both = [rows_of[first] & rows_of[second] for second in texts_of.get(other, ()) if second != first]
            if any(both):
                rows.update(*both)
                found.setdefault(number, (first, "both texts in one row"))
    shown = [f"{first} / {second}" for first, second in zip(pairs.first, pairs.second, strict=True)]
    return Overlap(
        source.name, name, len(keys), len(found), _numbers(rows), _numbers(found), "pair",
        examples=_examples(source, shown, found),
    )  # fmt: skip


def overlap_with_texts(source: Source, texts: Sequence[str], name: str) -> Overlap:
    """What training rows have in common with texts that none of them may hold, whatever its part in the row.

    Args:
        source: The training rows.
        texts: The tested texts.
        name: What the test set is called.
    """
    asked = list(dict.fromkeys(texts))
    number_of = {_key(text): number for number, text in enumerate(asked)}
    found = {
        number_of[key]: (text, "the same text")
        for text, key in _keys(source, (source.query, source.positives, source.negatives))
        if key in number_of
    }
    rows = set().union(*_rows_of_each(source, [text for text, _ in found.values()]).values())
    return Overlap(
        source.name, name, len(asked), len(found), _numbers(rows), _numbers(found), "text",
        examples=_examples(source, asked, found),
    )  # fmt: skip


def _alike(source: Source, queries: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Test queries that are known by a training query: (test number, text number, what they have in common)."""
    words = WordHashes()
    hashes, offsets = words.of(queries)
    whole = _Known(wholes(hashes, offsets), np.arange(len(queries)))
    lengths = np.minimum(np.diff(offsets), LONGEST_RUN)
    of_run = {}
    for length in range(SHORTEST_RUN, LONGEST_RUN + 1):
        values, of = runs(hashes, offsets, length)
        if (mine := lengths[of] == length).any():
            of_run[length] = _Known(values[mine], of[mine])
    for part in used_texts(source, questions(source)):
        hashes, offsets = words.of(source.texts.take(part))
        for test, place in whole.found(wholes(hashes, offsets), np.arange(len(part))):
            yield test, int(part[place]), "the same words"
        for length, known in of_run.items():
            for test, place in known.found(*runs(hashes, offsets, length)):
                yield test, int(part[place]), f"{length} words in a row"


def questions(source: Source) -> Iterator[Int64]:
    """The queries of the rows, some at a time, but of those that set a text against itself: they ask nothing, and
    their text is a document."""
    for start in range(0, len(source), _AT_ONCE):
        rows = source.arrays.take(np.arange(start, min(start + _AT_ONCE, len(source))))
        of = np.repeat(np.arange(len(rows)), np.diff(rows.positive_offsets))
        asks = np.ones(len(rows), dtype=np.bool_)
        asks[of[rows.positives == rows.query[of]]] = False
        yield rows.query[asks]


class _Known:
    """Hashes of test queries, and which queries they are of; 0 is the hash of nothing."""

    def __init__(self, values: UInt64, queries: Int64) -> None:
        filled = values != 0
        order = np.argsort(values[filled], kind="stable")
        self._values, self._queries = values[filled][order], queries[filled][order]

    def found(self, values: UInt64, places: Int64) -> list[tuple[int, int]]:
        """The pairs of a query and a place whose hashes are equal, each pair once."""
        first, last = (np.searchsorted(self._values, values, side=side) for side in ("left", "right"))
        pairs = {
            (query, place)
            for start, stop, place in zip(*(each[first < last].tolist() for each in (first, last, places)), strict=True)
            for query in self._queries[start:stop].tolist()
        }
        return sorted(pairs)


def _key(text: str) -> int:
    return hashed(normalised(text))


def used_texts(source: Source, columns: Iterable[Int64]) -> Iterator[Int64]:
    """The numbers of the texts in some columns, each once, ascending, some at a time."""
    used = np.zeros(len(source.texts), dtype=np.bool_)
    for column in columns:
        for block in blocks_of(column):
            used[block] = True
            source.let_go()
    for start in range(0, len(used), _AT_ONCE):
        yield start + np.flatnonzero(used[start : start + _AT_ONCE])
        source.let_go()


def _keys(source: Source, columns: Iterable[Int64]) -> Iterator[tuple[int, int]]:
    """The same numbers, each with the key of its text."""
    for numbers in used_texts(source, columns):
        yield from zip(numbers.tolist(), map(_key, source.texts.take(numbers)), strict=True)


def rows_with(source: Source, queries: Sequence[int], documents: Sequence[int]) -> Iterator[Int64]:
    """The rows whose query is one of these texts, or of which a positive or a negative is one of those."""
    if not queries and not documents:
        return
    for start in range(0, len(source), _AT_ONCE):
        rows = source.arrays.take(np.arange(start, min(start + _AT_ONCE, len(source))))
        every = start + np.arange(len(rows))
        yield every[np.isin(rows.query, queries)]
        for values, offsets in ((rows.positives, rows.positive_offsets), (rows.negatives, rows.negative_offsets)):
            yield np.repeat(every, np.diff(offsets))[np.isin(values, documents)]
        source.let_go()


def _rows_of_each(source: Source, texts: Sequence[int]) -> Mapping[int, set[int]]:
    """The rows in which each of these texts stands, in whatever part of them."""
    found: dict[int, set[int]] = {text: set() for text in texts}
    every = np.arange(len(source))
    for values, rows in (
        (source.query, every),
        (source.positives, np.repeat(every, np.diff(source.positive_offsets))),
        (source.negatives, np.repeat(every, np.diff(source.negative_offsets))),
    ):
        among = np.isin(values, texts)
        for text, row in zip(values[among].tolist(), rows[among].tolist(), strict=True):
            found[text].add(row)
    return found


def _numbers(found: Iterable[int]) -> Int64:
    return np.array(sorted(found), dtype=np.int64)


def _examples(source: Source, tests: Sequence[str], found: Mapping[int, tuple[int, str]]) -> tuple[TrainedOn, ...]:
    chosen = sorted(found)[:: max(1, len(found) // _EXAMPLES)][:_EXAMPLES]
    return tuple(
        TrainedOn(one_line(tests[number], 200), one_line(source.texts[found[number][0]], 200), found[number][1])
        for number in chosen
    )
