"""Between the base model and the tuned one: never worse than the base on the development set.

LM-Cocktail (Xiao et al., arXiv:2311.13534, equation 1): the weighted mean of the two models' weights keeps most of
what fine-tuning taught and forgets less of what the base model knew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from cosmith.errors import CosmithError, InputError
from cosmith.models import Trainable
from cosmith.training.merging.whole_weights import adapted, with_whole_weights
from cosmith.training.settings import INTERPOLATION_GRID

Model = TypeVar("Model", bound=Trainable)


@dataclass(frozen=True)
class Mixed:
    """The score on the development set of ``alpha`` parts tuned and ``1 - alpha`` parts base model."""

    alpha: float
    score: float


def interpolate(base: Model, tuned: Model, alpha: float) -> Model:
    """A new encoder with the weights ``(1 - alpha) * base + alpha * tuned``; what is no weight is the tuned one's.

    Adapters are merged into the weights of a copy first, so the result has none.

    Args:
        base: One end.
        tuned: The other end, of the same architecture.
        alpha: The tuned model's share, between 0 and 1; at both ends the weights are exactly those of that model.

    Raises:
        InputError: When the two differ in more than the values of their weights, or ``alpha`` is out of range.
    """
    return _mixed(with_whole_weights(base), with_whole_weights(tuned), alpha)


def _mixed(base: Model, tuned: Model, alpha: float) -> Model:
    """The same of the weights as they stand, those of adapters among them."""
    if not 0 <= alpha <= 1:
        raise InputError(f"must be between 0 and 1, not {alpha}", field="alpha")
    theirs = base.module.state_dict()
    _require_same_weights(theirs, tuned.module.state_dict())
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


def _require_same_weights(base: Mapping[str, torch.Tensor], tuned: Mapping[str, torch.Tensor]) -> None:
    for name in sorted(base.keys() | tuned.keys()):
        shapes = [list(weights[name].shape) if name in weights else "absent" for weights in (base, tuned)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"the two encoders do not have the same weights: {name} is {shapes[0]} in the base and {shapes[1]} in"
                " the tuned one",
                field="tuned",
                remedy="Interpolate an encoder with the one that it was trained from.",
            )


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

    Where only one of the two has an adapter, it is merged into the weights of a copy. Where both have one, as in a run
    with ``merge_adapter=False``, the result keeps one: the adapters' own numbers are mixed, so that all mixtures lie
    between the two models, but not on the straight line of :func:`interpolate`. Each is scored as it is.

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
    if adapted(base) != adapted(tuned):
        base, tuned = with_whole_weights(base), with_whole_weights(tuned)
    for alpha in sorted({0.0, *grid}):
        mixed = _mixed(base, tuned, alpha)
        if alpha not in scores:
            scores[alpha] = float(dev(mixed))
        if scores[alpha] > best_score:
            best, best_score = mixed, scores[alpha]
    if best is None:
        raise CosmithError("no score on the development set is a number", remedy="Check the development set.")
    return best, tuple(Mixed(alpha, scores[alpha]) for alpha in sorted({0.0, *grid}))
