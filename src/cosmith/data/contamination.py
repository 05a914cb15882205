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

Of the other test sets a text is known by the same words, or by the same thirteen (or eight to twelve) in a row,
whatever part of a row holds them: of labelled texts and summaries a text is trained on where a training row holds it
so, of pairs (graded, judged, translations) one where two texts of one row hold its two.
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
"""Words in a row by which a text is known again, and the fewest of a text that is known by less than all of another."""

_AT_ONCE = 65536  # texts in hand at a time
_WORDS_AT_ONCE = 4096  # of them those whose words are, which may be documents
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
    by_query, known_by = _first_known(_alike(source, queries, questions(source)), len(queries))
    documents = {_key(text) for text in collection.documents.values()}
    asked = {_key(text): number for number, text in enumerate(queries)}
    shared: set[int] = set()
    by_document: list[tuple[int, int, str]] = []
    for text, key in _keys(source, (source.positives, source.negatives)):
        if key in documents:
            shared.add(key)
        elif key in asked:
            by_document.append((asked[key], text, "the same text, as a document"))
    found = {number: (text, how) for number, text, how in reversed(by_document)} | by_query
    relevant = {name for grades in collection.relevance.values() for name, grade in grades.items() if grade > 0}
    answers = {_key(collection.documents[name]) for name in relevant if name in collection.documents}
    return Overlap(
        source=source.name,
        task=collection.name,
        asked=len(queries),
        trained=len(found),
        rows=_all_rows_with(source, known_by, [text for _, text, _ in by_document]),
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
    sides = [text for both in zip(pairs.first, pairs.second, strict=True) for text in both]
    sides_of: dict[int, list[Int64]] = {}
    for known, text, _ in _alike(source, sides, _columns(source)):
        sides_of.setdefault(text, []).append(known)
    rows: list[int] = []
    found: dict[int, tuple[int, str]] = {}
    for row, texts in _texts_of_each_row(source, list(sides_of)).items():
        held = {text: set(np.unique(np.concatenate(sides_of[text])).tolist()) for text in texts}
        both = dict(_pairs_held(held))
        rows += [row] if both else []
        for pair, text in both.items():
            found.setdefault(pair, (text, "both texts in one row"))
    shown = [f"{first} / {second}" for first, second in zip(pairs.first, pairs.second, strict=True)]
    return Overlap(
        source.name, name, len(pairs.first), len(found), _numbers(rows), _numbers(found), "pair",
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
    found, known_by = _first_known(_alike(source, asked, _columns(source)), len(asked))
    rows = _all_rows_with(source, known_by, known_by)
    return Overlap(
        source.name, name, len(asked), len(found), rows, _numbers(found), "text",
        examples=_examples(source, asked, found),
    )  # fmt: skip


def _alike(source: Source, tests: Sequence[str], columns: Iterable[Int64]) -> Iterator[tuple[Int64, int, str]]:
    """Training texts by which tests are known: (numbers of tests, number of a text, what they have in common).

    A text comes once for each run of words that it shares, with the numbers of all tests that share it, which are a
    view: as many as there are pairs of a test and a text are never held.
    """
    words = WordHashes()
    hashes, offsets = words.of(tests)
    whole = _Known(wholes(hashes, offsets), np.arange(len(tests)))
    lengths = np.minimum(np.diff(offsets), LONGEST_RUN)
    of_run = {}
    for length in range(SHORTEST_RUN, LONGEST_RUN + 1):
        values, of = runs(hashes, offsets, length)
        if (mine := lengths[of] == length).any():
            of_run[length] = _Known(values[mine], of[mine])
    for used in used_texts(source, columns):
        for start in range(0, len(used), _WORDS_AT_ONCE):
            part = used[start : start + _WORDS_AT_ONCE]
            hashes, offsets = words.of(source.texts.take(part))
            for known, place in whole.found(wholes(hashes, offsets), np.arange(len(part))):
                yield known, int(part[place]), "the same words"
            for length, run in of_run.items():
                for known, place in run.found(*runs(hashes, offsets, length)):
                    yield known, int(part[place]), f"{length} words in a row"


def _first_known(alike: Iterable[tuple[Int64, int, str]], tests: int) -> tuple[dict[int, tuple[int, str]], list[int]]:
    """Of what :func:`_alike` gives: a text by which each test is known, with how, and all texts by which any is."""
    new = np.ones(tests, dtype=np.bool_)
    found: dict[int, tuple[int, str]] = {}
    texts: set[int] = set()
    for known, text, how in alike:
        texts.add(text)
        found |= dict.fromkeys(known[new[known]].tolist(), (text, how))
        new[known] = False
    return found, sorted(texts)


def _pairs_held(held: Mapping[int, set[int]]) -> Iterator[tuple[int, int]]:
    """The pairs of which two texts of a row hold a side each, each pair with one of the two texts.

    Args:
        held: The row's texts, each with the sides that are known by it: 2p and 2p + 1 are those of pair p.
    """
    texts_of: dict[int, list[int]] = {}
    for text, sides in held.items():
        for side in sides:
            texts_of.setdefault(side, []).append(text)
    for side, texts in texts_of.items():
        others = texts_of.get(side + 1, []) if side % 2 == 0 else []
        if others and len({*texts, *others}) > 1:  # one text that holds both sides is one text of the pair, not two
            yield side // 2, texts[0]


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
    """Hashes of tests, and which tests they are of; 0 is the hash of nothing."""

    def __init__(self, values: UInt64, tests: Int64) -> None:
        filled = values != 0
        order = np.argsort(values[filled], kind="stable")
        self._values, self._tests = values[filled][order], tests[filled][order]

    def found(self, values: UInt64, places: Int64) -> Iterator[tuple[Int64, int]]:
        """Places whose hashes are those of tests, each with the tests: a place once for each such hash."""
        first, last = (np.searchsorted(self._values, values, side=side) for side in ("left", "right"))
        for start, stop, place in zip(*(each[first < last].tolist() for each in (first, last, places)), strict=True):
            yield self._tests[start:stop], place


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


def _all_rows_with(source: Source, queries: Sequence[int], documents: Sequence[int]) -> Int64:
    """The same rows in one array, ascending."""
    found = np.zeros(len(source), dtype=np.bool_)
    for rows in rows_with(source, queries, documents):
        found[rows] = True
    return np.flatnonzero(found)


def _columns(source: Source) -> tuple[Int64, ...]:
    """The numbers of the texts in every part of the rows."""
    return source.query, source.positives, source.negatives


def _texts_of_each_row(source: Source, texts: Sequence[int]) -> dict[int, set[int]]:
    """The rows in which any of these texts stands, in whatever part of them, each with those that do."""
    found: dict[int, set[int]] = {}
    every = np.arange(len(source))
    for values, rows in (
        (source.query, every),
        (source.positives, np.repeat(every, np.diff(source.positive_offsets))),
        (source.negatives, np.repeat(every, np.diff(source.negative_offsets))),
    ):
        among = np.isin(values, texts)
        for text, row in zip(values[among].tolist(), rows[among].tolist(), strict=True):
            found.setdefault(row, set()).add(text)
    return dict(sorted(found.items()))


def _numbers(found: Iterable[int]) -> Int64:
    return np.array(sorted(found), dtype=np.int64)


def _examples(source: Source, tests: Sequence[str], found: Mapping[int, tuple[int, str]]) -> tuple[TrainedOn, ...]:
    chosen = sorted(found)[:: max(1, len(found) // _EXAMPLES)][:_EXAMPLES]
    return tuple(
        TrainedOn(one_line(tests[number], 200), one_line(source.texts[found[number][0]], 200), found[number][1])
        for number in chosen
    )
