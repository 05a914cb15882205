"""Queries in groups: by how long something is, and by the rank of the first relevant document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.significance import Interval, bootstrap_interval

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.retrieval import Hits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_RANKS = ((1, 1), (2, 3), (4, 10), (11, 100))
"""The ranges of ranks that are told apart."""


@dataclass(frozen=True)
class Group:
    """Some of the queries, and what they score.

    Attributes:
        label: Which they are, e.g. ``"9–14"`` tokens.
        count: How many.
        value: The mean of the metric.
        interval: Of that mean, over the group's queries.
    """

    label: str
    count: int
    value: float
    interval: Interval

    @classmethod
    def of(cls, label: str, values: Floats, *, resamples: int = 2_000, seed: int = 0) -> Group:
        """The group of these queries' values, at least one."""
        interval = bootstrap_interval(values, resamples=resamples, seed=seed)
        return cls(label, len(values), float(values.mean()), interval)

    @classmethod
    def from_dict(cls, about: Mapping[str, Any]) -> Group:
        """The inverse of :func:`dataclasses.asdict`."""
        return cls(about["label"], about["count"], about["value"], Interval(**about["interval"]))


@dataclass(frozen=True)
class RankGroup:
    """Queries whose first relevant document stands within a range of ranks.

    Attributes:
        label: The range, e.g. ``"2–3"``, or ``"not among the first 100"``.
        count: How many queries.
    """

    label: str
    count: int


def groups_by(
    measures: npt.ArrayLike, values: npt.ArrayLike, *, parts: int = 4, resamples: int = 2_000, seed: int = 0
) -> tuple[Group, ...]:
    """Queries in groups of about equal size by a whole number, such as a length; equal numbers are never parted.

    Args:
        measures: What to group by, whole numbers ``[queries]``.
        values: The metric of each query, ``[queries]``.
        parts: The most groups.
        resamples: For the intervals.
        seed: For the intervals.

    Returns:
        The groups by rising measure; fewer than ``parts`` where many are alike.

    Raises:
        InputError: When there are no queries, or the two differ in length.
    """
    sizes, scores = np.asarray(measures, dtype=np.int64), np.asarray(values, dtype=np.float64)
    if sizes.shape != scores.shape or sizes.ndim != 1 or not len(sizes):
        raise InputError(f"measures {sizes.shape} and values {scores.shape} must both be [queries]", field="measures")
    shares = np.arange(1, parts) / parts
    edges = np.unique(np.quantile(sizes, shares, method="inverted_cdf"))  # the greatest of each group but the last
    number = np.searchsorted(edges, sizes, side="left")
    groups = []
    for each in np.unique(number):
        here = number == each
        label = _range(int(sizes[here].min()), int(sizes[here].max()))
        groups.append(Group.of(label, scores[here], resamples=resamples, seed=seed))
    return tuple(groups)


def first_relevant_ranks(collection: Collection, query_ids: Sequence[str], hits: Hits) -> Ints:
    """The rank, from 1, of the first relevant document of each query; 0 where none was found: int64 ``[queries]``."""
    ranks = np.zeros(len(query_ids), dtype=np.int64)
    for row, query in enumerate(query_ids):
        grades = collection.relevance[query]
        ranks[row] = next((rank for rank, name in enumerate(hits.ids[row], 1) if grades.get(name, 0) > 0), 0)
    return ranks


def ranks_of(ranks: Ints, depth: int) -> tuple[RankGroup, ...]:
    """How many queries have their first relevant document where.

    Args:
        ranks: From 1, int64 ``[queries]``; 0 where none was found.
        depth: How deep the search went.
    """
    groups = [
        RankGroup(_range(low, min(high, depth)), int(((ranks >= low) & (ranks <= high)).sum()))
        for low, high in _RANKS
        if low <= depth
    ]
    return (*groups, RankGroup(f"not among the first {depth}", int((ranks == 0).sum())))


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"
