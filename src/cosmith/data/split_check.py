"""The check that training and test are apart: no query of the test, and none that is nearly one, in training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cosmith.data.cleaning.duplicates import NearDuplicates, Nearest
from cosmith.data.collection import Collection
from cosmith.data.contamination import Overlap, TrainedOn, overlap_with_collection
from cosmith.data.source import Source
from cosmith.phrases import counted, one_line

_EXAMPLES = 5
_AT_ONCE = 65536  # texts in hand at a time


@dataclass(frozen=True)
class SplitCheck:
    """What crosses from training to test.

    Attributes:
        overlap: The test queries that are trained on, and the documents that both have.
        near: How many further test queries are nearly the same as a training query.
        threshold: From which Jaccard similarity on; None: not looked for.
        examples: Some of those.
    """

    overlap: Overlap
    near: int = 0
    threshold: float | None = None
    examples: tuple[TrainedOn, ...] = ()

    @property
    def crosses(self) -> bool:
        """Whether there is a test query that training holds, or nearly holds."""
        return bool(self.overlap.trained or self.near)

    def describe(self) -> list[str]:
        """The counts, a line each."""
        lines = [self.overlap.describe()]
        if self.threshold is not None:
            queries = counted(self.near, "test query is", "test queries are")
            lines.append(f"{queries} nearly the same as a training query (Jaccard {self.threshold:g} or more)")
        return lines

    def values(self) -> dict[str, Any]:
        """The same as plain values."""
        return self.overlap.values() | {"near": self.near, "near_examples": [asdict(each) for each in self.examples]}


def check_split(train: Source, test: Collection, *, near: float | None = None) -> SplitCheck:
    """Look for what crosses from training to test.

    Args:
        train: The training rows.
        test: The test set. What of it may be known, and what not: see :mod:`cosmith.data.contamination`.
        near: Also look for test queries whose shingles are those of a training query to this Jaccard similarity or
            more, e.g. 0.9; queries made from one pattern (*what are the treatments for …*) are as alike as 0.8.

    Raises:
        InputError: When ``near`` is asked for and datasketch is not installed.
    """
    overlap = overlap_with_collection(train, test)
    if near is None:
        return SplitCheck(overlap)
    queries = list(test.queries.values())
    index = Nearest(NearDuplicates(near))
    numbers = np.unique(train.query)
    for start in range(0, len(numbers), _AT_ONCE):
        part = numbers[start : start + _AT_ONCE]
        for number, text in zip(part.tolist(), train.texts.take(part), strict=True):
            index.add(text, number)
    found = [(query, hit) for query in queries if (hit := index.find(query)) is not None and hit[1] < 1]
    shown = found[:: max(1, len(found) // _EXAMPLES)][:_EXAMPLES]
    examples = tuple(
        TrainedOn(one_line(query, 200), one_line(train.texts[number], 200), f"alike to {similarity:.2f}")
        for query, (number, similarity) in shown
    )
    return SplitCheck(overlap, len(found), near, examples)
