"""What a filter says of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fault:
    """Why a text is not kept.

    Attributes:
        reason: In words that texts may share, e.g. ``fewer than 3 words``.
        evidence: What it was seen by in this one, e.g. ``2 words``.
    """

    reason: str
    evidence: str = ""


@dataclass(frozen=True)
class Judged:
    """Which of n texts are kept, and why the others are not.

    Attributes:
        keep: bool ``[n]``.
        faults: Of each text that is not kept: its number → why.
    """

    keep: Bool
    faults: Mapping[int, Fault]

    def counts(self) -> dict[str, int]:
        """How many were left out for each reason, the commonest first."""
        return dict(Counter(fault.reason for fault in self.faults.values()).most_common())


def judged(faults: Iterable[Fault | None]) -> Judged:
    """The judgement of texts one after another: a fault, or None for one that is kept."""
    count, found = 0, {}
    for number, fault in enumerate(faults):
        count += 1
        if fault is not None:
            found[number] = fault
    keep = np.ones(count, dtype=np.bool_)
    keep[list(found)] = False
    return Judged(keep, found)
