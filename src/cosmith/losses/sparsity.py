"""What keeps learned sparse vectors sparse."""

from __future__ import annotations

import torch
from torch import Tensor


def flops(embeddings: Tensor, *, columns: slice | None = None) -> Tensor:
    r"""The mean number of multiplications that comparing two of these vectors takes, made smooth (Paria et al.,
    arXiv:2004.05665; SPLADE, arXiv:2107.05720).

    :math:`\sum_j \left(\frac{1}{n} \sum_i |w_{ij}|\right)^2` over the dimensions j. It pushes hardest on dimensions
    that many texts share, so that weight spreads over the vocabulary, where an L1 norm would leave a few common words.

    Args:
        embeddings: [n, V].
        columns: Only these dimensions (a rank's share): the values and gradients of disjoint shares add up to the
            whole.

    Returns:
        A scalar; 0 for no texts.
    """
    share = embeddings if columns is None else embeddings[:, columns]
    return share.new_zeros(()) if not len(share) else share.abs().mean(0).square().sum()


def warmed_up(weight: float, step: int, steps: int) -> float:
    """The weight of a regulariser that rises with the square of the step, up to step number ``steps``.

    SPLADE (arXiv:2107.05720) lets vectors first learn what matters, and then become sparse.

    Args:
        weight: In the end.
        step: Counted from 0.
        steps: How long it rises; 0: not at all.
    """
    return weight * min(1.0, step / steps) ** 2 if steps else weight


def active(embeddings: Tensor) -> float:
    """The mean number of dimensions that are not zero."""
    return float(torch.count_nonzero(embeddings) / max(len(embeddings), 1))
