"""One model out of several that were trained from the same base: soups, spheres, task vectors.

Merging is worth more than most changes of a loss: Qwen3-Embedding (arXiv:2506.05176, table 5) lost 1.8 points without
it. Nothing is trained, so all that it costs is the evaluations that choose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch

from cosmith.errors import CosmithError, InputError, nearest
from cosmith.models import Encoder
from cosmith.phrases import counted
from cosmith.training.merge_settings import NEED_BASE, NEED_DEV, require_read, settings_read
from cosmith.training.merging.interpolation import interpolate
from cosmith.training.merging.matching import require_alike
from cosmith.training.merging.pareto import Candidate, pareto_front
from cosmith.training.merging.tensors import add_task_vectors, least_kept, slerp_all, ties, weighted_mean
from cosmith.training.merging.whole_weights import not_finite, require_finite, with_whole_weights

MergeMethod = Literal["soup", "greedy-soup", "slerp", "interpolation", "task-arithmetic", "ties"]
"""How models become one:

* ``soup``: the weighted mean (arXiv:2203.05482);
* ``greedy-soup``: the best model first, then every other one that does not make the mean worse on the development set;
* ``slerp``: along the arc between the models, which keeps the length of the weights (Qwen3-Embedding's);
* ``interpolation``: the mean of the models, then the best point of a grid between it and the base;
* ``task-arithmetic``: the base and the sum of what each model changed (arXiv:2212.04089);
* ``ties``: likewise, but small changes are dropped and contradicting ones outvoted (arXiv:2306.01708).
"""

Score = Callable[[Encoder], float]


@dataclass(frozen=True)
class MergeResult:
    """What a merge has come to.

    Attributes:
        encoder: The merged model.
        method: How it was made.
        chosen: What it is; its ``shares`` are those of the models, then that of the base where it takes part.
        candidates: All that were scored, the models themselves and the base among them; empty without ``dev``.
    """

    encoder: Encoder
    method: MergeMethod
    chosen: Candidate
    candidates: tuple[Candidate, ...]

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The candidates that no other one beats in both scores."""
        return pareto_front(self.candidates)


def merge(
    encoders: Sequence[Encoder],
    method: MergeMethod = "soup",
    *,
    base: Encoder | None = None,
    weights: Sequence[float] | None = None,
    density: float | None = None,
    scale: float | None = None,
    grid: Sequence[float] | None = None,
    dev: Score | None = None,
    general: Score | None = None,
) -> MergeResult:
    """Merge models that were trained from one base.

    What is merged are whole weights: an adapter that stands beside the weights of a model is first merged into those of
    a copy, which costs the memory of one more model for each that has one. The result has no adapter.

    Args:
        encoders: At least two (``interpolation``, ``task-arithmetic`` and ``ties``: one will do).
        method: How; see :data:`MergeMethod`.
        base: What they were trained from; ``interpolation``, ``task-arithmetic`` and ``ties`` need it. With ``dev`` it
            is scored beside the others.
        weights: One each; equal where absent. Made to sum to 1, but for the two that add changes, where 1 each is
            the sum. ``greedy-soup`` takes none.
        density: Share of each model's changes, the largest ones of the whole model, that ``ties`` keeps; 0.2
            where not said.
        scale: How much of the changes ``task-arithmetic`` and ``ties`` add; 1 where not said.
        grid: Shares of the merged model that ``interpolation`` tries, 0.25, 0.5, 0.75 and 1 where not said; the base
            itself always takes part.
        dev: The score of an encoder, higher is better; ``greedy-soup`` and ``interpolation`` choose by it.
        general: A second score, of what shall not be forgotten: told beside the first, and chooses nothing.
            Only read with ``dev``.

    Returns:
        A new encoder, and what was tried on the way. It has the first model's name and prompts.

    Raises:
        InputError: When the models differ in more than their weights, a weight is not finite, or an argument is
            missing, makes no sense or would not be read.
        CosmithError: When a score or a merged weight is not a finite number.
    """
    said: dict[str, Any] = {"density": density, "scale": scale, "grid": grid}
    others = {"weights": weights, "general": general}
    _check(encoders, method, base, weights, dev, [name for name, value in (said | others).items() if value is not None])
    read = settings_read(method, said)
    _check_numbers(**read)
    names = _names(encoders)
    encoders = [with_whole_weights(encoder) for encoder in encoders]
    base = None if base is None else with_whole_weights(base)
    everyone = [*zip(names, encoders, strict=True), *([] if base is None else [("the base", base)])]
    require_alike(everyone)
    require_finite(everyone)
    judge = _Judge(dev, general)
    singles = [judge(one, names[place], _only(place, len(encoders))) for place, one in enumerate(encoders)]
    start = judge(base, "base", (0.0,) * len(encoders) + (1.0,)) if base is not None else None
    shares = _shares(weights, len(encoders), normalised=method not in ("task-arithmetic", "ties"))
    if method == "greedy-soup":
        merged, chosen, tried = _greedy(encoders, singles, judge)
    elif method == "interpolation":
        assert base is not None
        assert start is not None
        merged, chosen, tried = _between(encoders, shares, base, start, read["grid"], judge)
    else:
        merged = _combined(method, encoders, shares, base, **read)
        chosen = judge(merged, method, shares)
        tried = [chosen]
    backbone: Any = merged.module["backbone"]
    backbone.config.name_or_path = ""  # these weights stand nowhere yet
    found = [*singles, *([start] if start is not None else []), *tried] if dev is not None else []
    return MergeResult(merged, method, chosen, tuple(dict.fromkeys(found)))


@dataclass(frozen=True)
class _Judge:
    """Scores encoders."""

    dev: Score | None
    general: Score | None

    def __call__(self, encoder: Encoder, name: str, shares: tuple[float, ...]) -> Candidate:
        if self.dev is None:
            return Candidate(name, shares, math.nan)
        general = None if self.general is None else _finite(self.general(encoder), "general", name)
        return Candidate(name, shares, _finite(self.dev(encoder), "dev", name), general)


def _finite(score: float, field: str, name: str) -> float:
    if not math.isfinite(score):
        raise CosmithError(f"the score of {name} is {score}", field=field, remedy="It must be a finite number.")
    return float(score)


def _combined(
    method: MergeMethod,
    encoders: Sequence[Encoder],
    shares: tuple[float, ...],
    base: Encoder | None,
    *,
    scale: float = 1.0,
    density: float = 1.0,
) -> Encoder:
    """The methods that choose nothing."""
    if method == "soup":
        return mix_weights(encoders, partial(weighted_mean, weights=shares))
    if method == "slerp":
        return mix_weights(encoders, partial(slerp_all, weights=shares))
    assert base is not None
    if method == "task-arithmetic":
        return mix_weights([base, *encoders], lambda all_: add_task_vectors(all_[0], all_[1:], shares, scale))
    least = [_least_kept(base, encoder, density) for encoder in encoders]
    return mix_weights([base, *encoders], lambda all_: ties(all_[0], all_[1:], shares, least=least, scale=scale))


def mix_weights(encoders: Sequence[Encoder], mix: Callable[[list[torch.Tensor]], torch.Tensor]) -> Encoder:
    """A new encoder, each of whose weights is ``mix`` of the same weight of all; whole numbers are the first one's.

    Args:
        encoders: Alike but for the values of their weights (:func:`require_alike`).
        mix: Tensors of one shape, in the order of the encoders → a tensor of that shape.

    Raises:
        CosmithError: When a number that comes of it is not finite.
    """
    mixed = encoders[0].copy()
    states = [encoder.module.state_dict() for encoder in encoders]
    with torch.no_grad():
        for name, value in mixed.module.state_dict().items():  # these share their memory with the module
            if value.is_floating_point():
                value.copy_(mix([state[name].to(value.device) for state in states]))
                if not_finite(value):
                    raise CosmithError(f"the merged weights overflow in {name}", field="weights",
                                       remedy="Give smaller weights, or a smaller scale.")  # fmt: skip
    return mixed


def _least_kept(base: Encoder, encoder: Encoder, density: float) -> float:
    """:func:`least_kept` of all that a model has changed; weights that are tied count once."""
    ours, theirs = encoder.module.state_dict(), base.module.state_dict()
    once = {value.data_ptr(): name for name, value in theirs.items() if value.is_floating_point()}
    return least_kept([(theirs[name], ours[name].to(theirs[name].device)) for name in once.values()], density)


def _greedy(
    encoders: Sequence[Encoder], singles: Sequence[Candidate], judge: _Judge
) -> tuple[Encoder, Candidate, list[Candidate]]:
    """Algorithm 1 of arXiv:2203.05482: from the best to the worst, keep what does not make the soup worse."""
    order = sorted(range(len(encoders)), key=lambda place: -singles[place].dev)
    kept, best, tried = order[:1], singles[order[0]], []
    soup = encoders[order[0]].copy()
    for place in order[1:]:
        taken = sorted([*kept, place])
        shares = tuple(1 / len(taken) if number in taken else 0.0 for number in range(len(encoders)))
        candidate = mix_weights([encoders[number] for number in taken], _mean)
        scored = judge(candidate, "soup of " + " and ".join(singles[number].name for number in taken), shares)
        tried.append(scored)
        if scored.dev >= best.dev:
            kept, best, soup = taken, scored, candidate
    return soup, best, tried


def _between(
    encoders: Sequence[Encoder],
    shares: tuple[float, ...],
    base: Encoder,
    start: Candidate,
    grid: Sequence[float],
    judge: _Judge,
) -> tuple[Encoder, Candidate, list[Candidate]]:
    """The best point between the base and the mean of the models; among equal scores the one nearest to the base."""
    whole = encoders[0] if len(encoders) == 1 else mix_weights(encoders, partial(weighted_mean, weights=shares))
    best, chosen, tried = base.copy(), start, []
    for alpha in sorted({share for share in grid if share > 0}):
        candidate = interpolate(base, whole, alpha)
        name = f"{1 - alpha:.2g} base + {alpha:.2g} {'tuned' if len(encoders) == 1 else 'soup'}"
        scored = judge(candidate, name, (*(alpha * share for share in shares), 1 - alpha))
        tried.append(scored)
        if scored.dev > chosen.dev:
            best, chosen = candidate, scored
    return best, chosen, tried


def _mean(tensors: list[torch.Tensor]) -> torch.Tensor:
    return weighted_mean(tensors, [1 / len(tensors)] * len(tensors))


def _only(place: int, count: int) -> tuple[float, ...]:
    return tuple(float(number == place) for number in range(count))


def _names(encoders: Sequence[Encoder]) -> list[str]:
    """What to call each: its name, with its number where two have the same."""
    names = [encoder.name for encoder in encoders]
    return [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, start=1)]


