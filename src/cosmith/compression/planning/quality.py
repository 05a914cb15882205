"""A model's quality over several tasks: the mean over their kinds, each the mean over its tasks, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cosmith.evaluation.scores import Scores
from cosmith.evaluation.significance import Interval, interval_of, macro_resamples, sets_of_tasks
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
    """Where it would mostly lie with other items of the same tasks; None where some have no values by item."""
    known = [found for each in scores if (found := each.by_set()) is not None]
    if not resamples or len(known) < len(scores):
        return None
    return interval_of(_resampled(known, kinds, resamples, seed))


def change_interval(
    scores: Sequence[Scores], full: Sequence[Scores], kinds: Sequence[str], *, resamples: int = 10_000, seed: int = 0
) -> Interval | None:
    """Where the difference of two qualities would mostly lie, item by item; None where they cannot be paired."""
    if not resamples or not all(each.can_pair(other) for each, other in zip(scores, full, strict=True)):
        return None
    differences = [each.paired(other).differences() for each, other in zip(scores, full, strict=True)]
    return interval_of(_resampled(differences, kinds, resamples, seed))


def fewest_items(scores: Sequence[Scores]) -> int:
    """Items of the task that has the fewest."""
    return min(len(each.query_ids) for each in scores)


def _resampled(values: Sequence[Sequence[Floats]], kinds: Sequence[str], resamples: int, seed: int) -> Floats:
    """The quality over resamples of the items within each set of each task, float64 ``[resamples]``."""
    names = list(dict.fromkeys(kinds))
    total = np.zeros(resamples)
    for number, name in enumerate(names):
        rows, tasks = sets_of_tasks([each for each, kind in zip(values, kinds, strict=True) if kind == name])
        total += macro_resamples(rows, tasks=tasks, resamples=resamples, seed=seed + number)
    return total / len(names)
