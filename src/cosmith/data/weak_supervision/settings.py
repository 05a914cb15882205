"""Checks that the forms' settings share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cosmith.errors import InputError, nearest


def require_count(field: str, given: int, *, least: int = 1) -> None:
    """Refuse what is no whole number from ``least`` on.

    Raises:
        InputError: In this case.
    """
    if not isinstance(given, int) or isinstance(given, bool) or given < least:
        raise InputError(f"{field} is {given!r}", field=field, remedy=f"Give a whole number of at least {least}.")


def require_number(field: str, given: float, *, most: float = math.inf) -> None:
    """Refuse what is no number from 0 to ``most``.

    Raises:
        InputError: In this case.
    """
    if (
        not isinstance(given, int | float)
        or isinstance(given, bool)
        or not (math.isfinite(given) and 0 <= given <= most)
    ):
        remedy = f"Give a number from 0 to {most:g}." if math.isfinite(most) else "Give a number of 0 or more."
        raise InputError(f"{field} is {given!r}", field=field, remedy=remedy)


def require_choice(field: str, given: str, choices: Sequence[str]) -> None:
    """Refuse what is none of ``choices``.

    Raises:
        InputError: In this case.
    """
    if given not in choices:
        raise InputError(f"{field} is {given!r}", field=field, remedy=nearest(str(given), choices))
