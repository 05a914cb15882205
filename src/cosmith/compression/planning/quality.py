"""A model's quality over several tasks: the mean over their kinds, each the mean over its tasks, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cosmith.evaluation.averaging import resampled_difference, resampled_mean
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.significance import Interval, interval_of
from cosmith.evaluation.task_files import averages

ENOUGH_ITEMS = 30
"""Of a task, from which on an interval is trusted."""

Floats = npt.NDArray[np.float64]


def quality_of(scores: Sequence[Scores], kinds: Sequence[str]) -> float:
    """The mean over the kinds of the mean over their tasks of the main metrics."""
    return averages(list(zip(kinds, scores, strict=True))).of_kinds


def quality_interval(
    scores: Sequence[Scores], kinds: Sequence[str], *, resamples: int = 10_000, seed: int = 0
) -> Interval | None:
    """Where it would mostly lie with other items of the same tasks; None where that cannot be told: some have no values
    by item, or a task, or a set of one, has one item."""
    parts = [
        resampled_mean([scores[place] for place in places], resamples=resamples, seed=seed + number)
        for number, places in enumerate(_places(kinds))
    ]
    return _interval_of_mean(parts)


def change_interval(
    scores: Sequence[Scores], full: Sequence[Scores], kinds: Sequence[str], *, resamples: int = 10_000, seed: int = 0
) -> Interval | None:
    """Where the difference of two qualities would mostly lie, item by item; None as :func:`quality_interval`, and where
    they cannot be paired."""
    parts = [
        resampled_difference(
            [scores[place] for place in places], [full[place] for place in places], resamples=resamples,
            seed=seed + number,
        )
        for number, places in enumerate(_places(kinds))
    ]  # fmt: skip
    return _interval_of_mean(parts)


def _places(kinds: Sequence[str]) -> list[list[int]]:
    """Of each kind, which tasks are of it."""
    return [[place for place, kind in enumerate(kinds) if kind == name] for name in dict.fromkeys(kinds)]


def _interval_of_mean(parts: Sequence[Floats | None]) -> Interval | None:
    known = [part for part in parts if part is not None]
    return interval_of(np.mean(known, axis=0)) if len(known) == len(parts) else None
