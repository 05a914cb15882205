"""What a teacher's scores of rows' candidates ask of a student's, whatever the student's scores are made of.

N candidates, each of one of R rows; every one has a score of the student and one of the teacher.
"""

from __future__ import annotations

from torch import Tensor

from cosmith.losses.arguments import Share, positives_and_negatives
from cosmith.losses.normalisation import log_softmax_of_rows


def margin_error(student: Tensor, teacher: Tensor, row: Tensor, positive: Tensor, share: Share) -> Tensor:
    r"""The squared error of the distances between scores (Hofstätter et al., arXiv:2010.02666).

    The mean over each positive p with each negative n of its row, over all rows, of
    :math:`((s_p - s_n) - (t_p - t_n))^2`; 0 where there is no such pair.

    Args:
        student: [N] scores s.
        teacher: [N] scores t.
        row: int64 [N], whose candidate each is.
        positive: bool [N].
        share: The rows whose part of the mean is returned.
    """
    error = student - teacher.to(student.dtype)
    first, second = positives_and_negatives(row, positive, share.rows)
    mine = share.holds(row[first])
    return (error[first[mine]] - error[second[mine]]).square().sum() / max(len(first), 1)


def divergence(student: Tensor, teacher: Tensor, row: Tensor, share: Share) -> Tensor:
    r"""How far the student's distribution over a row's candidates is from the teacher's (Lin et al., arXiv:2010.11386).

    The mean over rows of :math:`\mathrm{KL}(\mathrm{softmax}(t) \,\|\, \mathrm{softmax}(s))`.

    Args:
        student: [N] logits s.
        teacher: [N] logits t.
        row: int64 [N], whose candidate each is.
        share: The rows whose part of the mean is returned.
    """
    mine = share.holds(row)
    student, teacher, row = student[mine], teacher[mine].to(student.dtype), row[mine]
    followed = log_softmax_of_rows(student, row, share.rows)
    wanted = log_softmax_of_rows(teacher, row, share.rows)
    return (wanted.exp() * (wanted - followed)).sum() / share.rows
