"""How logits are normalised: those of a tile into losses and the weights of their gradient, those of rows.

The functions of tiles put into ``logits`` and ``own``, in place, weights such that the derivative of a pair's loss by
one of its candidates' logits is that weight times the pair's ``share``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PairLosses:
    """What became of the n pairs of a tile.

    Attributes:
        losses: [n].
        pull: [n] derivative by the pair's own logit, never positive.
        share: [n] factor of the candidates' weights.
    """

    losses: Tensor
    pull: Tensor
    share: Tensor


def softmax_losses(
    target: Tensor, logits: list[Tensor], own: Tensor | None, place: Tensor | None, positive_terms: int
) -> PairLosses:
    """The negative log-likelihood of each pair among its candidates.

    Args:
        target: [n] the pair's own logit.
        logits: Matrices [n, C] of candidates' logits, -inf where there is none.
        own: [m] logits of the rows' own negatives; None: there are none.
        place: [m] the pair of each.
        positive_terms: How often the pair's own term stands in its denominator.
    """
    highest = target
    for logit in logits:
        highest = torch.maximum(highest, logit.amax(1))
    if own is not None and place is not None:
        highest = highest.scatter_reduce(0, place, own, "amax")
    # The exponentials, in place, and the denominators without the pair's own part.
    others = torch.zeros_like(target)
    for logit in logits:
        others += logit.sub_(highest[:, None]).exp_().sum(1)
    if own is not None and place is not None:
        own.sub_(highest[place]).exp_()
        others.index_add_(0, place, own)
    mine = (target - highest).exp_().mul_(positive_terms)
    # log(mine + others), exact also where others is tiny beside a `mine` of 1.
    losses = (highest - target) + torch.log1p(others + (mine - 1.0))
    share = (mine + others).reciprocal_()
    return PairLosses(losses, -others * share, share)


def sigmoid_losses(
    target: Tensor, logits: list[Tensor], own: Tensor | None, place: Tensor | None, bias: float
) -> PairLosses:
    """The sum of a logistic loss for the pair and for each candidate; arguments as in :func:`softmax_losses`."""
    target = target + bias
    losses = torch.nn.functional.softplus(-target)
    for logit in logits:
        losses += torch.nn.functional.softplus(logit.add_(bias)).sum(1)
        logit.sigmoid_()
    if own is not None and place is not None:
        losses.index_add_(0, place, torch.nn.functional.softplus(own.add_(bias)))
        own.sigmoid_()
    return PairLosses(losses, -torch.sigmoid(-target), torch.ones_like(target))


def focused(pairs: PairLosses, exponent: float) -> PairLosses:
    """Losses L as (1 - p)^γ L with p = e^-L (arXiv:1708.02002, Eq. 4), with their derivatives."""
    missed = -torch.expm1(-pairs.losses)
    weight = missed**exponent
    # d/dL = (1 - p)^γ (1 + γ p L / (1 - p)); the last fraction is 1 where L is 0.
    ratio = torch.where(missed > 0, pairs.losses / missed, 1.0)
    slope = weight * (1.0 + exponent * torch.exp(-pairs.losses) * ratio)
    return PairLosses(weight * pairs.losses, pairs.pull * slope, pairs.share * slope)


def log_softmax_of_rows(logit: Tensor, row: Tensor, rows: int) -> Tensor:
    """The log-soft-max [N] of logits [N], each among those of its row [N], of which there are ``rows``."""
    highest = logit.detach().new_full((rows,), -torch.inf).scatter_reduce(0, row, logit.detach(), "amax")
    logit = logit - highest[row]
    return logit - logit.new_zeros(rows).index_add(0, row, logit.exp()).log()[row]
