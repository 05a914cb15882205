"""How sure a score or a difference is, when the queries could have been others.

Everything resamples queries (or pairs), never runs: it answers "would other queries of this kind say the same?".
One engine draws how often each item is taken; a statistic is a function of these counts, so that a mean is a matrix
product and Spearman's correlation needs no sorting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.detectable import detectable_difference
from cosmith.evaluation.resampling import NUMBERS_AT_A_TIME, bootstrap_statistic, finite_values
from cosmith.phrases import counted_as

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Where a value would mostly lie, were the queries others of the same kind.

    Attributes:
        low: The lower end.
        high: The upper end.
        level: How often such intervals hold the true value.
    """

    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"[{self.low:.3f}, {self.high:.3f}]"

    def within(self, lowest: float, highest: float) -> Interval:
        """It with its ends kept within a range."""
        return Interval(min(max(self.low, lowest), highest), min(max(self.high, lowest), highest), self.level)


@dataclass(frozen=True)
class Comparison:
    """What one system has over another on the same queries.

    Attributes:
        metric: The metric compared.
        difference: The mean of the differences, first minus second.
        interval: Its paired-bootstrap interval.
        p_value: Two-sided, of a sign-flip permutation test: how often chance alone gives a difference so large.
        wins: Queries that the first answers better.
        losses: Queries that it answers worse.
        ties: Queries that both answer equally well.
        unit: What is counted.
        left_out: Items that only one of the two has a value for, so that they cannot be paired.
        detectable: The smallest true difference that these queries would show, see
            :func:`~cosmith.evaluation.minimum_detectable_difference`; None where that cannot be said: there is no
            interval, the two do not differ, or no difference that the metric can have would show.
        fewest: Queries of the set that has the fewest, of a mean over tasks in any of them; by default all.
    """

    metric: str
    difference: float
    interval: Interval
    p_value: float
    wins: int
    losses: int
    ties: int
    unit: str = "queries"
    detectable: float | None = None
    left_out: int = 0
    fewest: int | None = None

    @property
    def count(self) -> int:
        """How many queries there are."""
        return self.wins + self.losses + self.ties

    @property
    def has_interval(self) -> bool:
        """Whether the interval says anything: one query, of a set or of all, says nothing of how others differ."""
        return (self.count if self.fewest is None else self.fewest) > 1

    @property
    def few(self) -> str:
        """Why there is no interval: ``1 query``, ``a set of 1 query``; empty where there is one."""
        if self.has_interval:
            return ""
        if self.unit == "tasks":
            return f"{counted_as(self.fewest or 0, 'items')} of a task, or of a set in one"
        return ("a set of " if self.count > 1 else "") + counted_as(min(self.count, 1), self.unit)

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.has_interval and (self.interval.low > 0 or self.interval.high < 0)

    def describe(self) -> str:
        """One line: ``+0.064 [0.042, 0.085], p = 0.0001, 210 of 400 queries better, 90 worse, 100 equal``."""
        digits = 4 if self.p_value < 0.001 else 3
        interval = f"({self.few}: no interval)" if self.few else str(self.interval)
        return (
            f"{self.difference:+.3f} {interval}, p = {self.p_value:.{digits}f},"
            f" {self.wins} of {counted_as(self.count, self.unit)} better, {self.losses} worse, {self.ties} equal"
            + (f", {self.left_out:,} that only one has a score for left out" if self.left_out else "")
        )

    def describe_detectable(self) -> str:
        """One line: ``with 400 queries, true differences of 0.031 and more show (80 % power, 5 % level)``."""
        told = f"with {counted_as(self.count, self.unit)}"
        if not self.has_interval:
            unknown = f"{told} it cannot be said which differences show"
            if not self.count:
                return unknown
            few = "it" if self.count == 1 and self.unit != "tasks" else self.few
            return f"{unknown}: {few} says nothing of how others differ"
        if self.detectable is not None:
            return f"{told}, true differences of {self.detectable:.3f} and more show (80 % power, 5 % level)"
        if self.interval.low < self.interval.high:
            return f"{told}, no difference that the metric can have would show dependably (80 % power, 5 % level)"
        return f"{told} it cannot be said which differences show: the two hardly differ"

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold; without the interval where there is none."""
        return asdict(self) | ({} if self.has_interval else {"interval": None})


def interval_of(samples: Floats, level: float = 0.95) -> Interval:
    """The percentile interval of resampled values ``[resamples]``."""
    if not 0 < level < 1:
        raise InputError(f"must lie between 0 and 1, got {level}", field="level")
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def bootstrap_interval(
    values: npt.ArrayLike, *, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> Interval:
    """The percentile-bootstrap interval of a mean.

    Args:
        values: One for each query, ``[queries]``.
        resamples: How many resamples.
        level: How often such intervals hold the true mean.
        seed: For the draws.

    Raises:
        InputError: When there are no values, or one is not finite.
    """
    (interval,) = bootstrap_intervals(
        finite_values(values, "values")[:, None], resamples=resamples, level=level, seed=seed
    )
    return interval


def bootstrap_intervals(
    values: Floats, *, sets: Sequence[int] = (), resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> list[Interval]:
    """The intervals of several means over the same resamples of queries, for little more than the price of one.

    Args:
        values: float64 ``[queries, metrics]``.
        sets: How many of the queries belong to each set, in order, where it is the mean of the sets' means that
            counts: queries are then resampled within each (a stratified bootstrap; Efron and Tibshirani 1993,
            chapter 8), so that neither the sets' sizes nor the gaps between them count as chance.
        resamples: As :func:`bootstrap_interval`.
        level: As there.
        seed: As there.
    """
    if sets:
        means = macro_resamples(by_set(values, sets), resamples=resamples, seed=seed)
    else:
        means = _resampled_means(values, resamples, seed)
    return [interval_of(column, level) for column in means.T]


def by_set(values: Floats, sets: Sequence[int]) -> list[Floats]:
    """Values ``[queries, ...]`` cut into those of each set, of which ``sets`` has the sizes; without any, one set."""
    return np.split(values, np.cumsum(sets)[:-1]) if sets else [values]


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    sets: Sequence[int] = (),
    metric: str = "",
    unit: str = "queries",
    greatest: float = np.inf,
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two systems on the same queries.

    Args:
        first: A value for each query, ``[queries]``.
        second: The other system's values for the same queries, in the same order.
        sets: As :func:`bootstrap_intervals` has them.
        metric: What the values are.
        unit: What they belong to.
        greatest: The greatest difference that the metric can have: the interval is kept within it.
        resamples: Of the bootstrap, and permutations of the test.
        level: Of the interval.
        seed: For both.

    Returns:
        What ``first`` has over ``second``: positive where it is better.

    Raises:
        InputError: When the two differ in length, are empty, or hold what is not finite.
    """
    ours, theirs = finite_values(first, "first"), finite_values(second, "second")
    if ours.shape != theirs.shape:
        raise InputError(f"{len(ours)} and {len(theirs)} values cannot be paired", field="second")
    differences = ours - theirs
    rows = by_set(differences, sets)
    (interval,) = bootstrap_intervals(differences[:, None], sets=sets, resamples=resamples, level=level, seed=seed)
    return Comparison(
        metric=metric,
        difference=float(np.mean([row.mean() for row in rows])),
        interval=interval.within(-greatest, greatest),
        p_value=sign_flip_p_value(_shares(rows, _weights(rows)), permutations=resamples, seed=seed),
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
        ties=int((differences == 0).sum()),
        unit=unit,
        detectable=detectable_difference(rows, _weights(rows), greatest=greatest),
        fewest=min(map(len, rows)),
    )


