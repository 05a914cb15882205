"""The contrastive loss of a step: unit embeddings [U, D] × :class:`StepStructure` × :class:`ContrastiveSpec` → scalar.

The score matrix is never held whole. A tile is some pairs × all of their candidates; it sees its whole denominators,
so its log-sum-exp is exact at once and its share of the gradient is added up in the same pass. Backward only scales.
"""

from __future__ import annotations

import bisect
import dataclasses
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cosmith.errors import InputError
from cosmith.losses.arguments import check_embeddings, share_of, teacher_of
from cosmith.losses.candidates import Candidates, Denominator, Plan, plan
from cosmith.losses.normalisation import focused, sigmoid_losses, softmax_losses
from cosmith.losses.spec import ContrastiveSpec
from cosmith.losses.structure import StepStructure


def contrastive(
    embeddings: Tensor,
    structure: StepStructure,
    spec: ContrastiveSpec,
    *,
    rows: slice | None = None,
    tile_elements: int = 4_194_304,
) -> Tensor:
    """The contrastive loss of a step.

    The loss of a row is the mean over its positives, that of the step the mean over its rows; the formula of one
    pair is at :class:`ContrastiveSpec`. A pair whose candidates are all masked has loss 0 (with ``positive_terms``
    k: log k). Computed in float32, in float64 for float64 embeddings, also under autocast.

    Args:
        embeddings: [U, D] unit rows, floating point.
        structure: Which row of ``embeddings`` is whose query, positive, negative.
        spec: Which loss; see :func:`cosmith.losses.preset`.
        rows: Only these rows as anchors (a rank's share), against the candidates of the whole step and still divided
            by the whole step's number of rows: the losses and the gradients of disjoint shares add up to the whole.
        tile_elements: How many scores (and elements of gathered vectors) to hold at a time. It changes memory and
            speed, not the result.

    Returns:
        A scalar; differentiable once with respect to ``embeddings``.

    Raises:
        InputError: When the shapes do not fit each other, ``rows`` is no contiguous share, or a guide is wanted and
            the structure has no teacher's vectors.
    """
    check_embeddings(embeddings, structure)
    if tile_elements < 1:
        raise InputError(f"tile_elements is {tile_elements}", field="tile_elements", remedy="Give 1 or more.")
    share = share_of(structure.rows, rows)
    with_gradient = torch.is_grad_enabled() and embeddings.requires_grad
    structure = structure.to(embeddings.device)
    guide = teacher_of(structure) if spec.guided else None
    planned = plan(structure, spec, share.first, share.last)
    loss = _Contrastive.apply(  # type: ignore[no-untyped-call]
        embeddings, guide, planned, spec, tile_elements, with_gradient
    )
    return cast(Tensor, loss)


class _Contrastive(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        embeddings: Tensor,
        guide: Tensor | None,
        planned: Plan,
        spec: ContrastiveSpec,
        tile_elements: int,
        with_gradient: bool,
    ) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            values = embeddings.detach().to(torch.promote_types(embeddings.dtype, torch.float32))
            loss, gradient = _loss_and_gradient(values, guide, planned, spec, tile_elements, with_gradient)
        ctx.dtype = embeddings.dtype
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * outer).to(ctx.dtype), None, None, None, None, None


@dataclasses.dataclass(frozen=True)
class _Block:
    """Candidates with their vectors [C, D], the guide's [C, Dt], and the gradient [C, D] that they gather."""

    candidates: Candidates
    vectors: Tensor
    guide: Tensor | None
    gradient: Tensor | None


