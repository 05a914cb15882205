"""How sure a score or a difference is, when the queries could have been others.

Everything resamples queries (or pairs), never runs: it answers "would other queries of this kind say the same?".
One engine draws how often each item is taken; a statistic is a function of these counts, so that a mean is a matrix
product and Spearman's correlation needs no sorting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError

Floats = npt.NDArray[np.float64]

_NUMBERS_AT_A_TIME = 1 << 19
"""Draws held at a time: 4 MB each of draws and counts."""


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
        detectable: The smallest true difference that these queries would show, see
            :func:`minimum_detectable_difference`; None where that cannot be said: there is one query, or none on which
            the two differ.
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

    @property
    def count(self) -> int:
        """How many queries there are."""
        return self.wins + self.losses + self.ties

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.interval.low > 0 or self.interval.high < 0

    def describe(self) -> str:
        """One line: ``+0.064 [0.042, 0.085], p = 0.0001, 210 of 400 queries better, 90 worse, 100 equal``."""
        digits = 4 if self.p_value < 0.001 else 3
        return (
            f"{self.difference:+.3f} {self.interval}, p = {self.p_value:.{digits}f},"
            f" {self.wins} of {self.count} {self.unit} better, {self.losses} worse, {self.ties} equal"
        )

    def describe_detectable(self) -> str:
        """One line: ``with 400 queries, true differences of 0.031 and more show (80 % power, 5 % level)``."""
        told = f"with {self.count:,} {self.unit[:-1] if self.count == 1 else self.unit}"
        if self.detectable is None:
            return f"{told} it cannot be said which differences show: the two hardly differ"
        return f"{told}, true differences of {self.detectable:.3f} and more show (80 % power, 5 % level)"


def bootstrap_statistic(
    statistic: Callable[[Floats], Floats], count: int, *, resamples: int = 10_000, seed: int = 0
) -> Floats:
    """Values of a statistic over resamples with replacement (Efron 1979).

    Args:
        statistic: From how often each item was drawn, float64 ``[some resamples, count]``, to a value or a row of
            values for each.
        count: How many items there are; each resample draws as many.
        resamples: How many resamples.
        seed: Equal seeds give equal draws, however many statistics are asked.

    Returns:
        float64 ``[resamples]`` or ``[resamples, values]``. Memory does not grow with ``resamples x count``.
    """
    if count < 1:
        raise InputError("there is nothing to resample", field="count")
    if resamples < 1:
        raise InputError(f"must be at least 1, got {resamples}", field="resamples")
    rng = np.random.default_rng(seed)
    rows = max(1, min(resamples, _NUMBERS_AT_A_TIME // count))
    parts = []
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = rng.integers(0, count, size=(size, count))
        drawn += np.arange(size)[:, None] * count
        counts = np.bincount(drawn.reshape(-1), minlength=size * count).reshape(size, count)
        parts.append(statistic(counts.astype(np.float64)))
    return np.concatenate(parts)


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
    (interval,) = bootstrap_intervals(_values(values, "values")[:, None], resamples=resamples, level=level, seed=seed)
    return interval


def bootstrap_intervals(
    values: Floats, *, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> list[Interval]:
    """The intervals of several means over the same resamples of queries, for little more than the price of one.

    Args:
        values: float64 ``[queries, metrics]``.
        resamples: As :func:`bootstrap_interval`.
        level: As there.
        seed: As there.
    """
    count = len(values)
    means = bootstrap_statistic(lambda counts: counts @ values / count, count, resamples=resamples, seed=seed)
    return [interval_of(column, level) for column in means.T]


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    metric: str = "",
    unit: str = "queries",
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two systems on the same queries.

    Args:
        first: A value for each query, ``[queries]``.
        second: The other system's values for the same queries, in the same order.
        metric: What the values are.
        unit: What they belong to.
        resamples: Of the bootstrap, and permutations of the test.
        level: Of the interval.
        seed: For both.

    Returns:
        What ``first`` has over ``second``: positive where it is better.

    Raises:
        InputError: When the two differ in length, are empty, or hold what is not finite.
    """
    ours, theirs = _values(first, "first"), _values(second, "second")
    if ours.shape != theirs.shape:
        raise InputError(f"{len(ours)} and {len(theirs)} values cannot be paired", field="second")
    differences = ours - theirs
    return Comparison(
        metric=metric,
        difference=float(differences.mean()),
        interval=bootstrap_interval(differences, resamples=resamples, level=level, seed=seed),
        p_value=sign_flip_p_value(differences, permutations=resamples, seed=seed),
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
        ties=int((differences == 0).sum()),
        unit=unit,
        detectable=_detectable([differences]),
    )


