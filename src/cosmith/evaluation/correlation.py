"""Pearson's and Spearman's correlation, over resamples too, and what each pair adds to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def resampled_pearson(first: Floats, second: Floats) -> Callable[[Floats], Floats]:
    """Pearson's correlation as a function of how often each pair was drawn.

    Args:
        first: Values ``[n]``.
        second: Values ``[n]``.

    Returns:
        A function from counts ``[resamples, n]`` to correlations ``[resamples]`` (0 where a side is constant); with
        every count 1 it gives the correlation itself.
    """
    x, y = first - first.mean(), second - second.mean()  # shifted, so that the squares below do not cancel
    moments = np.column_stack([x, y, x * y, x * x, y * y])

    def statistic(counts: Floats) -> Floats:
        mean_x, mean_y, xy, xx, yy = (counts @ moments / counts.sum(axis=1, keepdims=True)).T
        return _ratio(xy - mean_x * mean_y, xx - mean_x**2, yy - mean_y**2)

    return statistic


def resampled_spearman(first: Floats, second: Floats) -> Callable[[Floats], Floats]:
    """As :func:`resampled_pearson`, for Spearman's correlation: that of the ranks, equal values at their mean rank.

    The order of the values is the same in every resample, so the ranks within one are running sums of its counts.
    """
    orders = [_Order(first), _Order(second)]

    def statistic(counts: Floats) -> Floats:
        # Ranks run from 1 to the number drawn, so their mean needs no computing.
        middle = (counts.sum(axis=1, keepdims=True) + 1) / 2
        x, y = (order.ranks(counts) - middle for order in orders)
        weighted = counts * x
        return _ratio((weighted * y).sum(axis=1), (weighted * x).sum(axis=1), (counts * y * y).sum(axis=1))

    return statistic


def pearson_contributions(first: Floats, second: Floats) -> Floats:
    """What each pair adds: values ``[n]`` whose mean is the correlation and whose spread is its sampling variance.

    The correlation plus its empirical influence function, z_x z_y - r (z_x^2 + z_y^2) / 2 (Devlin, Gnanadesikan and
    Kettenring 1975). With them, two systems' correlations can be compared like any per-query metric.
    """
    x, y = first - first.mean(), second - second.mean()
    return _contributions(x * y, x * x, y * y)


def spearman_contributions(first: Floats, second: Floats) -> Floats:
    """As :func:`pearson_contributions`, for Spearman's correlation.

    With F the mid-distribution function and u = F_x(x) - 1/2, w = F_y(y) - 1/2, the correlation is the ratio of
    E[u w] to the root of E[u^2] E[w^2]. A pair counts in these means as itself and by lifting the ranks of all that
    lie above it; ties are taken into account.
    """
    x, y = _Order(first), _Order(second)
    n = len(first)
    one = np.ones((1, n))
    u, w = ((order.ranks(one)[0] - 0.5) / n - 0.5 for order in (x, y))
    covariance = u * w + x.mean_above(w) + y.mean_above(u)
    variance_x, variance_y = u * u + 2 * x.mean_above(u), w * w + 2 * y.mean_above(w)
    # Each has three times the mean of its statistic; taking two off leaves contributions.
    return _contributions(
        covariance - 2 * np.mean(u * w), variance_x - 2 * np.mean(u * u), variance_y - 2 * np.mean(w * w)
    )


class _Order:
    """The order of values ``[n]`` and which of them are equal."""

    def __init__(self, values: Floats) -> None:
        self._order = np.argsort(values, kind="stable")
        ordered = values[self._order]
        # For each place in that order: the first and the last place with an equal value.
        self._first = np.searchsorted(ordered, ordered, side="left")
        self._last = np.searchsorted(ordered, ordered, side="right") - 1

    def ranks(self, counts: Floats) -> Floats:
        """The rank of each value (from 1; the mean of its equals') where value i stands ``counts[:, i]`` times."""
        ordered = counts[:, self._order]
        running = np.cumsum(ordered, axis=1)
        before = running[:, self._first] - ordered[:, self._first]
        ranks = np.empty_like(counts)
        ranks[:, self._order] = (before + running[:, self._last] + 1) / 2
        return ranks

    def mean_above(self, weights: Floats) -> Floats:
        """For each value, the weights of those above it and half of those equal to it, over n."""
        running = np.concatenate([[0.0], np.cumsum(weights[self._order])])
        above = running[-1] - (running[self._first] + running[self._last + 1]) / 2
        result = np.empty_like(weights)
        result[self._order] = above / len(weights)
        return result


def _contributions(covariance: Floats, variance_x: Floats, variance_y: Floats) -> Floats:
    """The influence function of a correlation from contributions to its covariance and variances, by the delta rule."""
    c, vx, vy = covariance.mean(), variance_x.mean(), variance_y.mean()
    if vx <= 0 or vy <= 0:
        return np.zeros_like(covariance)
    scale = np.sqrt(vx * vy)
    r = c / scale
    result: Floats = covariance / scale - r / 2 * (variance_x / vx + variance_y / vy) + r
    return result


def _ratio(covariance: Floats, variance_x: Floats, variance_y: Floats) -> Floats:
    """covariance / sqrt(variances); 0 where a variance is 0 but for rounding."""
    tiny = 1e-14
    scale = np.sqrt(np.maximum(variance_x, 0) * np.maximum(variance_y, 0))
    there = (variance_x > tiny * np.max(variance_x, initial=0)) & (variance_y > tiny * np.max(variance_y, initial=0))
    result: Floats = np.divide(covariance, scale, out=np.zeros_like(covariance), where=there & (scale > 0))
    return np.clip(result, -1, 1)
