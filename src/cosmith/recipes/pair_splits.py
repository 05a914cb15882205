"""Development and test sets from a team's own pairs, however many they are.

Beside the arrays that the source is mapped from, what is held of R rows are a random number for each row's group, what
sorting these takes (:func:`cosmith.data.splits.split_by_key`), a byte for each row and each text, and 24 bytes for each
row of a held-out part: with ten million rows half a gigabyte, whatever the texts are. Rows with groups take 40 bytes
each more.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cosmith.data import Collection, Source, TrainingRow
from cosmith.data.splits import group_key, split_by_key
from cosmith.errors import InputError
from cosmith.phrases import counted

FEWEST_GROUPS = 10
"""Below this a test set says nothing, and one part or another would be empty."""

_BLOCK = 1 << 16
_TEXTS = 256
_MOST_PERMUTED = 1_000_000

Int64 = npt.NDArray[np.int64]


Parter = Callable[[Mapping[str, float]], Mapping[str, npt.NDArray[np.int64]]]
"""Gives each part, by its share of the rows, the numbers of its rows."""


@dataclass(frozen=True, eq=False)
class SourceSplit:
    """Which rows are for training, bool [R], and the sets that they were parted from; None where none was asked for."""

    train: npt.NDArray[np.bool_]
    dev: Collection | None
    test: Collection | None


@dataclass(frozen=True)
class Limits:
    """The most queries and documents of a set that is split off."""

    queries: int
    documents: int


_DEV_LIMITS = Limits(500, 2_000)
_TEST_LIMITS = Limits(2_000, 20_000)


def split_source(
    whole: Source,
    *,
    dev: float,
    test: float,
    seed: int,
    dev_limits: Limits = _DEV_LIMITS,
    test_limits: Limits = _TEST_LIMITS,
    part: Parter | None = None,
) -> SourceSplit:
    """Part rows into training rows, a development and a test set.

    Rows with the same query (but for case and spacing) or the same group stay together, also by way of a third, so
    that no query of the two sets was trained on. Documents may be shared, as in a real search: what is asked is
    whether a new query finds its answer in the known corpus.

    Args:
        whole: All rows.
        dev: Share of the rows for the development set, 0 for none.
        test: Share of the rows for the test set, 0 for none.
        seed: Chooses the split and the samples.
        dev_limits: Small, since it is evaluated again and again while training.
        test_limits: Likewise for the test set; see :func:`sampled`.
        part: Parts the rows in another way; queries may then stand in two parts.

    Raises:
        InputError: There are too few separate queries, or the rows of a set have no answers.
    """
    shares = {"train": 1 - dev - test} | ({"dev": dev} if dev else {}) | ({"test": test} if test else {})
    if len(shares) == 1:
        return SourceSplit(np.ones(len(whole), dtype=np.bool_), None, None)
    parts = _by_group(whole, shares, seed) if part is None else _numbered(part(shares), len(whole))
    corpus = _Corpus(whole)

    def collection(name: str, limits: Limits) -> Collection | None:
        if name not in shares:
            return None
        return _held_out(name, corpus, np.flatnonzero(parts == list(shares).index(name)), limits, seed)

    return SourceSplit(parts == 0, collection("dev", dev_limits), collection("test", test_limits))


def _by_group(whole: Source, shares: Mapping[str, float], seed: int) -> npt.NDArray[np.uint8]:
    """The number of each row's part: uint8 [R]."""
    keys = joined_groups(whole.rows(), seed)
    groups = len(np.unique(keys))
    if groups < FEWEST_GROUPS:
        raise InputError(
            f"too few to split: {counted(len(whole), 'row')} with"
            f" {counted(groups, 'separate query or group', 'separate queries or groups')}",
            remedy="Give more rows, or say `dev: 0` and `test: 0` and evaluate on sets of your own.",
        )
    return split_by_key(keys, shares)


def _numbered(parts: Mapping[str, Int64], count: int) -> npt.NDArray[np.uint8]:
    """The same of parts that are given: uint8 [count]."""
    numbers = np.zeros(count, dtype=np.uint8)
    for number, rows in enumerate(parts.values()):
        numbers[rows] = number
    return numbers


def sampled(whole: Collection, limits: Limits, seed: int) -> Collection:
    """At most so many queries of a collection, by chance, with their judged documents and others up to the limit."""
    random = np.random.default_rng(seed)
    names = list(whole.queries)
    queries = [names[number] for number in _sample(len(names), limits.queries, random)]
    kept = {document for query in queries for document in whole.relevance.get(query, {})}
    others = [document for document in whole.documents if document not in kept]
    kept.update(others[number] for number in _sample(len(others), max(0, limits.documents - len(kept)), random))
    return replace(
        whole,
        documents={name: text for name, text in whole.documents.items() if name in kept},
        queries={name: whole.queries[name] for name in queries},
        relevance={name: whole.relevance[name] for name in queries if name in whole.relevance},
        rejected=(),
    )


def joined_groups(rows: Iterable[TrainingRow], seed: int = 0) -> npt.NDArray[np.uint64]:
    """A key for each row, the same for rows that must stay together: by query, by group, or by way of others.

    Args:
        rows: The rows; they are gone through once.
        seed: Another seed gives other keys, and another order of them.

    Returns:
        uint64 [rows], for :func:`cosmith.data.splits.split_by_key`.
    """
    queries, groups, grouped = array("Q"), array("Q"), array("q")
    for number, row in enumerate(rows):
        queries.append(group_key(f"query {' '.join(row.query.casefold().split())}", seed))
        if row.group is not None:
            groups.append(group_key(f"group {row.group}", seed))
            grouped.append(number)
    keys = np.frombuffer(queries, dtype=np.uint64) if queries else np.zeros(0, dtype=np.uint64)
    return _joined(keys, np.frombuffer(groups, dtype=np.uint64), np.array(grouped)) if groups else keys


