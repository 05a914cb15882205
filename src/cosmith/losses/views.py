"""One loss on several views of the same embeddings, weighted and summed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cosmith.errors import InputError

Loss = Callable[[Tensor], Tensor]


def shares_of(weights: Sequence[float] | None, count: int, of: str) -> tuple[float, ...]:
    """Checked weights of ``count`` things; None: 1 each.

    Raises:
        InputError: When they are not as many, not finite, negative, or all 0.
    """
    shares = (1.0,) * count if weights is None else tuple(float(weight) for weight in weights)
    if len(shares) != count:
        raise InputError(f"there are {len(shares)} weights for {count} {of}", field="weights")
    if not all(math.isfinite(share) and share >= 0 for share in shares) or not any(shares):
        raise InputError(
            f"the weights are {list(shares)}", field="weights", remedy="Give finite ones from 0 up, not all of them 0."
        )
    return shares


def summed(loss: Loss, views: Sequence[Loss], shares: Sequence[float], embeddings: Tensor) -> Tensor:
    """The sum of share × loss(view(embeddings)); what has no share is not computed."""
    total = embeddings.new_zeros((), dtype=torch.promote_types(embeddings.dtype, torch.float32))
    for view, share in zip(views, shares, strict=True):
        if share:
            total = total + share * loss(view(embeddings))
    return total