def macro_difference(
    differences: Sequence[npt.ArrayLike],
    *,
    metric: str = "",
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two systems by the mean of their tasks' means.

    Queries are resampled within each task, and signs flipped likewise; tasks are held fixed, so that the answer is for
    other queries of these tasks, not for other tasks.

    Args:
        differences: For each task the differences of the two systems by query, ``[queries of the task]``.
        metric: What the values are.
        resamples: Of the bootstrap, and permutations of the test.
        level: Of the interval.
        seed: For both.

    Returns:
        The comparison; wins, losses and ties count tasks.

    Raises:
        InputError: When there is no task, or one has no values or some that are not finite.
    """
    rows = [_values(each, "differences") for each in differences]
    means = np.array([row.mean() for row in rows])
    weighted = np.concatenate([row / (len(row) * len(rows)) for row in rows]) if rows else np.zeros(0)
    return Comparison(
        metric=metric,
        difference=float(means.mean()) if rows else 0.0,
        interval=interval_of(macro_resamples(rows, resamples=resamples, seed=seed), level),
        p_value=sign_flip_p_value(weighted, permutations=resamples, seed=seed),
        wins=int((means > 0).sum()),
        losses=int((means < 0).sum()),
        ties=int((means == 0).sum()),
        unit="tasks",
        detectable=_detectable(rows),
    )


def macro_resamples(values: Sequence[npt.ArrayLike], *, resamples: int = 10_000, seed: int = 0) -> Floats:
    """The mean of several tasks' means over resamples of the queries within each: float64 ``[resamples]``.

    Args:
        values: For each task a value for each query.
        resamples: How many.
        seed: Every task has draws of its own.

    Raises:
        InputError: As :func:`macro_difference`.
    """
    rows = [_values(each, "values") for each in values]
    if not rows:
        raise InputError("there is no task", field="values")
    streams = np.random.SeedSequence(seed).generate_state(len(rows), np.uint64).tolist()
    total = np.zeros(resamples)
    for row, stream in zip(rows, streams, strict=True):
        total += _resampled_means(row, resamples, stream)
    return total / len(rows)


def _resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    count = len(values)
    return bootstrap_statistic(lambda counts: counts @ values / count, count, resamples=resamples, seed=seed)


def holm(p_values: npt.ArrayLike) -> list[float]:
    """Adjust p-values for having been tested together (Holm 1979, Scandinavian Journal of Statistics 6:65-70).

    With the m values ascending, the i-th (from 1) becomes the largest of (m - j + 1) p_j over j <= i, at most 1. Of
    those at or below a level, the chance that even one is there by chance alone is at most that level, however the
    tests depend on each other.

    Args:
        p_values: ``[tests]``, each between 0 and 1.

    Returns:
        The adjusted ones in the order given.

    Raises:
        InputError: When a value is none.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise InputError("must be values between 0 and 1", field="p_values")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)).clip(max=1.0)
    adjusted = np.empty_like(values)
    adjusted[order] = stepped
    return [float(value) for value in adjusted]


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
    values = _values(differences, "differences")
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
    rows = max(1, _NUMBERS_AT_A_TIME // count)
    hits = 0
    for start in range(0, permutations, rows):
        size = min(rows, permutations - start)
        coins = np.frombuffer(rng.bytes(size * width), dtype=np.uint8).reshape(size, width)
        heads = np.unpackbits(coins, axis=1, count=count)
        hits += int((np.abs(2 * (heads @ values) - total) >= extreme).sum())
    return (hits + 1) / (permutations + 1)


def minimum_detectable_difference(values: npt.ArrayLike, *, power: float = 0.8, level: float = 0.95) -> float:
    """The smallest true difference that these queries would show, so that one can tell "no better" from "cannot know".

    (z of (1 + level) / 2 + z of power) x standard deviation / sqrt(queries), the normal approximation of a paired
    test's power: 2.80 standard errors for a power of 80 % at 95 % (Bloom 1995, "Minimum detectable effects",
    Evaluation Review 19:547-556).

    Args:
        values: The per-query differences of two systems, ``[queries]``, two or more.
        power: How often the difference should be found.
        level: At what confidence.
    """
    differences = _values(values, "values")
    if len(differences) < 2:
        raise InputError("needs two queries or more", field="values")
    for name, share in (("power", power), ("level", level)):
        if not 0 < share < 1:
            raise InputError(f"must lie between 0 and 1, got {share}", field=name)
    return _detectable([differences], power=power, level=level) or 0.0


def _detectable(differences: Sequence[Floats], *, power: float = 0.8, level: float = 0.95) -> float | None:
    """The minimum detectable difference of the mean of tasks' means; None where the standard error is not known."""
    if min(map(len, differences), default=0) < 2:
        return None
    variances = [row.var(ddof=1) / len(row) for row in differences]
    error = float(np.sqrt(np.sum(variances))) / len(differences)
    normal = NormalDist()
    return (normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)) * error or None


def _values(values: npt.ArrayLike, field: str) -> Floats:
    result = np.asarray(values, dtype=np.float64)
    if result.ndim != 1 or not len(result):
        raise InputError(f"must be a list of one or more values, got shape {result.shape}", field=field)
    if not np.isfinite(result).all():
        raise InputError("holds a value that is not finite", field=field)
    return result
