"""Development and test sets from a team's own pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cosmith.data import Collection, TrainingRow, split_by_group
from cosmith.errors import InputError
from cosmith.phrases import counted

FEWEST_GROUPS = 10
"""Below this a test set says nothing, and one part or another would be empty."""


Parter = Callable[[Mapping[str, float]], Mapping[str, npt.NDArray[np.int64]]]
"""Gives each part, by its share of the rows, the numbers of its rows."""


@dataclass(frozen=True)
class PairSplit:
    """Training rows, and the sets that they were parted from (None where no share was asked for)."""

    train: list[TrainingRow]
    dev: Collection | None
    test: Collection | None


@dataclass(frozen=True)
class Limits:
    """The most queries and documents of a set that is split off."""

    queries: int
    documents: int


def split_pairs(
    rows: Sequence[TrainingRow],
    *,
    dev: float,
    test: float,
    seed: int,
    dev_limits: Limits = Limits(500, 2_000),
    test_limits: Limits = Limits(2_000, 20_000),
    part: Parter | None = None,
) -> PairSplit:
    """Part rows into training rows, a development and a test set.

    Rows with the same query (but for case and spacing) or the same group stay together, also by way of a third, so
    that no query of the two sets was trained on. Documents may be shared, as in a real search: what is asked is
    whether a new query finds its answer in the known corpus.

    Args:
        rows: All rows.
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
    keys = joined_groups(rows)
    if len(shares) == 1:
        return PairSplit(list(rows), None, None)
    if part is None and len(set(keys)) < FEWEST_GROUPS:
        raise InputError(
            f"too few to split: {counted(len(rows), 'row')} with"
            f" {counted(len(set(keys)), 'separate query or group', 'separate queries or groups')}",
            remedy="Give more rows, or say `dev: 0` and `test: 0` and evaluate on sets of your own.",
        )
    parts = split_by_group(keys, shares, seed) if part is None else part(shares)
    corpus = _corpus(rows)

    def collection(name: str, limits: Limits) -> Collection | None:
        if name not in parts:
            return None
        return sampled(_collection(name, [rows[number] for number in parts[name]], corpus), limits, seed)

    train = [rows[number] for number in parts["train"]]
    return PairSplit(train, collection("dev", dev_limits), collection("test", test_limits))


def sampled(whole: Collection, limits: Limits, seed: int) -> Collection:
    """At most so many queries of a collection, by chance, with their judged documents and others up to the limit."""
    random = np.random.default_rng(seed)
    queries = _sample(list(whole.queries), limits.queries, random)
    kept = {document for query in queries for document in whole.relevance.get(query, {})}
    others = [document for document in whole.documents if document not in kept]
    kept.update(_sample(others, max(0, limits.documents - len(kept)), random))
    return replace(
        whole,
        documents={name: text for name, text in whole.documents.items() if name in kept},
        queries={name: whole.queries[name] for name in queries},
        relevance={name: whole.relevance[name] for name in queries if name in whole.relevance},
        rejected=(),
    )


def joined_groups(rows: Sequence[TrainingRow]) -> list[str]:
    """A name for each row, the same for rows that must stay together: by query, by group, or by way of others."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    names = [f"query {' '.join(row.query.casefold().split())}" for row in rows]
    for name, row in zip(names, rows, strict=True):
        root(name)
        if row.group is not None:
            parent[root(name)] = root(f"group {row.group}")
    return [root(name) for name in names]


def _corpus(rows: Sequence[TrainingRow]) -> dict[str, str]:
    """Every distinct document of the rows: text → id."""
    ids: dict[str, str] = {}
    for text in _documents(rows):
        ids.setdefault(text, f"d{len(ids)}")
    return ids


def _documents(rows: Sequence[TrainingRow]) -> Iterator[str]:
    for row in rows:
        yield from row.positives
        yield from row.negatives


def _collection(name: str, rows: Sequence[TrainingRow], corpus: dict[str, str]) -> Collection:
    """The queries of some rows over all documents."""
    answers: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.positives:
            answers.setdefault(row.query, {}).update({corpus[text]: 1 for text in row.positives})
    if not answers:
        problem = f"no row of the {name} part has a positive, so there is nothing to search for"
        raise InputError(problem, remedy="Say `dev: 0` and `test: 0` and evaluate on a set of your own.")
    return Collection(
        name=name,
        documents={number: text for text, number in corpus.items()},
        queries={f"q{number}": query for number, query in enumerate(answers)},
        relevance={f"q{number}": grades for number, grades in enumerate(answers.values())},
    )


def _sample(items: list[str], most: int, random: np.random.Generator) -> list[str]:
    """At most ``most`` of the items, by chance, in their order."""
    if len(items) <= most:
        return items
    return [items[number] for number in np.sort(random.permutation(len(items))[:most])]
