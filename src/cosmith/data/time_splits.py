"""Splits by time, and by row: what is asked tomorrow is not known today, and what is asked twice may be anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosmith.data.ragged import Int64
from cosmith.errors import InputError

Float64 = npt.NDArray[np.float64]


def time_of(value: str) -> float:
    """A time in seconds since 1970 (UTC): of a number of seconds, or a date or time as ISO 8601 has it.

    Without an offset it is taken for UTC.

    Raises:
        InputError: When it is neither.
    """
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            seconds = math.nan
        else:
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise InputError(
            f"{value!r} is no time", field="time", remedy="Write 2024-05-31, 2024-05-31T12:00:00 or seconds since 1970."
        )
    return seconds


def times_of(values: Sequence[str | None], path: str | Path | None = None) -> Float64:
    """The times of rows: float64 ``[n]``, as :func:`time_of` reads each.

    Raises:
        InputError: When one is missing or no time; ``path`` is the file that they are of.
    """
    found = np.empty(len(values), dtype=np.float64)
    for number, value in enumerate(values):
        try:
            found[number] = time_of(value or "")
        except InputError as error:
            raise InputError(
                f"row {number} has no time that can be read: {value!r}", path=path, field="time", remedy=error.remedy
            ) from error
    return found


def split_by_time(
    times: npt.ArrayLike, shares: Mapping[str, float], *, begins: Mapping[str, float] | None = None
) -> dict[str, Int64]:
    """Split rows into parts that follow each other in time, as one who trains today and is asked tomorrow meets them.

    Rows of the same time stay together; so a part may have a few more or fewer rows than its share.

    Args:
        times: When each row was ``[n]``, in any unit.
        shares: Each part's name and its share of the rows, the earliest part first; the shares add up to 1.
        begins: Parts that begin at a time, whatever their share; those before them end there, and have their own share
            of all rows, but for the first one, which has the rest.

    Returns:
        The row numbers of each part, ascending: int64; together each row once, and no part empty.

    Raises:
        InputError: When the shares do not add up to 1, or a part would be empty.
    """
    values = np.asarray(times, dtype=np.float64)
    if any(not share > 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise InputError(
            f"the shares are {dict(shares)}", field="shares", remedy="Give each part one above 0, 1 in all."
        )
    ordered, names = np.sort(values), list(shares)
    end, starts = len(values), []
    for name in reversed(names[1:]):
        if begins is not None and name in begins:
            place = int(np.searchsorted(ordered, begins[name]))
        else:
            place = _between_times(ordered, end - round(shares[name] * len(values)), end)
        starts.append(place)
        end = place
    places = np.array([0, *reversed(starts), len(values)])
    if (np.diff(places) <= 0).any():
        empty = names[int((np.diff(places) <= 0).argmax())]
        raise InputError(
            f"no row would be in the part {empty!r}", field="time",
            remedy="Move the dates or the shares; rows of the same time stay together.",
        )  # fmt: skip
    part = np.searchsorted(ordered[places[1:-1]], values, side="right")
    return {name: np.flatnonzero(part == number) for number, name in enumerate(names)}


def _between_times(ordered: Float64, wanted: int, end: int) -> int:
    """The place nearest to ``wanted`` before which all times are earlier than those from there on."""
    wanted = min(max(wanted, 0), end - 1) if end else 0
    if not end:
        return 0
    first = int(np.searchsorted(ordered, ordered[wanted], side="left"))
    behind = int(np.searchsorted(ordered, ordered[wanted], side="right"))
    late = behind < end and behind - wanted < wanted - first
    return behind if late or (first == 0 and behind < end) else first


def split_by_row(count: int, shares: Mapping[str, float], seed: int) -> dict[str, Int64]:
    """Split rows by chance, each by itself: rows of one query may stand in two parts.

    Args:
        count: How many rows there are.
        shares: Each part's name and its share of the rows; the shares add up to 1.
        seed: Another seed gives another split.

    Returns:
        The row numbers of each part, ascending: int64; together each row once, and no part empty.

    Raises:
        InputError: As :func:`split_by_time`.
    """
    return split_by_time(np.random.default_rng(seed).permutation(count), shares)
