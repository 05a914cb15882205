"""Losses that follow a teacher: its scores of pairs, or its vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses.arguments import Share, arguments, pairs_of, teacher_of
from cosmith.losses.pair_specs import EmbeddingMseSpec, MarginMseSpec, ScoreKlSpec
from cosmith.losses.score_distillation import divergence, margin_error
from cosmith.losses.structure import StepStructure


def margin_mse(
    embeddings: Tensor, structure: StepStructure, spec: MarginMseSpec, *, rows: slice | None = None
) -> Tensor:
    r"""The distance of a positive's score from a negative's is to be the teacher's (arXiv:2010.02666).

    The mean over each positive p with each negative n of a row, over all rows, of
    :math:`(a(\cos(q,p) - \cos(q,n)) - (t_p - t_n))^2`, t being the teacher's scores and a the ``scale``.

    Args:
        embeddings: [U, D] unit rows.
        structure: The step, with scores.
        spec: The scale a.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the step has no scores, the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    pairs = pairs_of(structure, scored=True)
    return margin_error(spec.scale * pairs.cosines(values), pairs.score, pairs.row, pairs.positive, share)


def score_kl(embeddings: Tensor, structure: StepStructure, spec: ScoreKlSpec, *, rows: slice | None = None) -> Tensor:
    r"""The student's distribution over a row's candidates is to be the teacher's (Lin et al., arXiv:2010.11386).

    The mean over rows of :math:`\mathrm{KL}(T \,\|\, S)`, both over the row's positives and negatives:
    :math:`S = \mathrm{softmax}(\cos / \tau)` and :math:`T = \mathrm{softmax}(t / \tau_T)` of the teacher's scores t.
    (sentence-transformers multiplies by τ².)

    Args:
        embeddings: [U, D] unit rows.
        structure: The step, with scores.
        spec: The temperatures τ and τ_T.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the step has no scores, the shapes do not fit each other or ``rows`` is no contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    pairs = pairs_of(structure, scored=True)
    student = pairs.cosines(values) / spec.temperature
    return divergence(student, pairs.score.to(student.dtype) / spec.teacher_temperature, pairs.row, share)


def embedding_mse(
    embeddings: Tensor,
    structure: StepStructure,
    spec: EmbeddingMseSpec,
    *,
    projection: Tensor | None = None,
    rows: slice | None = None,
) -> Tensor:
    r"""A text is to have the vector that the teacher gives it (Reimers & Gurevych, arXiv:2004.09813).

    The mean over texts and dimensions of :math:`(eP - t)^2`. With ``target`` ``own`` over the U texts of the step,
    each against the teacher's vector of itself; with ``query`` over the queries and positives of all rows, each
    against the teacher's vector of the row's query.

    Where embeddings are narrower than the teacher's vectors, as inside of ``nested``, they are compared with as many
    of the teacher's first dimensions, renormalised: sensible where those come first that matter most, as after
    :func:`cosmith.training.train` has turned the teacher's vectors to their principal axes.

    Args:
        embeddings: [U, D] unit rows.
        structure: The step, with the teacher's vectors [U, Dt].
        spec: Which text's vector is whose target.
        projection: P [D, Dt], an ordinary tensor that gets a gradient if it asks for one; None: the identity.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the step has no teacher's vectors, the shapes do not fit each other, or ``rows`` is no
            contiguous share.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    teacher = teacher_of(structure).to(values.dtype)
    text, target, total = _targets(structure, spec, share)
    with torch.autocast(values.device.type, enabled=False):
        student = values[text] if projection is None else values[text] @ projection.to(values.dtype)
    width, wanted = student.shape[1], teacher.shape[1]
    if width > wanted or (projection is not None and width != wanted):
        raise InputError(
            f"vectors of {width} dimensions cannot follow a teacher's of {wanted}",
            field="teacher",
            remedy="Take a teacher with as many dimensions or more, or give a projection to the teacher's.",
        )
    if width < wanted:
        teacher = torch.nn.functional.normalize(teacher[:, :width], dim=1)
    return (student - teacher[target]).square().sum() / (total * width)


def _targets(structure: StepStructure, spec: EmbeddingMseSpec, share: Share) -> tuple[Tensor, Tensor, int]:
    """Texts and whose teacher's vector each is to have, of the share, and how many there are in the whole step."""
    if spec.target == "own":
        size = structure.embeddings
        first, last = size * share.first // share.rows, size * share.last // share.rows
        text = torch.arange(first, last, device=structure.text.device)
        return text, text, size
    row = torch.cat([torch.arange(structure.rows, device=structure.query.device), structure.positive_row])
    text = torch.cat([structure.query, structure.positives])
    mine = share.holds(row)
    return text[mine], structure.query[row[mine]], len(row)
