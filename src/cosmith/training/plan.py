"""What a step trains on, as a pure function of (seed, step).

Nothing is iterated and nothing is remembered: any rank, at any time, can ask for any step and gets the same Source
and the same rows. Resuming is therefore one whole number, exact in the middle of an epoch, and costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cosmith.errors import InputError, nearest
from cosmith.training.mixing import key_of, mix, shuffled

Mixing = Literal["proportional", "round_robin", "curriculum"]

_LONGEST_CYCLE = 4096
_TOLERANCE = 0.02  # how far a Source's share of a cycle may be from what was asked for, as a part of that share
_ROWS, _SLOTS = 1, 2  # what a key is for, so that no two shuffles share one


@dataclass(frozen=True)
class StepRows:
    """The Source of a step (its number) and the rows to take of it (int64 [batch size])."""

    source: int
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Which Source and which rows each step takes.

    A step takes its rows from one Source only. ``proportional``: the Sources' shares of all rows drawn are
    ``weight * size ** alpha``; with ``alpha`` 1 and equal weights all Sources finish an epoch together. Steps come in
    cycles in which each Source has an exact number of slots, in an order that (seed, cycle) shuffles.
    ``round_robin``: the Sources take turns, whatever their sizes and weights. ``curriculum``: in every epoch the
    Sources come one after another in the order in which they are given, each with the share of the rows that it has
    in ``proportional``.

    Within a Source, epoch after epoch, every row comes exactly once an epoch, in an order that (seed, Source, epoch)
    chooses. A batch may span the border of two epochs.

    Args:
        sizes: Rows of each Source.
        batch_sizes: Rows a step takes of each Source; a step of more rows than the Source has takes some twice.
        seed: Chooses every order.
        mixing: ``"proportional"``, ``"round_robin"`` or ``"curriculum"``.
        weights: The Sources' weights; all 1 where absent.
        alpha: The power of the size, 1 (proportional to size) down to 0 (size does not matter).

    Raises:
        InputError: When a size, batch size or weight is not positive, or their counts differ.
    """

    sizes: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    seed: int = 0
    mixing: Mixing = "proportional"
    weights: tuple[float, ...] = ()
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not self.sizes:
            raise InputError("no Source to train on", field="sources", remedy="Give at least one.")
        if not self.weights:
            object.__setattr__(self, "weights", (1.0,) * len(self.sizes))
        for field, values in (("sizes", self.sizes), ("batch_sizes", self.batch_sizes), ("weights", self.weights)):
            if len(values) != len(self.sizes):
                raise InputError(f"{len(values)} values for {len(self.sizes)} Sources", field=field)
            if not all(math.isfinite(value) and value > 0 for value in values):
                raise InputError(f"every value must be positive, not {list(values)}", field=field)
        if self.mixing not in get_args(Mixing):
            raise InputError(f"unknown mixing {self.mixing!r}", field="mixing",
                             remedy=nearest(self.mixing, get_args(Mixing)))  # fmt: skip
        if not 0 <= self.alpha <= 1:
            raise InputError(f"must be between 0 and 1, not {self.alpha}", field="alpha")

    @cached_property
    def slots(self) -> NDArray[np.int64]:
        """How many steps of a cycle each Source has; int64 [Sources]."""
        if self.mixing == "round_robin" or len(self.sizes) == 1:
            return np.ones(len(self.sizes), np.int64)
        sizes = np.asarray(self.sizes, np.float64)
        rows = np.asarray(self.weights) * sizes**self.alpha
        if self.mixing == "curriculum":
            steps = rows * (sizes.sum() / rows.sum()) / np.asarray(self.batch_sizes, np.float64)
            whole: NDArray[np.int64] = np.ceil(steps - 1e-9).astype(np.int64)
            return whole
        steps = rows / np.asarray(self.batch_sizes)
        return _slots(steps / steps.sum())

    @property
    def cycle_length(self) -> int:
        """Steps after which every Source has had its share."""
        return int(self.slots.sum())

    def at(self, step: int) -> StepRows:
        """The Source and the rows of a step (counted from 0)."""
        cycle, place = divmod(step, self.cycle_length)
        order = self._order(cycle)
        source = int(order[place])
        ordinal = cycle * int(self.slots[source]) + int(np.count_nonzero(order[:place] == source))
        return StepRows(source, self._rows(source, ordinal))

    def epoch(self, step: int) -> float:
        """How often, on average over the Sources' rows, a row has been taken before this step."""
        cycle, place = divmod(step, self.cycle_length)
        steps = cycle * self.slots + np.bincount(self._order(cycle)[:place], minlength=len(self.sizes))
        return float(steps @ np.asarray(self.batch_sizes, np.int64) / sum(self.sizes))

    def steps(self, epochs: float) -> int:
        """The fewest steps that take ``epochs`` times as many rows as the Sources have together (at least 1)."""
        rows_of_a_step = float(self.slots @ np.asarray(self.batch_sizes)) / self.cycle_length
        return max(1, math.ceil(epochs * sum(self.sizes) / rows_of_a_step - 1e-9))

    def _order(self, cycle: int) -> NDArray[np.int64]:
        """The Source of each step of a cycle."""
        order = np.repeat(np.arange(len(self.sizes)), self.slots)
        if self.mixing != "proportional":
            return order
        key = np.uint64(key_of(self.seed, _SLOTS, cycle))
        return order[np.argsort(mix(mix(np.arange(len(order), dtype=np.uint64)) ^ key), kind="stable")]

    def _rows(self, source: int, ordinal: int) -> NDArray[np.int64]:
        """The rows of a Source's step number ``ordinal``."""
        size, batch_size = self.sizes[source], self.batch_sizes[source]
        epochs, places = np.divmod(ordinal * batch_size + np.arange(batch_size, dtype=np.int64), size)
        distinct, which = np.unique(epochs, return_inverse=True)
        keys = np.array([key_of(self.seed, _ROWS, source, int(epoch)) for epoch in distinct], np.uint64)
        return shuffled(places, size, keys[which])


def _slots(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """The shortest cycle that gives every Source its share of the steps within the tolerance, one slot at least."""
    best, least = np.ones(len(shares), np.int64), math.inf
    for length in range(len(shares), max(_LONGEST_CYCLE, len(shares)) + 1):
        slots = np.maximum(_largest_remainder(shares, length), 1)
        error = float(np.max(np.abs(slots / slots.sum() - shares) / shares))
        if error < least:
            best, least = slots, error
        if error <= _TOLERANCE:
            break
    return best


def _largest_remainder(shares: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers that sum to ``total`` and are within 1 of ``shares * total`` (Hamilton's method)."""
    quotas = shares * total
    whole = np.floor(quotas).astype(np.int64)
    largest = np.argsort(whole - quotas, kind="stable")[: total - int(whole.sum())]
    whole[largest] += 1
    return whole