def macro_difference(
    differences: Sequence[npt.ArrayLike],
    *,
    tasks: Sequence[int] | None = None,
    greatest: Sequence[float] | None = None,
    metric: str = "",
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two systems by the mean of their tasks' means.

    Queries are resampled within each task, and signs flipped likewise; tasks are held fixed, so that the answer is for
    other queries of these tasks, not for other tasks.

    Args:
        differences: For each task the differences of the two systems by query, ``[queries of the task]``; for one of
            several sets, those of each set by themselves.
        tasks: The number of the task to which each belongs, from 0; by default each is a task.
        greatest: The greatest difference that the metric of each can have: resampled ones are kept within it.
        metric: What the values are.
        resamples: Of the bootstrap, and permutations of the test.
        level: Of the interval.
        seed: For both.

    Returns:
        The comparison; wins, losses and ties count tasks.

    Raises:
        InputError: When there is no task, or one has no values or some that are not finite.
    """
    rows = [finite_values(each, "differences") for each in differences]
    most = np.full(len(rows), np.inf) if greatest is None else np.asarray(greatest)
    ranges = [(-each, each) for each in most.tolist()]
    resampled = macro_resamples(rows, tasks=tasks, ranges=ranges, resamples=resamples, seed=seed)
    numbers, weights = np.arange(len(rows)) if tasks is None else np.asarray(tasks), _weights(rows, tasks)
    means = np.bincount(numbers, weights * [row.mean() for row in rows])  # what each task adds to the whole
    return Comparison(
        metric=metric,
        difference=float(means.sum()),
        interval=interval_of(resampled, level),
        p_value=sign_flip_p_value(_shares(rows, weights), permutations=resamples, seed=seed),
        wins=int((means > 0).sum()),
        losses=int((means < 0).sum()),
        ties=int((means == 0).sum()),
        unit="tasks",
        detectable=detectable_difference(rows, weights, greatest=float(weights @ most)),
        fewest=min(map(len, rows)),
    )


def macro_resamples(
    values: Sequence[npt.ArrayLike],
    *,
    tasks: Sequence[int] | None = None,
    ranges: Sequence[tuple[float, float]] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Floats:
    """The mean of several tasks' means over resamples of the queries within each.

    Args:
        values: For each task, or each set of one, a value ``[queries]`` or a row ``[queries, metrics]`` for each query.
        tasks: As :func:`macro_difference`.
        ranges: Within what each one's means are kept: what items add to metrics that are no means may leave it.
        resamples: How many.
        seed: Every row has draws of its own.

    Returns:
        float64 ``[resamples]`` or ``[resamples, metrics]``.

    Raises:
        InputError: When there is no task, or one has no values or some that are not finite.
    """
    rows = [np.asarray(each, dtype=np.float64) for each in values]
    if not rows:
        raise InputError("there is no task", field="values")
    for row in rows:
        finite_values(row.reshape(-1), "values")
    streams = np.random.SeedSequence(seed).generate_state(len(rows), np.uint64).tolist()
    held = [(-np.inf, np.inf)] * len(rows) if ranges is None else ranges
    parts = zip(rows, _weights(rows, tasks).tolist(), streams, held, strict=True)
    total = np.zeros(resamples) if rows[0].ndim == 1 else np.zeros((resamples, rows[0].shape[1]))
    for row, weight, stream, (low, high) in parts:
        total += weight * np.clip(_resampled_means(row, resamples, stream), low, high)
    return total


def sets_of_tasks(values: Sequence[Sequence[Floats]]) -> tuple[list[Floats], list[int]]:
    """The values of each set of each task in a row, and the number of each one's task, for :func:`macro_difference`."""
    rows = [row for of_task in values for row in of_task]
    return rows, [number for number, of_task in enumerate(values) for _ in of_task]


def _weights(rows: Sequence[Floats], tasks: Sequence[int] | None = None) -> Floats:
    """What the mean of each row counts in the mean of the tasks' means, where a task's is that of its rows."""
    if tasks is None:
        return np.full(len(rows), 1 / len(rows))
    sizes = np.bincount(tasks)
    weights: Floats = 1 / (len(sizes) * sizes[np.asarray(tasks)])
    return weights


def _shares(rows: Sequence[Floats], weights: Floats) -> Floats:
    """What each query adds to the whole, ``[all queries]``."""
    return np.concatenate([weight * row / len(row) for row, weight in zip(rows, weights, strict=True)])


def _resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    count = len(values)
    return bootstrap_statistic(lambda counts: counts @ values / count, count, resamples=resamples, seed=seed)


def sign_flip_p_value(differences: npt.ArrayLike, *, permutations: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of a mean difference by flipping signs: were the systems alike, each sign would be a coin.

    All flips are tried where they are no more than ``permutations``, which makes it exact. Else they are drawn, and
    p = (b + 1) / (m + 1) for b of m flips at least as extreme, so that it is never zero (Phipson & Smyth 2010,
    eq. 2).

    Args:
        differences: One for each query, ``[queries]``.
        permutations: How many flips to draw.
        seed: For the draws.
    """
    values = finite_values(differences, "differences")
    values = values[values != 0]  # a flip leaves them as they are
    count = len(values)
    if not count:
        return 1.0
    # sum of flipped values = 2 (sum of those left as they are) - sum; sums that differ by rounding count as equal
    total = values.sum()
    extreme = abs(total) - 1e-12 * np.abs(values).sum()
    if 2**count <= permutations:
        signs = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return float(np.mean(np.abs(2 * (signs @ values) - total) >= extreme))
    rng = np.random.default_rng(seed)
    width = -(-count // 8)
    rows = max(1, NUMBERS_AT_A_TIME // count)
    hits = 0
    for start in range(0, permutations, rows):
        size = min(rows, permutations - start)
        coins = np.frombuffer(rng.bytes(size * width), dtype=np.uint8).reshape(size, width)
        heads = np.unpackbits(coins, axis=1, count=count)
        hits += int((np.abs(2 * (heads @ values) - total) >= extreme).sum())
    return (hits + 1) / (permutations + 1)
