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
from cosmith.losses.candidates import Candidates, Denominator, Plan, plan
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
        InputError: When the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        raise InputError(
            f"embeddings have shape {list(embeddings.shape)} and type {embeddings.dtype}",
            field="embeddings",
            remedy="Give floating-point numbers of shape [texts, dimensions].",
        )
    if len(embeddings) != structure.embeddings:
        raise InputError(
            f"there are {len(embeddings)} embeddings for a structure of {structure.embeddings}", field="embeddings"
        )
    if tile_elements < 1:
        raise InputError(f"tile_elements is {tile_elements}", field="tile_elements", remedy="Give 1 or more.")
    first, last, step = (rows or slice(None)).indices(structure.rows)
    if step != 1:
        raise InputError(f"rows {rows} are no contiguous share", field="rows", remedy="Give a slice without a step.")
    with_gradient = torch.is_grad_enabled() and embeddings.requires_grad
    planned = plan(structure.to(embeddings.device), spec, first, last)
    loss = _Contrastive.apply(embeddings, planned, spec, tile_elements, with_gradient)  # type: ignore[no-untyped-call]
    return cast(Tensor, loss)


class _Contrastive(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, embeddings: Tensor, planned: Plan, spec: ContrastiveSpec, tile_elements: int, with_gradient: bool
    ) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            values = embeddings.detach().to(torch.promote_types(embeddings.dtype, torch.float32))
            loss, gradient = _loss_and_gradient(values, planned, spec, tile_elements, with_gradient)
        ctx.dtype = embeddings.dtype
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * outer).to(ctx.dtype), None, None, None, None


@dataclasses.dataclass(frozen=True)
class _Block:
    """Candidates with their vectors [C, D], and the gradient [C, D] that they gather."""

    candidates: Candidates
    vectors: Tensor
    gradient: Tensor | None


def _loss_and_gradient(
    values: Tensor, planned: Plan, spec: ContrastiveSpec, tile_elements: int, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    loss = values.new_zeros(())
    gradient = torch.zeros_like(values) if with_gradient else None
    weight = (planned.weight / len(planned.denominators)).to(values.dtype)
    for denominator in planned.denominators:
        blocks = []
        for candidates in denominator.blocks:
            vectors = values[candidates.columns]
            blocks.append(_Block(candidates, vectors, torch.zeros_like(vectors) if with_gradient else None))
        for tile in _tiles(planned, denominator, values.shape[1], tile_elements):
            loss += _tile(values, planned, denominator, blocks, spec, weight[tile], tile, gradient)
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
    query, positive = values[planned.query[tile]], values[planned.positive[tile]]
    score = (query * positive).sum(1)
    limit = score_limit(score, spec)
    target = score * scale

    # The logits of all candidates, -inf where one is left out.
    logits = []
    for block in blocks:
        anchor = query if block.candidates.by_query else positive
        logit = torch.mm(anchor * scale, block.vectors.T)
        logits.append(block.candidates.mask(logit, tile, None if limit is None else limit * scale))
    highest = target
    for logit in logits:
        highest = torch.maximum(highest, logit.amax(1))
    if denominator.own is not None:
        place, negative = denominator.own.entries(tile)
        own_score = (query[place] * values[negative]).sum(1)
        if limit is not None and denominator.own.limited:
            within = ~(own_score > limit[place])  # not <=: NaN is to be seen
            place, negative, own_score = place[within], negative[within], own_score[within]
        own = own_score * (scale + spec.hardness)
        highest = highest.scatter_reduce(0, place, own, "amax")

    # Their exponentials, in place, and the denominators without the pair's own part.
    others = torch.zeros_like(target)
    for logit in logits:
        others += logit.sub_(highest[:, None]).exp_().sum(1)
    if denominator.own is not None:
        own = own.sub_(highest[place]).exp_()
        others.index_add_(0, place, own)
    mine = (target - highest).exp_().mul_(spec.positive_terms)
    # log(mine + others), exact also where others is tiny beside a `mine` of 1.
    losses = (highest - target) + torch.log1p(others + (mine - 1.0))
    if gradient is None:
        return torch.dot(weight, losses)

    # d loss / d score of a candidate is its exponential times this, that of the pair minus the sum of the others'.
    factor = weight * scale / (mine + others)
    pull = (-others * factor)[:, None]
    query_gradient, positive_gradient = pull * positive, pull * query
    for block, weights in zip(blocks, logits, strict=True):
        by_query = block.candidates.by_query
        anchor, anchor_gradient = (query, query_gradient) if by_query else (positive, positive_gradient)
        anchor_gradient += torch.mm(weights, block.vectors).mul_(factor[:, None])
        cast(Tensor, block.gradient).addmm_(weights.T, anchor * factor[:, None])
    if denominator.own is not None:
        push = own.mul_(factor[place])[:, None]
        query_gradient.index_add_(0, place, push * values[negative])
        gradient.index_add_(0, negative, push * query[place])
    gradient.index_add_(0, planned.query[tile], query_gradient)
    gradient.index_add_(0, planned.positive[tile], positive_gradient)
    return torch.dot(weight, losses)


def score_limit(score: Tensor, spec: ContrastiveSpec) -> Tensor | None:
    """The score above which a candidate passes for a false negative; None without a score mask."""
    limit = None
    if spec.margin is not None:
        limit = score + spec.margin
    if spec.ratio is not None:
        relative = score - score.abs() * (1.0 - spec.ratio)
        limit = relative if limit is None else torch.minimum(limit, relative)
    return limit
