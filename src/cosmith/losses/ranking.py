"""Losses over the scores of (query, document) pairs: what a reranker learns from.

A row of a step has candidates, its positives and its negatives, and every candidate has a score; where a loss learns
from a teacher, a teacher's score besides. As everywhere, a loss sees no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cosmith.errors import InputError
from cosmith.losses.arguments import share_of
from cosmith.losses.normalisation import log_softmax_of_rows
from cosmith.losses.score_distillation import divergence, margin_error

RankingLossName = Literal["binary", "listwise", "margin-mse", "score-kl"]


@dataclass(frozen=True)
class RowCandidates:
    """The N candidates of a step's R rows over its U scores.

    Attributes:
        pair: int64 [N], which score is the candidate's; pairs that stand in several rows share theirs.
        row: int64 [N], whose candidate it is.
        positive: bool [N]; every row has at least one that is.
        rows: R.
        teacher: float32 [N], the teacher's scores, or None.
    """

    pair: Tensor
    row: Tensor
    positive: Tensor
    rows: int
    teacher: Tensor | None = None

    def to(self, device: torch.device | str) -> RowCandidates:
        """The same on ``device``."""
        teacher = None if self.teacher is None else self.teacher.to(device)
        pair, row, positive = self.pair.to(device), self.row.to(device), self.positive.to(device)
        return RowCandidates(pair, row, positive, self.rows, teacher)


RankingLoss = Callable[..., Tensor]
"""Scores [U], :class:`RowCandidates`, ``rows=`` a rank's share of the rows → a scalar; the losses and gradients of
disjoint shares add up to the whole."""


def binary_cross_entropy(scores: Tensor, candidates: RowCandidates, *, rows: slice | None = None) -> Tensor:
    r"""Whether each candidate answers its query, one by one.

    The mean over candidates of :math:`-\log \sigma(s)` for positives and :math:`-\log \sigma(-s)` for negatives
    (Nogueira & Cho, arXiv:1901.04085). With the log-odds of a language model's yes and no as scores it is the
    fine-tuning loss of Qwen3-Reranker, the negative logarithm of the right word's probability (arXiv:2506.05176).

    Args:
        scores: [U], floating point.
        candidates: The step's rows over them.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When ``rows`` is no contiguous share.
    """
    label = candidates.positive.to(scores.dtype)
    losses = binary_cross_entropy_with_logits(scores[candidates.pair], label, reduction="none")
    return losses[_mine(candidates, rows)].sum() / len(label)


def listwise(scores: Tensor, candidates: RowCandidates, *, rows: slice | None = None) -> Tensor:
    r"""Which of its candidates answers a query (ListNet's cross-entropy of top-one probabilities, Cao et al. 2007).

    Relevance is shared equally by a row's positives P: the mean over rows of
    :math:`-\frac{1}{|P|} \sum_{p \in P} \log \frac{e^{s_p}}{\sum_c e^{s_c}}`, c being all candidates of the row.

    Args:
        scores: [U], floating point.
        candidates: The step's rows over them.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When ``rows`` is no contiguous share.
    """
    positives = torch.bincount(candidates.row[candidates.positive], minlength=candidates.rows)
    share = candidates.positive.to(scores.dtype) / positives[candidates.row]
    logarithm = log_softmax_of_rows(scores[candidates.pair], candidates.row, candidates.rows)
    return -(share * logarithm)[_mine(candidates, rows)].sum() / candidates.rows


def margin_mse(scores: Tensor, candidates: RowCandidates, *, rows: slice | None = None) -> Tensor:
    r"""The distance of a positive's score from a negative's is to be the teacher's.

    The mean over each positive p with each negative n of its row of :math:`((s_p - s_n) - (t_p - t_n))^2` (Hofstätter
    et al., arXiv:2010.02666).

    Args:
        scores: [U], floating point.
        candidates: The step's rows over them, with a teacher's scores.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the candidates have no teacher's scores or ``rows`` is no contiguous share.
    """
    share = share_of(candidates.rows, rows)
    teacher = _teacher(candidates, scores)
    return margin_error(scores[candidates.pair], teacher, candidates.row, candidates.positive, share)


def score_kl(
    scores: Tensor, candidates: RowCandidates, *, teacher_temperature: float = 1.0, rows: slice | None = None
) -> Tensor:
    r"""The distribution over a row's candidates is to be the teacher's (Lin et al., arXiv:2010.11386).

    The mean over rows of :math:`\mathrm{KL}(T \,\|\, S)` with :math:`S = \mathrm{softmax}(s)` and
    :math:`T = \mathrm{softmax}(t / \tau)`.

    Args:
        scores: [U], floating point.
        candidates: The step's rows over them, with a teacher's scores.
        teacher_temperature: τ > 0 of the teacher's scores.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the candidates have no teacher's scores or ``rows`` is no contiguous share.
    """
    teacher = _teacher(candidates, scores) / teacher_temperature
    return divergence(scores[candidates.pair], teacher, candidates.row, share_of(candidates.rows, rows))


RANKING_LOSSES: Mapping[str, RankingLoss] = {
    "binary": binary_cross_entropy,
    "listwise": listwise,
    "margin-mse": margin_mse,
    "score-kl": score_kl,
}
"""By the names that recipes use."""


def _mine(candidates: RowCandidates, rows: slice | None) -> Tensor:
    return share_of(candidates.rows, rows).holds(candidates.row)


def _teacher(candidates: RowCandidates, like: Tensor) -> Tensor:
    if candidates.teacher is None:
        raise InputError(
            "the candidates have no scores of a teacher",
            field="teacher",
            remedy="Give RowCandidates a teacher's score for each candidate, or take 'binary' or 'listwise'.",
        )
    return candidates.teacher.to(like.dtype)