def _joined(keys: npt.NDArray[np.uint64], groups: npt.NDArray[np.uint64], grouped: Int64) -> npt.NDArray[np.uint64]:
    """The keys of the rows' queries, those that a group joins made one; ``grouped``: which rows the groups are of."""
    names = np.unique(np.concatenate([keys, groups]))
    parent = array("q", range(len(names)))

    def root(name: int) -> int:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for start in range(0, len(groups), _BLOCK):
        block = slice(start, start + _BLOCK)
        of_queries = np.searchsorted(names, keys[grouped[block]]).tolist()
        for query, group in zip(of_queries, np.searchsorted(names, groups[block]).tolist(), strict=True):
            parent[root(query)] = root(group)
    roots = np.frombuffer(parent, dtype=np.int64)
    while not np.array_equal(further := roots[roots], roots):
        roots = further
    return names[roots[np.searchsorted(names, keys)]]


class _Corpus:
    """Every distinct document of a source, numbered by its first occurrence."""

    def __init__(self, whole: Source) -> None:
        self.whole = whole
        self.count = sum(map(len, self._documents()))

    def places(self, texts: Int64) -> Int64:
        """The numbers of the documents that are these texts, ascending."""
        return self._found(lambda start, block: start + np.flatnonzero(np.isin(block, texts)))

    def texts(self, places: Int64) -> Int64:
        """The text numbers of the documents with these numbers, which ascend."""
        return self._found(
            lambda start, block: block[places[(places >= start) & (places < start + len(block))] - start]
        )

    def _found(self, of_block: Callable[[int, Int64], Int64]) -> Int64:
        found, start = [np.zeros(0, dtype=np.int64)], 0
        for block in self._documents():
            found.append(of_block(start, block))
            start += len(block)
        return np.concatenate(found)

    def _documents(self) -> Iterator[Int64]:
        """The text numbers of the documents in order, those of some rows at a time."""
        seen = np.zeros(len(self.whole.texts), dtype=np.bool_)
        for start in range(0, len(self.whole), _BLOCK):
            rows = self.whole.arrays.take(np.arange(start, min(start + _BLOCK, len(self.whole))))
            texts = np.empty(len(rows.positives) + len(rows.negatives), dtype=np.int64)
            texts[rows.places_of_positives] = rows.positives
            texts[rows.places_of_negatives] = rows.negatives
            distinct, first = np.unique(texts, return_index=True)
            new = ~seen[distinct]
            seen[distinct] = True
            self.whole.let_go()
            yield texts[np.sort(first[new])]


def _held_out(name: str, corpus: _Corpus, rows: Int64, limits: Limits, seed: int) -> Collection:
    """A sample of the queries of some rows, over a sample of all documents, as :func:`sampled` draws it."""
    whole = corpus.whole
    rows = rows[whole.positive_offsets[rows + 1] > whole.positive_offsets[rows]]
    if not len(rows):
        problem = f"no row of the {name} part has a positive, so there is nothing to search for"
        raise InputError(problem, remedy="Say `dev: 0` and `test: 0` and evaluate on a set of your own.")
    asked = whole.query[rows]
    queries = asked[np.sort(np.unique(asked, return_index=True)[1])]
    random = np.random.default_rng(seed)
    chosen = _sample(len(queries), limits.queries, random)
    answers: dict[int, dict[int, int]] = {int(query): {} for query in queries[chosen]}
    for row in rows[np.isin(asked, queries[chosen])].tolist():
        positives = whole.positives[whole.positive_offsets[row] : whole.positive_offsets[row + 1]]
        answers[int(whole.query[row])].update(dict.fromkeys(positives.tolist(), 1))
    kept = corpus.places(np.unique(np.array([text for given in answers.values() for text in given])))
    others = _sample(corpus.count - len(kept), max(0, limits.documents - len(kept)), random)
    # The n-th of the others comes behind as many of the kept as have no more than n others before them.
    others = others + np.searchsorted(kept - np.arange(len(kept)), others, side="right")
    places = np.sort(np.concatenate([kept, others]))
    texts = corpus.texts(places)
    id_of = {text: f"d{place}" for text, place in zip(texts.tolist(), places.tolist(), strict=True)}
    ids = [f"q{number}" for number in chosen.tolist()]
    return Collection(
        name=name,
        documents=dict(zip(id_of.values(), _texts(whole, texts), strict=True)),
        queries=dict(zip(ids, _texts(whole, queries[chosen]), strict=True)),
        relevance={
            query: {id_of[text]: 1 for text in given} for query, given in zip(ids, answers.values(), strict=True)
        },
    )


def _texts(whole: Source, numbers: Int64) -> Iterator[str]:
    """Texts from all over a source; each brings pages of the file into memory that are let go after a few."""
    for start in range(0, len(numbers), _TEXTS):
        yield from whole.texts.take(numbers[start : start + _TEXTS])
        whole.let_go()


def _sample(count: int, most: int, random: np.random.Generator) -> Int64:
    """At most ``most`` of the numbers below ``count``, by chance, ascending."""
    if count <= most:
        return np.arange(count)
    if count > _MOST_PERMUTED:  # a permutation would take eight bytes for each
        return np.sort(random.choice(count, most, replace=False, shuffle=False))
    return np.sort(random.permutation(count)[:most])