def _shares(weights: Sequence[float] | None, count: int, *, normalised: bool) -> tuple[float, ...]:
    given = [1.0] * count if weights is None else [float(weight) for weight in weights]
    return tuple(weight / sum(given) for weight in given) if normalised else tuple(given)


def _check(
    encoders: Sequence[Encoder],
    method: MergeMethod,
    base: Encoder | None,
    weights: Sequence[float] | None,
    dev: Score | None,
    said: Sequence[str],
) -> None:
    if method not in get_args(MergeMethod):
        raise InputError(f"there is no method {method!r}", field="method",
                         remedy=nearest(str(method), get_args(MergeMethod)))  # fmt: skip
    least = 1 if method in NEED_BASE else 2
    if len(encoders) < least:
        raise InputError(f"{method} needs {counted(least, 'model')} or more, not {len(encoders)}", field="encoders",
                         remedy="Name more.")  # fmt: skip
    if method in NEED_BASE and base is None:
        raise InputError(f"{method} needs the model that the others were trained from", field="base",
                         remedy="Name it.")  # fmt: skip
    if method in NEED_DEV and dev is None:
        raise InputError(f"{method} chooses by a development set", field="dev", remedy="Give one.")
    require_read(method, said, scored=dev is not None)
    if weights is not None:
        if len(weights) != len(encoders):
            raise InputError(f"{len(weights)} weights for {len(encoders)} models", field="weights",
                             remedy="Give one for each.")  # fmt: skip
        if not all(math.isfinite(weight) and weight > 0 for weight in weights):
            raise InputError(f"a weight of {list(weights)} is not above 0", field="weights",
                             remedy="Leave out the model that shall not count.")  # fmt: skip
        if not math.isfinite(sum(weights)):
            raise InputError(f"the sum of {list(weights)} is not finite", field="weights",
                             remedy="Give smaller ones.")  # fmt: skip


def _check_numbers(*, density: float = 1.0, scale: float = 1.0, grid: Sequence[float] = ()) -> None:
    if not 0 < density <= 1:
        raise InputError(f"must be above 0 and at most 1, not {density}", field="density")
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"must be above 0, not {scale}", field="scale")
    if any(not 0 <= share <= 1 for share in grid):
        raise InputError(f"{list(grid)} goes beyond 0 to 1", field="grid", remedy="Name shares of the merged model.")
