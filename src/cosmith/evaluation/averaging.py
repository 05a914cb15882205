"""Means over tasks of their main metrics: how sure they are, and how those of two models differ.

Items are resampled within each task, and within each set of one; tasks are held fixed. Metrics that are no means of
items are taken from their own resamples, where the scores have them; where they have not, as those read from files,
what items add is resampled, and kept within the metric's range. Where a task, or a set of one, has one item there is no
interval: it says nothing of how others score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cosmith.evaluation.contributions import metric_range
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.significance import (
    Comparison,
    Interval,
    interval_of,
    macro_difference,
    macro_resamples,
    sets_of_tasks,
)

Floats = npt.NDArray[np.float64]


def fewest_items(scores: Sequence[Scores]) -> int:
    """Items of the task, or the set of one, that has the fewest."""
    return min(min(each.sets or (len(each.query_ids),)) for each in scores)


def resampled_mean(scores: Sequence[Scores], *, resamples: int, seed: int) -> Floats | None:
    """The mean of the main metrics over resamples of the items, float64 ``[resamples]``.

    Args:
        scores: Of one model on each task.
        resamples: How many.
        seed: Every task has draws of its own.

    Returns:
        None where there is no interval: a task, or a set of one, has one item, or no values by item.
    """
    if not resamples or fewest_items(scores) < 2 or any(each.main not in each.per_query for each in scores):
        return None
    streams = np.random.SeedSequence(seed).generate_state(len(scores), np.uint64).tolist()
    parts = [_resampled(each, resamples, stream) for each, stream in zip(scores, streams, strict=True)]
    mean: Floats = np.mean(parts, axis=0)
    return mean


def _resampled(scores: Scores, resamples: int, seed: int) -> Floats:
    known = scores.resampled.get(scores.main)
    if known is not None and len(known) == resamples:
        # Tasks that were scored with one seed were drawn alike: shuffled, they vary each by itself.
        return np.random.default_rng(seed).permutation(known)
    rows = scores.by_set() or []
    held = [metric_range(scores.main, scores.value)] * len(rows)
    return macro_resamples(rows, tasks=[0] * len(rows), ranges=held, resamples=resamples, seed=seed)


def mean_interval(
    scores: Sequence[Scores], *, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> Interval | None:
    """Where the mean would mostly lie with other items of the same tasks; None as :func:`resampled_mean`."""
    found = resampled_mean(scores, resamples=resamples, seed=seed)
    return None if found is None else interval_of(found, level)


def mean_difference(
    first: Sequence[Scores],
    second: Sequence[Scores],
    *,
    metric: str = "mean",
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """What one model's mean has over another's, item by item.

    Args:
        first: Of one model on each task.
        second: Of the other, on the same tasks.
        metric: What to call the mean.
        resamples: As :func:`~cosmith.evaluation.macro_difference`.
        level: As there.
        seed: As there.

    Raises:
        InputError: As :meth:`Scores.paired`.
    """
    rows, tasks, greatest = _paired(first, second)
    scored = [row if len(row) else np.zeros(1) for row in rows]  # of a task of which neither can do an item both have 0
    found = macro_difference(
        scored, tasks=tasks, greatest=greatest, metric=metric, resamples=resamples, level=level, seed=seed
    )
    return replace(found, fewest=min(map(len, rows)))


def resampled_difference(
    first: Sequence[Scores], second: Sequence[Scores], *, resamples: int, seed: int
) -> Floats | None:
    """The difference of two models' means over resamples of the items that both have, float64 ``[resamples]``.

    Args:
        first: Of one model on each task.
        second: Of the other, on the same tasks.
        resamples: How many.
        seed: Every task has draws of its own.

    Returns:
        None as :func:`resampled_mean`, and where items cannot be paired.
    """
    if not resamples or not all(one.can_pair(other) for one, other in zip(first, second, strict=True)):
        return None
    rows, tasks, greatest = _paired(first, second)
    if min(map(len, rows)) < 2:
        return None
    ranges = [(-each, each) for each in greatest]
    return macro_resamples(rows, tasks=tasks, ranges=ranges, resamples=resamples, seed=seed)


def _paired(first: Sequence[Scores], second: Sequence[Scores]) -> tuple[list[Floats], list[int], list[float]]:
    """The differences of each set of each task, the number of its task, and the greatest that its metric can have."""
    pairs = list(zip(first, second, strict=True))
    rows, tasks = sets_of_tasks([one.paired(other).differences() for one, other in pairs])
    limits = [metric_range(one.main, one.value, other.value) for one, other in pairs]
    return rows, tasks, [limits[task][1] - limits[task][0] for task in tasks]
