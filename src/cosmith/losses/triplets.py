"""Triplet losses (Hermans, Beyer & Leibe, "In Defense of the Triplet Loss", arXiv:1703.07737)."""

from __future__ import annotations

import torch
from torch import Tensor

from cosmith.losses.arguments import Share, arguments, pairs_of, positives_and_negatives
from cosmith.losses.candidates import numbered
from cosmith.losses.pair_specs import TripletSpec
from cosmith.losses.structure import StepStructure


def triplet(embeddings: Tensor, structure: StepStructure, spec: TripletSpec, *, rows: slice | None = None) -> Tensor:
    r"""A negative is to be farther from the anchor than a positive, by a margin.

    With a distance d, margin m and :math:`[x]_+ = \max(x, 0)` (softplus where m is None):

    * ``own``: the mean over all (positive p, negative n) of a row, over all rows, of
      :math:`[d(q,p) - d(q,n) + m]_+`;
    * ``hard`` (batch hard): the mean over anchors a of
      :math:`[\max_p d(a,p) - \min_n d(a,n) + m]_+`;
    * ``all`` (batch all): the mean of :math:`[d(a,p) - d(a,n) + m]_+` over the triplets where it is not 0.

    By label, the points of a step are the queries and positives of the rows that have one; p has a's label and n
    another one. An anchor without a positive or without a negative is none. ``all`` sorts each anchor's negatives, so
    that its N³ triplets cost N² memory.

    Args:
        embeddings: [U, D] unit rows.
        structure: The step; by label it needs labels, else negatives. Without a triplet the loss is 0.
        spec: Which triplets, margin and distance.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    if spec.triplets == "own":
        return _of_rows(values, structure, spec, share)
    vector, label = _points(structure)
    with torch.autocast(values.device.type, enabled=False):
        points = values[vector]
        cosine = points @ points.T
    distance = 1.0 - cosine if spec.distance == "cosine" else _root(2.0 - 2.0 * cosine)
    same = label[:, None] == label[None]
    positive = same & (vector[:, None] != vector[None])
    negative = ~same & (vector[:, None] != vector[None])
    of_all = _all if spec.triplets == "all" else _hard
    return share.fraction * of_all(distance, positive, negative, spec.margin)


def _of_rows(values: Tensor, structure: StepStructure, spec: TripletSpec, share: Share) -> Tensor:
    pairs = pairs_of(structure)
    positive, negative = positives_and_negatives(pairs.row, pairs.positive, structure.rows)
    total = max(len(negative), 1)
    mine = share.holds(pairs.row[negative])
    positive, negative = positive[mine], negative[mine]
    query = values[pairs.query[negative]]
    near = _distances(query, values[pairs.document[positive]], spec)
    far = _distances(query, values[pairs.document[negative]], spec)
    return _hinge(near - far, spec.margin).sum() / total


def _points(structure: StepStructure) -> tuple[Tensor, Tensor]:
    """The embeddings that have a label, and their labels (from 0): each pair of the two once."""
    if structure.label is None:
        nothing = structure.query[:0]
        return nothing, nothing
    label = numbered(structure.label)
    label = torch.cat([label, label[structure.positive_row]])
    vector = torch.cat([structure.query, structure.positives])
    codes = torch.unique((label * structure.embeddings + vector)[label >= 0])
    return codes % structure.embeddings, codes // structure.embeddings


def _distances(first: Tensor, second: Tensor, spec: TripletSpec) -> Tensor:
    """[n] the distance of each of n vectors from the one beside it."""
    if spec.distance == "cosine":
        return 1.0 - (first * second).sum(1)
    return _root((first - second).square().sum(1))


def _root(squared: Tensor) -> Tensor:
    """The square root, 0 where rounding went below; at 0 it has no gradient, and there, and only there, gets none."""
    apart = ~(squared <= 0)  # not >: NaN is to be seen
    return torch.where(apart, squared.where(apart, 1.0).sqrt(), 0.0)


def _hinge(difference: Tensor, margin: float | None) -> Tensor:
    return torch.nn.functional.softplus(difference) if margin is None else torch.relu(difference + margin)


def _hard(distance: Tensor, positive: Tensor, negative: Tensor, margin: float | None) -> Tensor:
    anchor = positive.any(1) & negative.any(1)
    if not bool(anchor.any()):
        return distance.sum() * 0.0
    farthest = distance.masked_fill(~positive, -torch.inf)[anchor].amax(1)
    nearest = distance.masked_fill(~negative, torch.inf)[anchor].amin(1)
    return _hinge(farthest - nearest, margin).mean()


def _all(distance: Tensor, positive: Tensor, negative: Tensor, margin: float | None) -> Tensor:
    if not len(distance):
        return distance.sum()
    # For a pair with d(a,p) + m = t, the sum over negatives of [t - d(a,n)]+ is t times the number of those nearer
    # than t, less the sum of their distances: a prefix of the sorted negatives.
    ordered = distance.masked_fill(~negative, torch.inf).sort(1).values
    prefix = torch.nn.functional.pad(ordered.masked_fill(ordered.isinf(), 0.0).cumsum(1), (1, 0))
    limit = distance + (margin or 0.0)
    nearer = torch.searchsorted(ordered.detach(), limit.detach().contiguous())
    excess = nearer * limit - prefix.gather(1, nearer)
    return excess[positive].sum() / nearer[positive].sum().clamp(min=1)
