"""Splits that keep together what belongs together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.ragged import Int64
from cosmith.errors import InputError

_BLOCK = 1 << 16


def split_by_group(groups: Sequence[str], shares: Mapping[str, float], seed: int) -> dict[str, Int64]:
    """Split rows into parts such that no group stands in two of them.

    Groups are taken in the order of a hash of their name and the seed, so the split is random but depends on nothing
    else; those too large for some part come before the others. Each goes to the least filled part that has room for
    it; those for which none has are placed last, largest first, where most room is left. No part misses its share of
    the rows by more than the largest group, unless it would have stayed empty otherwise.

    Args:
        groups: The group of each row [n].
        shares: Each part's name and its share of the rows; the shares add up to 1.
        seed: Another seed gives another split.

    Returns:
        The row numbers of each part, ascending: int64; together each row once, and no part empty.

    Raises:
        InputError: When the shares do not add up to 1, or there are fewer groups than parts.
    """
    keys = np.fromiter((group_key(group, seed) for group in groups), dtype=np.uint64, count=len(groups))
    parts = split_by_key(keys, shares)
    return {part: np.flatnonzero(parts == number) for number, part in enumerate(shares)}


def split_by_key(keys: npt.NDArray[np.uint64], shares: Mapping[str, float]) -> npt.NDArray[np.uint8]:
    """As :func:`split_by_group`, of groups that are known by a random number each, for many rows.

    While it works, it takes about 32 bytes a row.

    Args:
        keys: uint64 [n], the key of each row's group, as :func:`group_key` gives it.
        shares: As there.

    Returns:
        uint8 [n], the number of each row's part in the order of the shares.

    Raises:
        InputError: As there.
    """
    if any(not (math.isfinite(share) and share > 0) for share in shares.values()):
        raise InputError(f"the shares are {dict(shares)}", field="shares", remedy="Give each part a share above 0.")
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise InputError(
            f"the shares add up to {sum(shares.values()):g}", field="shares", remedy="Make them add up to 1."
        )
    ordered = np.sort(keys)
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(keys) else np.zeros(0, int)
    groups, sizes = ordered[begins], np.diff(begins, append=len(keys))
    del ordered, begins
    if len(groups) < len(shares):
        raise InputError(
            f"{len(groups)} groups cannot fill {len(shares)} parts",
            field="groups",
            remedy="Give finer groups, or fewer parts.",
        )
    part_of = _place(sizes, [share * len(keys) for share in shares.values()])
    parts = np.empty(len(keys), dtype=np.uint8)
    for start in range(0, len(keys), _BLOCK):
        parts[start : start + _BLOCK] = part_of[np.searchsorted(groups, keys[start : start + _BLOCK])]
    return parts


def _place(sizes: Int64, targets: Sequence[float]) -> npt.NDArray[np.uint8]:
    """Give every group its part: uint8 [groups], from their sizes in the order of their keys and the parts' rows."""
    room = list(targets)
    part_of = np.zeros(len(sizes), dtype=np.uint8)

    def put(group: int, part: int) -> None:
        part_of[group] = part
        room[part] -= int(sizes[group])

    left = []
    large = sizes > min(targets)
    for order in (np.flatnonzero(large), np.flatnonzero(~large)):
        for start in range(0, len(order), _BLOCK):
            numbers = order[start : start + _BLOCK]
            for group, size in zip(numbers.tolist(), sizes[numbers].tolist(), strict=True):
                # A part's room is a float: a group that fits to the row must not be turned away by rounding.
                fitting = [part for part, free in enumerate(room) if size <= free + 1e-6]
                if fitting:
                    put(group, max(fitting, key=lambda part: room[part] / targets[part]))
                else:
                    left.append(group)
    for group in sorted(left, key=lambda group: -sizes[group]):  # a stable sort: equal sizes stay in order
        put(group, max(range(len(room)), key=room.__getitem__))
    for empty in np.flatnonzero(np.bincount(part_of, minlength=len(room)) == 0).tolist():
        counts = np.bincount(part_of, minlength=len(room))
        donor = min(np.flatnonzero(counts > 1).tolist(), key=room.__getitem__)
        members = np.flatnonzero(part_of == donor)
        group = int(members[np.argmin(sizes[members])])
        room[donor] += int(sizes[group])
        put(group, empty)
    return part_of


def group_key(name: str, seed: int) -> int:
    """The random number by which a group is known: XXH3 (64 bits) of its name and the seed."""
    return xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass"), seed=seed % (1 << 64))
