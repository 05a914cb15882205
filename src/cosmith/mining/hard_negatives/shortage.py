"""What to say where mining found few negatives or none: which limit left them out, and how to loosen it."""

from __future__ import annotations

import numpy as np

from cosmith.errors import InputError
from cosmith.mining.hard_negatives.mine import MiningResult
from cosmith.mining.hard_negatives.settings import Limits
from cosmith.phrases import counted

_MANY = 0.1  # of the rows without a negative: worth a warning


def loosened(limits: Limits, skip_top: int) -> str:
    """How to leave out fewer candidates."""
    ways = [] if limits.ratio is None else [f"raise `ratio` (now {limits.ratio:g}; null: no such limit)"]
    if limits.margin is not None:
        ways.append(f"lower `margin` (now {limits.margin:g}; null: no such limit)")
    if limits.max_score is not None:
        ways.append(f"raise `max_score` (now {limits.max_score:g}; null: no such limit)")
    if skip_top:
        ways.append(f"lower `skip_top` (now {skip_top})")
    told = " or ".join(ways or ["give it more rows"])
    return told[0].upper() + told[1:]


def bare_rows(found: MiningResult) -> int:
    """How many rows have no negative."""
    return int((np.diff(found.source.negative_offsets) == 0).sum())


def require_negatives(found: MiningResult, limits: Limits, skip_top: int) -> None:
    """Refuse rows of which none has a negative.

    Raises:
        InputError: With the limit that left all candidates out, and what to do.
    """
    if len(found.source.negatives):
        return
    nothing = f"none of the {counted(found.rows, 'row')} has a negative: "
    if not found.rejected:
        remedy = "lower `skip_top`" if skip_top else "give it more rows"
        raise InputError(
            f"{nothing}beside the answers, no document is left to take",
            field="skip_top" if skip_top else "source",
            remedy=f"Do without mining, or {remedy}.",
        )
    raise InputError(
        f"{nothing}{counted(found.rejected, 'candidate')} score too near the answers and were left out",
        field=next((name for name in ("ratio", "margin", "max_score") if getattr(limits, name) is not None), None),
        remedy=f"{loosened(limits, skip_top)}, or mine with a model that tells these documents apart.",
    )


def shortage(found: MiningResult, limits: Limits, skip_top: int) -> str | None:
    """A warning where more than a tenth of the rows have no negative."""
    bare = bare_rows(found)
    if bare <= _MANY * found.rows:
        return None
    return (
        f"warning: {bare:,} of {counted(found.rows, 'row')} have no negative: every candidate of theirs was left out."
        f" {loosened(limits, skip_top)} if that is not wanted."
    )
