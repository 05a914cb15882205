"""Ways to make one tensor of several of the same shape; each works on one tensor of a model at a time."""

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
    base: torch.Tensor, tensors: Sequence[torch.Tensor], weights: Sequence[float], *, density: float, scale: float
) -> torch.Tensor:
    """TIES (Yadav et al., arXiv:2306.01708, algorithm 1): trim, elect a sign, take the mean of those that agree.

    Args:
        base: The tensor of the model that the others were trained from.
        tensors: At least one, of its shape.
        weights: One each, of the votes and in the mean; 1 each is the paper's.
        density: The share of each tensor's changes, the largest ones, that are kept; in (0, 1].
        scale: The paper's λ.
    """
    start = base.double()
    trimmed = [_largest(change, density) for change in _changes(start, tensors)]
    elected = sum_of(trimmed, weights).sign()
    agreeing = [torch.where(change.sign() == elected, change, 0.0) for change in trimmed]
    votes = sum_of([(change != 0).double() for change in agreeing], weights)
    mean = sum_of(agreeing, weights) / votes.clamp_min(torch.finfo(torch.float64).tiny)
    return (start + scale * mean).to(base.dtype)


def sum_of(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The weighted sum."""
    total = torch.zeros_like(tensors[0])
    for tensor, weight in zip(tensors, weights, strict=True):
        total.add_(tensor, alpha=weight)
    return total


def _changes(start: torch.Tensor, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [tensor.to(start) - start for tensor in tensors]


def _largest(change: torch.Tensor, density: float) -> torch.Tensor:
    """The change with all but its largest numbers set to zero."""
    kept = math.ceil(density * change.numel())
    if kept == change.numel():
        return change
    least = change.abs().flatten().kthvalue(change.numel() - kept + 1).values
    return torch.where(change.abs() >= least, change, 0.0)
