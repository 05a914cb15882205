"""The check that training and test are apart: no query of the test, and none that is nearly one, in training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cosmith.data.cleaning.duplicates import NearDuplicates, Nearest
from cosmith.data.cleaning.judged import Bool
from cosmith.data.cleaning.words import words_of
from cosmith.data.collection import Collection
from cosmith.data.contamination import Overlap, TrainedOn, overlap_with_collection, questions, rows_with, used_texts
from cosmith.data.ragged import Int64
from cosmith.data.source import Source
from cosmith.errors import InputError
from cosmith.phrases import counted, one_line
from cosmith.progress import track

NEARLY = 0.9
"""From which Jaccard similarity on a training query is nearly one of the test."""

_EXAMPLES = 5


@dataclass(frozen=True)
class NearlySame:
    """Texts of a test set that are nearly, but not wholly, the same as a training text.

    Attributes:
        tested: How many of the test set's texts; none that is wholly the same as a training text.
        trained: int64, the numbers of the training texts, ascending.
        examples: Some of them.
    """

    tested: int
    trained: Int64 = field(repr=False, compare=False)
    examples: tuple[TrainedOn, ...] = ()


@dataclass(frozen=True)
class SplitCheck:
    """What crosses from training to test.

    Attributes:
        overlap: The test queries that are trained on, and the documents that both have.
        threshold: From which Jaccard similarity on texts are nearly the same; None: not looked for.
        queries: Test queries that are nearly the same as a training query.
        documents: Test documents that are nearly the same as a training document, as they may be.
    """

    overlap: Overlap
    threshold: float | None = None
    queries: NearlySame | None = None
    documents: NearlySame | None = None

    @property
    def crosses(self) -> bool:
        """Whether there is a test query that training holds, or nearly holds."""
        return bool(self.overlap.trained or (self.queries and self.queries.tested))

    def describe(self) -> list[str]:
        """The counts, a line each."""
        lines = [self.overlap.describe()]
        if self.queries is not None and self.documents is not None:
            queries = counted(self.queries.tested, "test query is", "test queries are")
            lines.append(f"{queries} nearly the same as a training query (Jaccard {self.threshold:g} or more)")
            documents = counted(self.documents.tested, "test document is", "test documents are")
            lines.append(f"{documents} nearly the same as a training document")
        return lines

    def values(self) -> dict[str, Any]:
        """The same as plain values."""
        values = self.overlap.values()
        for key, found in (("near", self.queries), ("near_documents", self.documents)):
            if found is not None:
                examples = [asdict(each) for each in found.examples]
                values |= {key: found.tested, f"{key.removesuffix('s')}_examples": examples}
        return values


def check_split(train: Source, test: Collection, *, near: float | None = None) -> SplitCheck:
    """Look for what crosses from training to test.

    Args:
        train: The training rows.
        test: The test set. What of it may be known, and what not: see :mod:`cosmith.data.contamination`.
        near: Also look for test queries, and documents, whose shingles are those of a training query, or document, to
            this Jaccard similarity or more, e.g. 0.9; queries made from one pattern (*what are the treatments for …*)
            are as alike as 0.8.
    """
    overlap = overlap_with_collection(train, test)
    if near is None:
        return SplitCheck(overlap)
    queries = nearly_same(list(test.queries.values()), train, questions(train), near)
    documents = used_texts(train, (train.positives, train.negatives))
    return SplitCheck(overlap, near, queries, nearly_same(list(test.documents.values()), train, documents, near))


def nearly_same(tested: Sequence[str], train: Source, numbers: Iterable[Int64], threshold: float) -> NearlySame:
    """Find the texts that are nearly the same as some texts of training rows, but not the same in all their words.

    In memory are the shingles of the tested texts, eight bytes each, and a number for each training text.

    Args:
        tested: The texts.
        train: The rows.
        numbers: Which of their texts to look at, by number, some at a time.
        threshold: From which Jaccard similarity on, see :mod:`cosmith.data.cleaning.duplicates`.
    """
    index = Nearest(NearDuplicates(threshold))
    for number, text in enumerate(tested):
        index.add(text, number)
    found: dict[int, tuple[int, float]] = {}
    same: set[int] = set()
    trained: list[int] = []
    looked_at = _distinct(numbers, len(train.texts))
    with track("Looking for near duplicates", len(looked_at), "texts") as bar:
        for text_number, text in _texts(train, looked_at):
            words = words_of(text)
            alike = dict(index.find_all(text))
            equal = {
                number for number, similarity in alike.items() if similarity == 1 and words_of(tested[number]) == words
            }
            same |= equal
            for number in alike.keys() - equal:
                found.setdefault(number, (text_number, alike[number]))
            if len(alike) > len(equal):
                trained.append(text_number)
            bar.advance()
    found = {number: hit for number, hit in found.items() if number not in same}
    shown = sorted(found)[:: max(1, len(found) // _EXAMPLES)][:_EXAMPLES]
    examples = tuple(
        TrainedOn(one_line(tested[number], 200), one_line(train.texts[text], 200), f"alike to {similarity:.2f}")
        for number in shown
        for text, similarity in [found[number]]
    )
    return NearlySame(len(found), np.array(trained, dtype=np.int64), examples)


def _distinct(numbers: Iterable[Int64], count: int) -> Int64:
    """Each number once, ascending."""
    used = np.zeros(count, dtype=np.bool_)
    for part in numbers:
        used[part] = True
    return np.flatnonzero(used)


def _texts(train: Source, numbers: Int64, at_once: int = 4096) -> Iterator[tuple[int, str]]:
    for start in range(0, len(numbers), at_once):
        part = numbers[start : start + at_once]
        yield from zip(part.tolist(), train.texts.take(part), strict=True)
        train.let_go()


@dataclass(frozen=True, eq=False)
class Crossing:
    """Which training rows cross to sets that are held out.

    Attributes:
        same: bool ``[R]``, the rows that train on one of their queries.
        nearly: bool ``[R]``, of the others those whose query is nearly one of theirs.
    """

    same: Bool
    nearly: Bool

    @property
    def kept(self) -> Bool:
        """bool ``[R]``: the rows that may stay."""
        kept: Bool = ~(self.same | self.nearly)
        return kept


def crossing(train: Source, held_out: Iterable[Collection], *, near: float | None = NEARLY) -> Crossing:
    """Find the training rows that may not stay where some sets are held out.

    Args:
        train: The rows.
        held_out: The sets.
        near: From which Jaccard similarity on a query is nearly the same as another; None: only the same ones cross.

    Raises:
        InputError: When no row is left.
    """
    same, nearly = np.zeros(len(train), dtype=np.bool_), np.zeros(len(train), dtype=np.bool_)
    asked: list[str] = []
    for each in held_out:
        same[overlap_with_collection(train, each).rows] = True
        asked += each.queries.values()
    if asked and near is not None:
        alike = nearly_same(asked, train, questions(train), near).trained
        for rows in rows_with(train, alike.tolist(), ()):
            nearly[rows] = True
    found = Crossing(same, nearly & ~same)
    if not found.kept.any():
        raise InputError(
            "every training row asks what a set asks that is held out, so none is left", field="dev",
            remedy="Give rows with more different queries" + (
                ", or say `near: null` where queries that are nearly the same ask different things." if nearly.any()
                else "."
            ),
        )  # fmt: skip
    return found
