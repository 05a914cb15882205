"""What each item adds to a metric that is no mean over items: its influence on average precision, F1 and V-measure.

Each function gives values ``[n]`` whose mean is the metric and whose spread is its sampling variance: the metric plus
its empirical influence function (Hampel 1974), n times the derivative by the item's weight at equal weights. With
them two models' values are compared item by item, like any per-query metric. What they resample to is an approximation,
and may leave the metric's range where items are few: intervals are made of the functions ``resampled_…``, which compute
the metric itself from how often each item was drawn, or, where the metric of a resample is biased (fewer distinct items
have less entropy) or dear, of the approximation kept within the range (:func:`bounded_mean`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def ratio_contributions(numerators: Floats, denominators: Floats) -> Floats:
    """Of a ratio of sums; zeros where the denominators sum to nothing."""
    whole = denominators.mean()
    if whole <= 0:
        return np.zeros_like(numerators)
    ratio = numerators.mean() / whole
    result: Floats = ratio + (numerators - ratio * denominators) / whole
    return result


def f1_contributions(alike: Bools, said_alike: Bools) -> Floats:
    """Of the F1 of a yes-or-no decision, 2 TP / (2 TP + FP + FN)."""
    both = (alike & said_alike).astype(np.float64)
    return ratio_contributions(2 * both, alike.astype(np.float64) + said_alike)


def average_precision_contributions(scores: Floats, relevant: Bools) -> Floats:
    """Of average precision, equal scores taken together, as scikit-learn computes it.

    With w_i the weight of item i and y_i whether it is relevant, AP is the sum over i of w_i y_i T_i / C_i over that
    of w_i y_i, where C_i and T_i are the weights of all items, and of the relevant ones, that score at least s_i.
    """
    values, group = np.unique(-scores, return_inverse=True)  # the best first
    positives = np.bincount(group, weights=relevant, minlength=len(values))
    sizes = np.bincount(group, minlength=len(values))
    true, all_ = np.cumsum(positives), np.cumsum(sizes)
    total = true[-1]
    if not total:
        return np.zeros(len(scores))
    precision = true / all_
    value = float(positives @ precision / total)
    # An item is counted by itself and within T and C of every relevant item that scores no more.
    in_true = np.cumsum((positives / all_)[::-1])[::-1]
    in_all = np.cumsum((positives * precision / all_)[::-1])[::-1]
    derivative = (relevant * (precision + in_true)[group] - in_all[group]) / total - relevant * value / total
    result: Floats = value + len(scores) * derivative
    return result


def resampled_average_precision(scores: Floats, relevant: Bools) -> Callable[[Floats], Floats]:
    """Average precision as a function of how often each item was drawn: counts ``[resamples, n]`` → ``[resamples]``,
    0 where nothing relevant was drawn; equal scores taken together, as :func:`average_precision_contributions` has it.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.append(ordered[:-1] != ordered[1:], True))  # of each group of equal scores
    positives = np.flatnonzero(relevant[order])
    positives_to = np.searchsorted(positives, last, side="right")

    def statistic(counts: Floats) -> Floats:
        drawn = counts[:, order]
        of_all = np.cumsum(drawn, axis=1)[:, last]
        running = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(drawn[:, positives], axis=1)], axis=1)
        true = running[:, positives_to]
        precision = np.divide(true, of_all, out=np.zeros_like(true), where=of_all > 0)
        total = true[:, -1]
        gained = np.einsum("ij,ij->i", np.diff(true, axis=1, prepend=0), precision)
        result: Floats = np.divide(gained, total, out=np.zeros_like(total), where=total > 0)
        return result

    return statistic


def resampled_f1(alike: Bools, said_alike: Bools) -> Callable[[Floats], Floats]:
    """The F1 of a yes-or-no decision likewise, the threshold held fixed; 0 where nobody says yes."""
    sums = np.column_stack([2.0 * (alike & said_alike), alike.astype(np.float64) + said_alike])

    def statistic(counts: Floats) -> Floats:
        above, below = (counts @ sums).T
        result: Floats = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return result

    return statistic


def bounded_mean(added: Floats) -> Callable[[Floats], Floats]:
    """The mean of what items add likewise, kept within 0 and 1."""
    return lambda counts: np.clip(counts @ added / len(added), 0, 1)


def class_f1_contributions(true: Ints, predicted: Ints, weights: Floats) -> Floats:
    """Of the weighted mean of the classes' F1.

    Args:
        true: The class of each item, numbered from 0 [n].
        predicted: What it was taken for [n].
        weights: Of each class, summing to 1; they are held fixed.
    """
    classes = len(weights)
    right = true == predicted
    hits = np.bincount(true[right], minlength=classes)
    whole = np.bincount(true, minlength=classes) + np.bincount(predicted, minlength=classes)
    f1 = np.divide(2.0 * hits, whole, out=np.zeros(classes), where=whole > 0)
    scale = np.divide(weights, whole, out=np.zeros(classes), where=whole > 0)
    of_true = scale[true] * (2.0 * right - f1[true])
    of_predicted = -scale[predicted] * f1[predicted]
    result: Floats = float(weights @ f1) + len(true) * (of_true + of_predicted)
    return result


def v_measure_contributions(labels: Ints, clusters: Ints) -> Floats:
    """Of V-measure, 2 I / (H(labels) + H(clusters)) with I the mutual information (Rosenberg & Hirschberg 2007).

    An item whose label, cluster or both have the share p adds -log p to the entropy.
    """
    joint = labels * (int(clusters.max()) + 1) + clusters
    of_labels, of_clusters, of_both = (_surprise(each) for each in (labels, clusters, joint))
    return ratio_contributions(2 * (of_labels + of_clusters - of_both), of_labels + of_clusters)


def _surprise(names: Ints) -> Floats:
    """-log of the share of each item's name."""
    _, number, counts = np.unique(names, return_inverse=True, return_counts=True)
    result: Floats = -np.log(counts / len(names))[number]
    return result


def metric_range(metric: str, *values: float) -> tuple[float, float]:
    """The least and the greatest value of a metric: of correlations -1 and 1, of shares 0 and 1.

    Args:
        metric: Its name, as scores have it.
        values: Some of its values; where one lies outside, it is another kind of metric, of which no limits are known.
    """
    low, high = (-1.0 if metric.endswith(("spearman", "pearson")) else 0.0), 1.0
    return (low, high) if all(low <= value <= high for value in values) else (-np.inf, np.inf)
