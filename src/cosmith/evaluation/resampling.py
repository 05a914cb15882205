"""The engine of all bootstraps: how often each item is drawn, from which a statistic is computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError

Floats = npt.NDArray[np.float64]

NUMBERS_AT_A_TIME = 1 << 19
"""Draws held at a time: 4 MB each of draws and counts."""


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
    rows = max(1, min(resamples, NUMBERS_AT_A_TIME // count))
    parts = []
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = rng.integers(0, count, size=(size, count))
        drawn += np.arange(size)[:, None] * count
        counts = np.bincount(drawn.reshape(-1), minlength=size * count).reshape(size, count)
        parts.append(statistic(counts.astype(np.float64)))
    return np.concatenate(parts)


def finite_values(values: npt.ArrayLike, field: str) -> Floats:
    """Values ``[n]``, one or more, as float64.

    Raises:
        InputError: When there are none, or one is not finite; it names the field.
    """
    result = np.asarray(values, dtype=np.float64)
    if result.ndim != 1 or not len(result):
        raise InputError(f"must be a list of one or more values, got shape {result.shape}", field=field)
    if not np.isfinite(result).all():
        raise InputError("holds a value that is not finite", field=field)
    return result
