"""One order out of several rankings, and which of its candidates are taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cosmith.data.ragged import Float32, Int64
from cosmith.mining.hard_negatives.settings import MiningSettings

RANK_CONSTANT = 60
"""Of reciprocal rank fusion, as its authors have it."""


def agreed(rankings: Sequence[tuple[Int64, Float32]], agreement: int, width: int) -> Int64:
    """The candidates of each row that enough rankings hold, in one order.

    Several rankings become one by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a document's
    value is the sum of 1 / (60 + rank) over the rankings that hold it. So what several models find hard goes before
    what one does, as in NV-Retriever's ensemble of teachers (arXiv:2407.15831, Section 3), where a negative that two
    teachers name counts twice; and it takes ranks, since scores of two models do not compare.

    Args:
        rankings: Positions int64 and scores float32, both ``[rows, at most width]``, best first; ``-inf`` where there
            is no candidate.
        agreement: In how many rankings a document must stand.
        width: How many candidates a row keeps.

    Returns:
        Positions int64 ``[rows, at most width]``, best first; behind the last one -1. Of equal values, the lower
        position goes first.
    """
    if len(rankings) == 1:
        positions, scores = rankings[0]
        return np.where(np.isneginf(scores), -1, positions)[:, :width]
    rows = len(rankings[0][0])
    row, position, value = (
        np.concatenate(parts)
        for parts in zip(*(_values(positions, scores) for positions, scores in rankings), strict=True)
    )
    most = int(position.max(initial=0)) + 1
    pairs, which = np.unique(row * most + position, return_inverse=True)
    values = np.bincount(which, weights=value, minlength=len(pairs))
    enough = np.bincount(which, minlength=len(pairs)) >= agreement
    row, position = np.divmod(pairs[enough], most)
    order = np.lexsort((position, -values[enough], row))
    row, position = row[order], position[order]
    column = np.arange(len(row)) - np.searchsorted(row, row, "left")
    inside = column < width
    found = np.full((rows, min(width, int(column.max(initial=-1)) + 1)), -1, dtype=np.int64)
    found[row[inside], column[inside]] = position[inside]
    return found


def _values(positions: Int64, scores: Float32) -> tuple[Int64, Int64, np.ndarray]:
    """Row, position and reciprocal rank of each candidate."""
    row, column = np.nonzero(~np.isneginf(scores))
    return row, positions[row, column], 1.0 / (RANK_CONSTANT + 1 + column)


def chosen(candidates: Int64, settings: MiningSettings) -> Int64:
    """The candidates of each row that become its negatives.

    Args:
        candidates: Positions int64 ``[rows, width]``, best first; -1 behind the last one.
        settings: How many, how many are skipped, and whether the first or drawn ones.

    Returns:
        int64 ``[rows, at most negatives_per_row]``, best first; -1 behind the last one. It depends on the row's place
        and the seed only.
    """
    left = candidates[:, settings.skip_top :]
    if settings.sample == "random":
        left = left[:, : settings.depth - settings.skip_top]
        # Their width is the same whatever the corpus holds, so that a draw depends on nothing but place and seed.
        keys = np.random.default_rng(settings.seed).random((len(left), settings.depth))[:, : left.shape[1]]
        keys[left < 0] = 2.0  # drawn last
        columns = np.sort(np.argsort(keys, axis=1, kind="stable")[:, : settings.negatives_per_row], axis=1)
        left = np.take_along_axis(left, columns, axis=1)
    return left[:, : settings.negatives_per_row]
