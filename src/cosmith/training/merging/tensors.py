"""Ways to make one tensor of several of the same shape; each works on one tensor of a model at a time.

Only what TIES trims is a matter of all tensors together (:func:`least_kept`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

_PARALLEL = 1e-6  # radians; nearer to 0 or to a half turn than this, an arc has no direction


def weighted_mean(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The sum of ``weights[i] * tensors[i]`` (model soups: Wortsman et al., arXiv:2203.05482, section 2).

    Args:
        tensors: At least one, all of one shape.
        weights: One each; they are taken as they are.
    """
    total = torch.zeros_like(tensors[0], dtype=torch.float64)
    for tensor, weight in zip(tensors, weights, strict=True):
        total.add_(tensor.to(total), alpha=weight)
    return total.to(tensors[0].dtype)


def slerp(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    r"""Spherical linear interpolation (Shoemake, SIGGRAPH 1985), the two taken as long vectors.

    .. math:: \frac{\sin((1-t)\omega)}{\sin\omega} a + \frac{\sin(t\omega)}{\sin\omega} b,
              \qquad \omega = \arccos\frac{a \cdot b}{|a||b|}

    Where the arc has no direction (one of the two is zero, or they are parallel or opposed) it is the straight line.

    Args:
        first: One end.
        second: The other, of the same shape.
        share: t, the second's share, in [0, 1].
    """
    a, b = first.flatten().double(), second.flatten().double()
    lengths = float(a.norm() * b.norm())
    angle = math.acos(max(-1.0, min(1.0, float(a @ b) / lengths))) if lengths else 0.0
    if min(angle, math.pi - angle) < _PARALLEL:
        left, right = 1 - share, share
    else:
        left, right = (math.sin(part * angle) / math.sin(angle) for part in (1 - share, share))
    return (left * a + right * b).view_as(first).to(first.dtype)


def slerp_all(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """Spherical interpolation of several, one after another: each joins with its share of the weight so far.

    Of two it is :func:`slerp`; of more it depends on the order a little, since arcs on a sphere do not commute.

    Args:
        tensors: At least one, all of one shape.
        weights: One each, not negative; the first is greater than 0.
    """
    merged, so_far = tensors[0], weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        so_far += weight
        merged = slerp(merged, tensor, weight / so_far)
    return merged


def add_task_vectors(
    base: torch.Tensor, tensors: Sequence[torch.Tensor], weights: Sequence[float], scale: float
) -> torch.Tensor:
    """``base + scale * sum(weights[i] * (tensors[i] - base))`` (task arithmetic: Ilharco et al., arXiv:2212.04089).

    Args:
        base: The tensor of the model that the others were trained from.
        tensors: At least one, of its shape.
        weights: One each; 1 each is the paper's sum.
        scale: The paper's λ.
    """
    start = base.double()
    return (start + scale * sum_of(_changes(start, tensors), weights)).to(base.dtype)


def ties(
    base: torch.Tensor,
    tensors: Sequence[torch.Tensor],
    weights: Sequence[float],
    *,
    least: Sequence[float],
    scale: float,
) -> torch.Tensor:
    """TIES (Yadav et al., arXiv:2306.01708, algorithm 1): trim, elect a sign, take the mean of those that agree.

    Args:
        base: The tensor of the model that the others were trained from.
        tensors: At least one, of its shape.
        weights: One each, of the votes and in the mean; 1 each is the paper's.
        least: For each, the smallest change that is kept: :func:`least_kept` of its whole task vector.
        scale: The paper's λ.
    """
    start = base.double()
    trimmed = [
        torch.where(change.abs() >= smallest, change, 0.0)
        for change, smallest in zip(_changes(start, tensors), least, strict=True)
    ]
    elected = sum_of(trimmed, weights).sign()
    agreeing = [torch.where(change.sign() == elected, change, 0.0) for change in trimmed]
    votes = sum_of([(change != 0).double() for change in agreeing], weights)
    mean = sum_of(agreeing, weights) / votes.clamp_min(torch.finfo(torch.float64).tiny)
    return (start + scale * mean).to(base.dtype)


def least_kept(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], density: float) -> float:
    """The size of the smallest change that TIES keeps of a task vector: the largest ``density`` of it stay.

    The task vector is that of the whole model, as in the paper and its authors' code, so a tensor that training has
    moved little may lose all of its changes; mergekit and peft trim each tensor by itself instead. Changes as large as
    the smallest one that is kept are all kept.

    The number is found exactly, 16 bits at a time (radix selection: numbers that are not negative are ordered as their
    bits are), so that no more than one tensor's changes are held at once.

    Args:
        pairs: The tensors of the base and of the model, each once.
        density: The share that is kept; in (0, 1].
    """
    if density == 1:
        return 0.0
    kept = math.ceil(density * sum(base.numel() for base, _ in pairs))
    rank, found = kept, 0  # what is looked for is the rank-th largest of those whose leading bits are `found`
    for shift in (48, 32, 16, 0):
        counts = torch.zeros(1 << 16, dtype=torch.int64)
        for base, tensor in pairs:
            bits = _changes(base.double(), [tensor])[0].abs().flatten().view(torch.int64) >> shift
            bits = bits[bits >> 16 == found] & 0xFFFF
            counts += torch.bincount(bits, minlength=1 << 16).cpu()
        at_least = counts.flip(0).cumsum(0).flip(0)
        digit = int((at_least >= rank).sum()) - 1
        rank -= int(at_least[digit] - counts[digit])
        found = found << 16 | digit
    return float(torch.tensor(found).view(torch.float64))


def sum_of(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The weighted sum."""
    total = torch.zeros_like(tensors[0])
    for tensor, weight in zip(tensors, weights, strict=True):
        total.add_(tensor, alpha=weight)
    return total


def _changes(start: torch.Tensor, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [tensor.to(start) - start for tensor in tensors]
