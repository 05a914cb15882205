"""Between the base model and the tuned one: never worse than the base on the development set.

LM-Cocktail (Xiao et al., arXiv:2311.13534, equation 1): the weighted mean of the two models' weights keeps most of
what fine-tuning taught and forgets less of what the base model knew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from cosmith.errors import CosmithError, InputError
from cosmith.models import Trainable
from cosmith.training.settings import INTERPOLATION_GRID

Model = TypeVar("Model", bound=Trainable)


@dataclass(frozen=True)
class Mixed:
    """The score on the development set of ``alpha`` parts tuned and ``1 - alpha`` parts base model."""

    alpha: float
    score: float


def interpolate(base: Model, tuned: Model, alpha: float) -> Model:
    """A new encoder with the weights ``(1 - alpha) * base + alpha * tuned``; what is no weight is the tuned one's.

    Args:
        base: One end.
        tuned: The other end, of the same architecture.
        alpha: The tuned model's share, between 0 and 1; at both ends the weights are exactly those of that model.

    Raises:
        InputError: When the two differ in more than the values of their weights, or ``alpha`` is out of range.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"must be between 0 and 1, not {alpha}", field="alpha")
    ours, theirs = tuned.module.state_dict(), base.module.state_dict()
    if {name: value.shape for name, value in ours.items()} != {name: value.shape for name, value in theirs.items()}:
        raise InputError(
            "the two encoders do not have the same weights",
            field="tuned",
            remedy="Interpolate an encoder with the one that it was trained from.",
        )
    mixed = tuned.copy()
    with torch.no_grad():
        done: set[int] = set()  # weights that are tied have two names and one memory
        for name, value in mixed.module.state_dict().items():  # these share their memory with the module
            if value.data_ptr() in done:
                continue
            done.add(value.data_ptr())
            other = theirs[name].to(value.device)
            if alpha == 0 or (value.is_floating_point() and alpha < 1):
                value.copy_(other if alpha == 0 else torch.lerp(other, value, alpha))
    return mixed


def best_interpolation(
    base: Model,
    tuned: Model,
    dev: Callable[[Model], float],
    grid: Sequence[float] = INTERPOLATION_GRID,
    known: dict[float, float] | None = None,
) -> tuple[Model, tuple[Mixed, ...]]:
    """The mixture that is best on the development set.

    The base model itself always takes part, so the result is never worse than it there. Among equal scores the one
    nearest to the base wins.

    Args:
        base: The model before training.
        tuned: The model after it.
        dev: The score of an encoder, higher is better.
        grid: The shares of the tuned model to try.
        known: Scores that need no evaluation any more, by share.

    Returns:
        The best encoder, and the scores by rising share.

    Raises:
        CosmithError: When no mixture has a score that is a number.
    """
    scores = dict(known or {})
    best: Model | None = None
    best_score = -math.inf
    for alpha in sorted({0.0, *grid}):
        mixed = interpolate(base, tuned, alpha)
        if alpha not in scores:
            scores[alpha] = float(dev(mixed))
        if scores[alpha] > best_score:
            best, best_score = mixed, scores[alpha]
    if best is None:
        raise CosmithError("no score on the development set is a number", remedy="Check the development set.")
    return best, tuple(Mixed(alpha, scores[alpha]) for alpha in sorted({0.0, *grid}))
