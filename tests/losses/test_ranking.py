"""Losses over the scores of pairs: hand-computed numbers, sentence-transformers' own, gradients, shares of rows."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.errors import InputError
from cosmith.losses import StepStructure, loss_of, loss_spec
from cosmith.losses.ranking import (
    RANKING_LOSSES,
    RowCandidates,
    binary_cross_entropy,
    listwise,
    margin_mse,
    score_kl,
)
from cosmith.models import tiny_cross_encoder

# Row 0: a positive, two negatives; row 1: two positives, a negative that is row 0's positive's score; row 2: one each.
CANDIDATES = RowCandidates(
    pair=torch.tensor([0, 1, 2, 3, 4, 0, 5, 6]),
    row=torch.tensor([0, 0, 0, 1, 1, 1, 2, 2]),
    positive=torch.tensor([True, False, False, True, True, False, True, False]),
    rows=3,
    teacher=torch.tensor([2.0, 1.0, -1.0, 3.0, 0.5, 0.0, 1.0, 1.5]),
)
SCORES = torch.tensor([0.3, -0.2, 1.1, 0.8, -0.5, 0.1, 0.4], dtype=torch.float64)


def test_hand_numbers() -> None:
    s, t = SCORES[CANDIDATES.pair].tolist(), CANDIDATES.teacher.tolist()  # type: ignore[union-attr]
    signs = [1, -1, -1, 1, 1, -1, 1, -1]
    expected = sum(math.log1p(math.exp(-sign * score)) for sign, score in zip(signs, s, strict=True)) / 8
    assert float(binary_cross_entropy(SCORES, CANDIDATES)) == pytest.approx(expected)

    def soft(values: list[float]) -> list[float]:
        total = sum(math.exp(value) for value in values)
        return [math.exp(value) / total for value in values]

    rows = [range(0, 3), range(3, 6), range(6, 8)]
    student = [soft([s[n] for n in row]) for row in rows]
    expected = (
        -(math.log(student[0][0]) + 0.5 * (math.log(student[1][0] * student[1][1])) + math.log(student[2][0])) / 3
    )
    assert float(listwise(SCORES, CANDIDATES)) == pytest.approx(expected)

    pairs = [(0, 1), (0, 2), (3, 5), (4, 5), (6, 7)]
    expected = sum(((s[p] - s[n]) - (t[p] - t[n])) ** 2 for p, n in pairs) / 5
    assert float(margin_mse(SCORES, CANDIDATES)) == pytest.approx(expected)

    taught = [soft([t[n] / 2 for n in row]) for row in rows]
    expected = sum(
        a * math.log(a / b) for one, two in zip(taught, student, strict=True) for a, b in zip(one, two, strict=True)
    )
    assert float(score_kl(SCORES, CANDIDATES, teacher_temperature=2.0)) == pytest.approx(expected / 3)


@pytest.mark.parametrize("name", RANKING_LOSSES)
def test_gradients_and_shares_of_rows(name: str) -> None:
    loss = RANKING_LOSSES[name]
    scores = SCORES.clone().requires_grad_()
    assert torch.autograd.gradcheck(partial(loss, candidates=CANDIDATES), (scores,))
    whole = torch.autograd.grad(loss(scores, CANDIDATES), scores)[0]
    shares = [slice(0, 1), slice(1, 1), slice(1, 3)]
    parts = torch.stack([loss(scores, CANDIDATES, rows=share) for share in shares]).sum()
    torch.testing.assert_close(parts, loss(scores, CANDIDATES))
    torch.testing.assert_close(torch.autograd.grad(parts, scores)[0], whole)


@pytest.mark.parametrize("name", ["margin-mse", "score-kl"])
def test_a_loss_that_follows_a_teacher_asks_for_its_scores(name: str) -> None:
    with pytest.raises(InputError, match=r"no scores of a teacher.*'binary'"):
        RANKING_LOSSES[name](SCORES, replace(CANDIDATES, teacher=None))


@pytest.mark.parametrize("name", RANKING_LOSSES)
def test_rows_that_are_no_share(name: str) -> None:
    with pytest.raises(InputError, match="no contiguous share"):
        RANKING_LOSSES[name](SCORES, CANDIDATES, rows=slice(0, 3, 2))


def test_a_row_of_embeddings_and_one_of_scores_are_taught_alike() -> None:
    """The student's cosines as the scores of pairs, under both names of the same loss; positives and rows unordered."""
    embeddings = torch.nn.functional.normalize(torch.randn(7, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    structure = StepStructure.of(
        query=[0, 1], positives=[2, 3, 4], positive_row=[1, 0, 1], negatives=[5, 6, 3], negative_row=[1, 0, 1],
        text=range(7), positive_score=[0.1, 0.9, 0.4], negative_score=[0.3, -0.2, 0.5],
    )  # fmt: skip
    row = torch.tensor([1, 0, 1, 1, 0, 1])
    scores = (embeddings[structure.query[row]] * embeddings[[2, 3, 4, 5, 6, 3]]).sum(1)
    teacher = torch.tensor([0.1, 0.9, 0.4, 0.3, -0.2, 0.5])
    candidates = RowCandidates(torch.arange(6), row, torch.arange(6) < 3, 2, teacher)
    for share in (slice(None), slice(1, 2)):
        torch.testing.assert_close(
            loss_of(embeddings, structure, loss_spec("margin-mse", scale=3.0), rows=share),
            margin_mse(3.0 * scores, candidates, rows=share),
        )
        torch.testing.assert_close(
            loss_of(embeddings, structure, loss_spec("score-kl", temperature=0.5, teacher_temperature=2.0), rows=share),
            score_kl(scores / 0.5, candidates, teacher_temperature=2.0, rows=share),
        )


@pytest.mark.parametrize("name", ["listwise", "score-kl"])
def test_large_scores_stay_finite(name: str) -> None:
    scores = (SCORES * 1e4).requires_grad_()
    loss = RANKING_LOSSES[name](scores, CANDIDATES)
    loss.backward()
    assert scores.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from sentence_transformers import CrossEncoder

    model = tiny_cross_encoder("bert")
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.mul_(6 if parameter.ndim > 1 else 1)
    return CrossEncoder(str(model.save(Path(tmp_path_factory.mktemp("m")) / "m")), device="cpu")


@torch.no_grad()
def test_equal_to_sentence_transformers(theirs: Any) -> None:
    """Two rows of a positive and two negatives, scored by the same model."""
    from sentence_transformers.cross_encoder import losses

    queries, positives = ["where is it", "red"], ["in the house", "a colour of blood"]
    negatives = [["on the moon", "blue"], ["nobody knows", "it is late"]]  # first and second negative of each
    pairs = [(q, d) for row, q in enumerate(queries) for d in (positives[row], negatives[0][row], negatives[1][row])]
    theirs.eval()
    with torch.no_grad():
        scores = theirs(theirs.preprocess(pairs))["scores"][:, 0]
    teacher = torch.tensor([3.0, 1.0, 0.0, 2.0, 2.5, -1.0])
    candidates = RowCandidates(
        torch.arange(6), torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([True, False, False] * 2), 2, teacher
    )
    flat = [[q for q, _ in pairs], [d for _, d in pairs]]
    expected = losses.BinaryCrossEntropyLoss(theirs)(flat, candidates.positive.float())
    assert float(binary_cross_entropy(scores, candidates)) == pytest.approx(float(expected), rel=1e-5)

    listed = [queries, [[d for _, d in pairs[:3]], [d for _, d in pairs[3:]]]]
    certain = [torch.tensor([100.0, 0.0, 0.0])] * 2  # a soft-max of which is 1 at the positive
    expected = losses.ListNetLoss(theirs)(listed, certain)
    assert float(listwise(scores, candidates)) == pytest.approx(float(expected), rel=1e-5)

    expected = losses.ListNetLoss(theirs)(listed, [teacher[:3], teacher[3:]])
    own = torch.cat([teacher[:3].log_softmax(0), teacher[3:].log_softmax(0)])
    entropy = -(own.exp() * own).sum() / 2
    assert float(score_kl(scores, candidates) + entropy) == pytest.approx(float(expected), rel=1e-5)

    margins = torch.stack([teacher[[0, 3]] - teacher[[1, 4]], teacher[[0, 3]] - teacher[[2, 5]]], 1)
    expected = losses.MarginMSELoss(theirs)([queries, positives, *negatives], margins)
    assert float(margin_mse(scores, candidates)) == pytest.approx(float(expected), rel=1e-5)
