"""The spread-out regulariser, a term to add to any loss."""

from __future__ import annotations

import torch
from torch import Tensor

from cosmith.losses.arguments import arguments
from cosmith.losses.structure import StepStructure


def spread_out(
    embeddings: Tensor,
    structure: StepStructure,
    *,
    mean_weight: float = 1.0,
    second_moment_weight: float = 1.0,
    rows: slice | None = None,
) -> Tensor:
    r"""Embeddings of different texts are to be like random unit vectors (Zhang et al., arXiv:1708.06320).

    Over all two different embeddings of one side of the step, :math:`M_1` the mean of their cosine and :math:`M_2`
    that of its square: :math:`w_1 M_1^2 + w_2 \max(0, M_2 - 1/D)`, averaged over the two sides, the queries and the
    documents. EmbeddingGemma (arXiv:2509.20354) takes the second moment only. The moments come from sums and from the
    D × D second-moment matrix; no matrix of texts × texts is made.

    Args:
        embeddings: [U, D] unit rows.
        structure: The step.
        mean_weight: :math:`w_1`.
        second_moment_weight: :math:`w_2`.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    sides = (structure.query, torch.cat([structure.positives, structure.negatives]))
    total = values.sum() * 0.0
    for side in sides:
        mean, second = _moments(values[torch.unique(side)])
        total = total + mean_weight * mean.square()
        total = total + second_moment_weight * torch.relu(second - 1.0 / values.shape[1])
    return share.fraction * total / len(sides)


def _moments(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over all two different vectors [n, D] of their product and of its square."""
    count = len(vectors)
    pairs = max(count * (count - 1), 1)
    norms = vectors.square().sum(1)
    with torch.autocast(vectors.device.type, enabled=False):
        matrix = vectors.T @ vectors
    first = vectors.sum(0).square().sum() - norms.sum()
    second = matrix.square().sum() - norms.square().sum()
    return first / pairs, second / pairs