def _loss_and_gradient(
    values: Tensor,
    guide: Tensor | None,
    planned: Plan,
    spec: ContrastiveSpec,
    tile_elements: int,
    with_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    loss = values.new_zeros(())
    gradient = torch.zeros_like(values) if with_gradient else None
    weight = (planned.weight / len(planned.denominators)).to(values.dtype)
    for denominator in planned.denominators:
        blocks = []
        for candidates in denominator.blocks:
            vectors = values[candidates.columns]
            judges = None if guide is None else guide[candidates.columns]
            blocks.append(_Block(candidates, vectors, judges, torch.zeros_like(vectors) if with_gradient else None))
        width = max(values.shape[1], 0 if guide is None else guide.shape[1])
        for tile in _tiles(planned, denominator, width, tile_elements):
            loss += _tile(values, guide, planned, denominator, blocks, spec, weight[tile], tile, gradient)
        for block in blocks:
            if gradient is not None and block.gradient is not None:
                gradient.index_add_(0, block.candidates.columns, block.gradient)
    return loss, gradient


def _tiles(planned: Plan, denominator: Denominator, width: int, tile_elements: int) -> list[slice]:
    """Cut the pairs so that a tile's scores and gathered vectors stay under ``tile_elements``; at least one pair."""
    cost = torch.full_like(planned.query, sum(len(block.columns) for block in denominator.blocks) + 2 * width)
    if denominator.own is not None:
        cost += denominator.own.degree() * 2 * width
    until = cost.cumsum(0).tolist()
    tiles: list[slice] = []
    start, done = 0, 0
    while start < len(until):
        end = max(bisect.bisect_right(until, done + tile_elements), start + 1)
        tiles.append(slice(start, end))
        start, done = end, until[end - 1]
    return tiles


def _tile(
    values: Tensor,
    guide: Tensor | None,
    planned: Plan,
    denominator: Denominator,
    blocks: list[_Block],
    spec: ContrastiveSpec,
    weight: Tensor,
    tile: slice,
    gradient: Tensor | None,
) -> Tensor:
    """The weighted loss of a tile of pairs; adds its gradient to ``gradient`` and to those of the blocks."""
    scale = 1.0 / spec.temperature
    harder = 1.0 + spec.hardness * spec.temperature  # s/τ + αs is so many times s/τ
    query, positive = values[planned.query[tile]], values[planned.positive[tile]]
    score = (query * positive).sum(1)
    judge_query, judge_positive = query, positive  # the vectors whose scores are held against the limit
    if guide is not None:
        judge_query, judge_positive = guide[planned.query[tile]], guide[planned.positive[tile]]
    limit = score_limit(score if guide is None else (judge_query * judge_positive).sum(1), spec)

    # The logits of all candidates, -inf where one is left out.
    logits: list[Tensor] = []
    for block in blocks:
        by_query = block.candidates.by_query
        logit = torch.mm((query if by_query else positive) * scale, block.vectors.T)
        if guide is None or block.guide is None:
            block.candidates.mask(logit, tile, None if limit is None else limit * scale, harder=harder)
        else:
            judged = torch.mm(judge_query if by_query else judge_positive, block.guide.T)
            block.candidates.mask(logit, tile, limit, judged, harder=harder)
        logits.append(logit)
    own, place = None, None
    if denominator.own is not None:
        place, negative = denominator.own.entries(tile)
        own = (query[place] * values[negative]).sum(1)
        if limit is not None and denominator.own.limited:
            judged = own if guide is None else (judge_query[place] * guide[negative]).sum(1)
            within = ~(judged > limit[place])  # not <=: NaN is to be seen
            place, negative, own = place[within], negative[within], own[within]
        own *= scale * harder if denominator.own.hardened else scale

    if spec.normalisation == "softmax":
        pairs = softmax_losses(score * scale, logits, own, place, spec.positive_terms)
    else:
        pairs = sigmoid_losses(score * scale, logits, own, place, spec.bias)
    if spec.focal:
        pairs = focused(pairs, spec.focal)
    if gradient is None:
        return torch.dot(weight, pairs.losses)

    factor = weight * scale * pairs.share
    pull = (weight * scale * pairs.pull)[:, None]
    query_gradient, positive_gradient = pull * positive, pull * query
    for block, weights in zip(blocks, logits, strict=True):
        by_query = block.candidates.by_query
        anchor, anchor_gradient = (query, query_gradient) if by_query else (positive, positive_gradient)
        anchor_gradient += torch.mm(weights, block.vectors).mul_(factor[:, None])
        cast(Tensor, block.gradient).addmm_(weights.T, anchor * factor[:, None])
    if own is not None and place is not None:
        push = own.mul_(factor[place])[:, None]
        query_gradient.index_add_(0, place, push * values[negative])
        gradient.index_add_(0, negative, push * query[place])
    gradient.index_add_(0, planned.query[tile], query_gradient)
    gradient.index_add_(0, planned.positive[tile], positive_gradient)
    return torch.dot(weight, pairs.losses)


def score_limit(score: Tensor, spec: ContrastiveSpec) -> Tensor | None:
    """The score above which a candidate passes for a false negative; None without a score mask."""
    limit = None
    if spec.margin is not None:
        limit = score + spec.margin
    if spec.ratio is not None:
        relative = score - score.abs() * (1.0 - spec.ratio)
        limit = relative if limit is None else torch.minimum(limit, relative)
    return limit
