"""Splits that keep together what belongs together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import xxhash

from cosmith.data.ragged import Int64
from cosmith.errors import InputError


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
    if any(not (math.isfinite(share) and share > 0) for share in shares.values()):
        raise InputError(f"the shares are {dict(shares)}", field="shares", remedy="Give each part a share above 0.")
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise InputError(
            f"the shares add up to {sum(shares.values()):g}", field="shares", remedy="Make them add up to 1."
        )
    sizes = Counter(groups)
    if len(sizes) < len(shares):
        raise InputError(
            f"{len(sizes)} groups cannot fill {len(shares)} parts",
            field="groups",
            remedy="Give finer groups, or fewer parts.",
        )
    part_of = _place(sizes, {part: share * len(groups) for part, share in shares.items()}, seed)
    names = list(shares)
    number_of = {part: number for number, part in enumerate(names)}
    parts = np.fromiter((number_of[part_of[group]] for group in groups), dtype=np.int64, count=len(groups))
    return {part: np.flatnonzero(parts == number) for part, number in number_of.items()}


def _place(sizes: Mapping[str, int], targets: Mapping[str, float], seed: int) -> dict[str, str]:
    """Give every group its part."""
    room = dict(targets)
    part_of: dict[str, str] = {}

    def put(group: str, part: str) -> None:
        part_of[group] = part
        room[part] -= sizes[group]

    left = []
    smallest = min(targets.values(), default=0.0)
    for group in sorted(sizes, key=lambda name: (sizes[name] <= smallest, _hash(name, seed), name)):
        # A part's room is a float: a group that fits to the row must not be turned away by rounding.
        fitting = [part for part in room if sizes[group] <= room[part] + 1e-6]
        if fitting:
            put(group, max(fitting, key=lambda part: room[part] / targets[part]))
        else:
            left.append(group)
    for group in sorted(left, key=lambda name: -sizes[name]):  # a stable sort: equal sizes stay in hash order
        put(group, max(room, key=room.__getitem__))
    for empty in [part for part in targets if part not in set(part_of.values())]:
        counts = Counter(part_of.values())
        donor = min((part for part in counts if counts[part] > 1), key=room.__getitem__)
        group = min((name for name in sizes if part_of[name] == donor), key=lambda name: (sizes[name], name))
        room[donor] += sizes[group]
        put(group, empty)
    return part_of


def _hash(name: str, seed: int) -> int:
    return xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass"), seed=seed % (1 << 64))
