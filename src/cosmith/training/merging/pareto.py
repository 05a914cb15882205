"""What is won in the own domain against what is lost elsewhere: the mixtures that no other one beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A model that was tried.

    Attributes:
        name: What it is, for people: ``"tuned"``, ``"0.25 base + 0.75 tuned"``.
        shares: The share of each model that was given, those of the models, then that of the base if there is one.
        dev: Its score on the development set; higher is better.
        general: Its score on the general set, None where none was asked for.
    """

    name: str
    shares: tuple[float, ...]
    dev: float
    general: float | None = None


def pareto_front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Those that no other one beats: none is as good in both scores and better in one. By rising dev score.

    Candidates without a general score are compared by ``dev`` alone.
    """
    return tuple(
        sorted(
            (one for one in candidates if not any(_beats(other, one) for other in candidates)),
            key=lambda one: one.dev,
        )
    )


def _beats(one: Candidate, other: Candidate) -> bool:
    ours, theirs = _point(one), _point(other)
    return all(a >= b for a, b in zip(ours, theirs, strict=True)) and ours != theirs


def _point(candidate: Candidate) -> tuple[float, float]:
    return candidate.dev, 0.0 if candidate.general is None else candidate.general
