"""What every loss asks of its arguments, and a step's rows as scored pairs of texts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses.structure import StepStructure


def check_embeddings(embeddings: Tensor, structure: StepStructure) -> None:
    """Refuse embeddings that are not [U, D] numbers for the structure."""
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


@dataclass(frozen=True)
class Share:
    """Rows ``first`` to ``last`` (exclusive) of ``rows``: a rank's part of the step."""

    first: int
    last: int
    rows: int

    @property
    def fraction(self) -> float:
        """Which part of the whole.

        A loss that does not fall apart into rows, since it compares pairs of the whole step or divides by a number
        that all rows decide, is shared out as this part of its value and gradient.
        """
        return (self.last - self.first) / self.rows

    def holds(self, row: Tensor) -> Tensor:
        """Which of these row numbers are in it."""
        return (row >= self.first) & (row < self.last)


def share_of(count: int, rows: slice | None) -> Share:
    """Those of ``count`` rows that a slice names; None: all."""
    first, last, step = (rows or slice(None)).indices(count)
    if step != 1:
        raise InputError(f"rows {rows} are no contiguous share", field="rows", remedy="Give a slice without a step.")
    return Share(first, max(first, last), count)


def arguments(embeddings: Tensor, structure: StepStructure, rows: slice | None) -> tuple[Tensor, StepStructure, Share]:
    """The embeddings in float32 (float64 stays), the structure on their device, and the share of the rows."""
    check_embeddings(embeddings, structure)
    values = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    return values, structure.to(values.device), share_of(structure.rows, rows)


def teacher_of(structure: StepStructure) -> Tensor:
    """The teacher's vectors [U, Dt]."""
    if structure.teacher is None:
        raise InputError(
            "the step has no vectors of another model",
            field="teacher",
            remedy="Give StepStructure.of the teacher's embeddings of the texts.",
        )
    return structure.teacher


@dataclass(frozen=True)
class Pairs:
    """Each row's query with each of its positives, then each with each of its negatives: N pairs.

    Attributes:
        row: [N].
        query: [N] embedding.
        document: [N] embedding.
        positive: [N] whether the document is a positive.
        score: [N] the teacher's score or the graded similarity; empty where the rows have none.
    """

    row: Tensor
    query: Tensor
    document: Tensor
    positive: Tensor
    score: Tensor

    def where(self, kept: Tensor) -> Pairs:
        """The pairs that a boolean vector marks."""
        score = self.score[kept] if len(self.score) else self.score
        return Pairs(self.row[kept], self.query[kept], self.document[kept], self.positive[kept], score)

    def cosines(self, values: Tensor) -> Tensor:
        """[N] the scores of the embeddings."""
        return (values[self.query] * values[self.document]).sum(1)


def pairs_of(structure: StepStructure, *, scored: bool = False) -> Pairs:
    """All pairs of a step.

    Raises:
        InputError: When they must be ``scored`` and the step has no scores.
    """
    row = torch.cat([structure.positive_row, structure.negative_row])
    is_positive = torch.arange(len(row), device=row.device) < len(structure.positives)
    score = torch.zeros(0, device=row.device)
    if structure.positive_score is not None and structure.negative_score is not None:
        score = torch.cat([structure.positive_score, structure.negative_score])
    elif scored:
        raise InputError(
            "the step has no scores",
            field="positive_score",
            remedy="Give StepStructure.of a score for each positive and each negative.",
        )
    document = torch.cat([structure.positives, structure.negatives])
    return Pairs(row, structure.query[row], document, is_positive, score)


def positives_and_negatives(row: Tensor, positive: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Each positive of a row with each negative of that row: their places among N candidates, [M] each.

    Args:
        row: int64 [N], whose candidate each is.
        positive: bool [N].
        rows: How many rows there are.
    """
    positives, negatives = positive.nonzero()[:, 0], (~positive).nonzero()[:, 0]
    positives = positives[row[positives].argsort(stable=True)]
    count = torch.bincount(row[positives], minlength=rows)
    start = count.cumsum(0) - count
    each = count[row[negatives]]
    place = torch.repeat_interleave(each)
    before = each.cumsum(0) - each
    within = torch.arange(len(place), device=row.device) - before[place]
    return positives[start[row[negatives[place]]] + within], negatives[place]
