"""How hard negatives are looked for, and what is too likely an answer to be one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from cosmith.data import Source
from cosmith.data.ragged import Float32
from cosmith.errors import InputError, nearest
from cosmith.phrases import counted
from cosmith.retrieval.vectors import StoredAs

Candidates = Literal["dense", "bm25", "both"]
Sample = Literal["top", "random"]


def labels_settle(source: Source) -> bool:
    """Whether labels mark all answers: every row has one, so that a text of another label cannot be an answer."""
    return source.labels is not None and len(source) > 0 and bool((source.labels >= 0).all())


def ratio_of(said: float | Literal["auto"] | None, source: Source) -> float | None:
    """The ratio of :class:`Limits` that is meant: ``"auto"`` is 0.95, and none where :func:`labels_settle` it."""
    if said == "auto":
        return None if labels_settle(source) else 0.95
    return said


@dataclass(frozen=True)
class Limits:
    """What a candidate must score less than, by its row's lowest known answer p.

    Attributes:
        ratio: Less than p - ``|p|`` (1 - ratio): ratio x p where p is positive (TopK-PercPos of NV-Retriever,
            arXiv:2407.15831, Section 3), and below p where p is negative, too.
        margin: Less than p - margin (TopK-MarginPos).
        max_score: Less than this, whatever p is (TopK-Abs).
    """

    ratio: float | None = 0.95
    margin: float | None = None
    max_score: float | None = None

    def __post_init__(self) -> None:
        if self.ratio is not None and not 0 < self.ratio <= 1:
            raise InputError(f"must lie above 0 and not above 1, got {self.ratio}", field="ratio")
        if self.margin is not None and not 0 <= self.margin < math.inf:
            raise InputError(f"must not be negative, got {self.margin}", field="margin")
        if self.max_score is not None and not math.isfinite(self.max_score):
            raise InputError(f"must be a finite number, got {self.max_score}", field="max_score")

    def of(self, lowest: Float32) -> Float32:
        """The limit of each row by the score of its lowest known answer: float32 ``[rows]``; infinite for none."""
        limits = np.full(len(lowest), np.inf, dtype=np.float32)
        if self.ratio is not None:
            # Not ratio x p: for a negative p that would lie above it.
            limits = np.minimum(limits, lowest - np.abs(lowest) * np.float32(1 - self.ratio))
        if self.margin is not None:
            limits = np.minimum(limits, lowest - np.float32(self.margin))
        if self.max_score is not None:
            limits = np.minimum(limits, np.float32(self.max_score))
        return limits


@dataclass(frozen=True)
class MiningSettings:
    """The arguments of :func:`~cosmith.mining.mine_hard_negatives` that are plain values; it says what each means.

    Raises:
        InputError: When one makes no sense; its ``field`` is the argument's name.
    """

    negatives_per_row: int
    candidates: Candidates
    agreement: int
    depth: int
    skip_top: int
    sample: Sample
    limits: Limits
    keep: bool
    scores: bool
    seed: int
    dim: int | None
    language: str | None
    stored_as: StoredAs

    def __post_init__(self) -> None:
        for name in ("negatives_per_row", "agreement", "depth"):
            if getattr(self, name) < 1:
                raise InputError(f"must be at least 1, got {getattr(self, name)}", field=name)
        if self.skip_top < 0:
            raise InputError(f"must not be negative, got {self.skip_top}", field="skip_top")
        choices = {"sample": Sample, "candidates": Candidates, "stored_as": StoredAs}
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise InputError(
                    f"{getattr(self, name)!r} is not known", field=name,
                    remedy=nearest(str(getattr(self, name)), get_args(kind)),
                )  # fmt: skip

    def check_depth(self, *, reads_all: bool) -> None:
        """Refuse a depth that does not hold what is to be taken from it.

        Args:
            reads_all: Whether more than the first candidates are read whatever ``sample`` says.

        Raises:
            InputError: It does not.
        """
        wanted = self.skip_top + self.negatives_per_row
        if (reads_all or self.sample == "random") and self.depth < wanted:
            raise InputError(
                f"is {self.depth}, but {self.skip_top} candidates are skipped and {self.negatives_per_row} wanted",
                field="depth",
                remedy=f"Make it at least {wanted}.",
            )

    def check_agreement(self, rankings: int) -> None:
        """Refuse to ask more rankings to agree than there are.

        Raises:
            InputError: There are fewer.
        """
        if self.agreement > rankings:
            raise InputError(
                f"{self.agreement} rankings cannot agree where there is {counted(rankings, 'ranking')}"
                if rankings == 1
                else f"{self.agreement} rankings cannot agree where there are {rankings}",
                field="agreement",
                remedy="Lower it, or name more models.",
            )

    def described(self) -> dict[str, Any]:
        """All of them as plain values."""
        return asdict(self)
