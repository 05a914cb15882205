"""Losses of single pairs: alike or not, or alike to a degree."""

from __future__ import annotations

import torch
from torch import Tensor

from cosmith.losses.arguments import arguments, pairs_of
from cosmith.losses.pair_specs import AngleSpec, CosentSpec, CosineMseSpec, MarginSpec, OnlineMarginSpec
from cosmith.losses.structure import StepStructure


def margin_contrastive(
    embeddings: Tensor, structure: StepStructure, spec: MarginSpec, *, rows: slice | None = None
) -> Tensor:
    r"""Positives are to be together, negatives a margin apart (Hadsell, Chopra & LeCun 2006, Eq. 4).

    With the distance :math:`d = 1 - \cos`, the mean over all pairs of a query with a positive and with a negative of
    its row of :math:`\tfrac12 d^2` and of :math:`\tfrac12 \max(0, m - d)^2`.

    Args:
        embeddings: [U, D] unit rows.
        structure: The step.
        spec: The margin m.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    pairs = pairs_of(structure)
    total = max(len(pairs.row), 1)
    pairs = pairs.where(share.holds(pairs.row))
    distance = 1.0 - pairs.cosines(values)
    error = torch.where(pairs.positive, distance, torch.relu(spec.margin - distance))
    return 0.5 * error.square().sum() / total


def online_contrastive(
    embeddings: Tensor, structure: StepStructure, spec: OnlineMarginSpec, *, rows: slice | None = None
) -> Tensor:
    r"""The margin contrastive loss of the hard pairs of a step only (sentence-transformers' OnlineContrastiveLoss).

    Hard are the positive pairs that are farther apart than the nearest negative pair of the step, and the negative
    pairs that are nearer than the farthest positive pair (where one kind is missing: than the mean of the other). The
    sum over them of :math:`d^2` and :math:`\max(0, m - d)^2`, with :math:`d = 1 - \cos`. It is a sum, as there, not a
    mean: easy steps are to count less.

    Args, Returns, Raises: As :func:`margin_contrastive`.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    pairs = pairs_of(structure)
    distance = 1.0 - pairs.cosines(values)
    positive, negative = distance[pairs.positive], distance[~pairs.positive]
    loss = distance.sum() * 0.0
    if len(positive):
        bound = negative.min() if len(negative) else positive.mean()
        loss = loss + positive[~(positive <= bound)].square().sum()
    if len(negative):
        bound = positive.max() if len(positive) else negative.mean()
        loss = loss + torch.relu(spec.margin - negative[~(negative >= bound)]).square().sum()
    return share.fraction * loss


def cosine_mse(
    embeddings: Tensor, structure: StepStructure, spec: CosineMseSpec, *, rows: slice | None = None
) -> Tensor:
    r"""The cosine is to be the graded similarity (Reimers & Gurevych, arXiv:1908.10084, Section 3).

    The mean over all scored pairs of a row, over all rows, of :math:`(\cos(q,d) - y)^2`; y is best in [0, 1].

    Args:
        embeddings: [U, D] unit rows.
        structure: The step, with scores.
        spec: Has no parameters.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the step has no scores, the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    pairs = pairs_of(structure, scored=True)
    total = max(len(pairs.row), 1)
    pairs = pairs.where(share.holds(pairs.row))
    return (pairs.cosines(values) - pairs.score).square().sum() / total


def cosent(embeddings: Tensor, structure: StepStructure, spec: CosentSpec, *, rows: slice | None = None) -> Tensor:
    r"""Pairs with a higher graded similarity are to have a higher cosine (CoSENT, doi:10.1109/TASLP.2024.3402087).

    Over all two scored pairs i, j of the step with grades :math:`y_i < y_j`:

    .. math:: \log\Bigl(1 + \sum_{y_i < y_j} e^{(\cos_i - \cos_j)/\tau}\Bigr)

    Only the order of the grades matters. It is computed from sorted prefixes: N pairs cost N log N, not N².

    Args:
        embeddings: [U, D] unit rows.
        structure: The step, with scores.
        spec: The temperature τ.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the step has no scores, the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    pairs = pairs_of(structure, scored=True)
    return share.fraction * _order_loss(pairs.cosines(values) / spec.temperature, pairs.score)


def angle(embeddings: Tensor, structure: StepStructure, spec: AngleSpec, *, rows: slice | None = None) -> Tensor:
    r"""As :func:`cosent`, of a similarity that does not saturate where cosines do (AnglE, arXiv:2309.12871).

    The halves of a vector are the real and the imaginary part of D/2 complex numbers (an odd D gets a zero). For unit
    vectors z and w, the paper's normalised quotient sums up to :math:`|\sum \mathrm{Re}(z\bar w) + \mathrm{Im}(z\bar
    w)|`, as in its code and in sentence-transformers'. The paper adds it to :func:`cosent` and to an in-batch loss.

    Args, Returns, Raises: As :func:`cosent`.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    pairs = pairs_of(structure, scored=True)
    first, second = values[pairs.query], values[pairs.document]
    if values.shape[1] % 2:
        first, second = (torch.nn.functional.pad(side, (0, 1)) for side in (first, second))
    (real, imaginary), (other_real, other_imaginary) = first.chunk(2, dim=1), second.chunk(2, dim=1)
    turned = (imaginary * other_real - real * other_imaginary).sum(1)
    similarity = (pairs.cosines(values) + turned).abs()
    return share.fraction * _order_loss(similarity / spec.temperature, pairs.score)


def _order_loss(logit: Tensor, grade: Tensor) -> Tensor:
    """log(1 + the sum of e^(logit of i - logit of j) over all i of lower grade than j), from [N] and [N]."""
    grade, order = grade.sort(stable=True)
    logit = logit[order]
    lower = torch.searchsorted(grade, grade)  # how many have a lower grade: a prefix of the sorted ones
    has_lower = lower > 0
    sums = torch.logcumsumexp(logit, 0)[lower[has_lower] - 1] - logit[has_lower]
    loss = torch.logsumexp(torch.cat([sums, logit.new_zeros(1)]), 0)
    return loss + 0.0 * logit.sum()  # NaN is to be seen, also in a pair that no other is compared with
