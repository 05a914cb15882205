"""Parity with sentence-transformers where it has the same loss, values and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from cosmith.losses import ContrastiveSpec, StepStructure, contrastive, preset

losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses", reason="the extra 'bench' has it")
ROWS, WIDTH = 7, 6
ALL = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")


class Returning(torch.nn.Module):
    """A model whose features are its embeddings already."""

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return features


def columns(count: int) -> list[Tensor]:
    """The columns of a batch: queries, positives, hard negatives…"""
    noise = torch.randn(count, ROWS, WIDTH, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    return list(torch.nn.functional.normalize(noise, dim=-1))


def theirs(batch: list[Tensor], symmetric: bool = False, **options: Any) -> tuple[Tensor, Tensor]:
    kind = losses.MultipleNegativesSymmetricRankingLoss if symmetric else losses.MultipleNegativesRankingLoss
    leaves = [column.clone().requires_grad_() for column in batch]
    features = [{"sentence_embedding": leaf, "input_ids": torch.zeros(ROWS, 1)} for leaf in leaves]
    value = kind(Returning(), **options)(features, torch.empty(0))
    return value.detach(), torch.cat(torch.autograd.grad(value, leaves))


def ours(batch: list[Tensor], spec: ContrastiveSpec) -> tuple[Tensor, Tensor]:
    """The columns below each other, so that the gradients compare row by row."""
    rows, negatives = torch.arange(ROWS), torch.arange(2 * ROWS, len(batch) * ROWS)
    structure = StepStructure.of(
        query=rows, positives=rows + ROWS, positive_row=rows, negatives=negatives, negative_row=negatives % ROWS,
        text=torch.arange(len(batch) * ROWS),
    )  # fmt: skip
    leaf = torch.cat(batch).requires_grad_()
    # They normalise inside of the loss, and so hand back the gradient through the normalisation.
    value = contrastive(torch.nn.functional.normalize(leaf, dim=1), structure, spec)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def assert_same(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(left[0], right[0])
    torch.testing.assert_close(left[1], right[1])


@pytest.mark.parametrize("negatives", [0, 1, 3])
def test_classic_is_their_default(negatives: int) -> None:
    batch = columns(2 + negatives)
    assert_same(ours(batch, preset("classic")), theirs(batch))


@pytest.mark.parametrize("negatives", [0, 2])
def test_gte_is_their_four_directions_in_one_softmax(negatives: int) -> None:
    batch = columns(2 + negatives)
    assert_same(ours(batch, preset("gte", temperature=0.05)), theirs(batch, directions=ALL, partition_mode="joint"))


@pytest.mark.parametrize("negatives", [0, 2])
def test_clip_symmetric_is_their_two_directions_averaged(negatives: int) -> None:
    batch = columns(2 + negatives)
    spec = preset("clip-symmetric", temperature=0.05)
    assert_same(
        ours(batch, spec), theirs(batch, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction")
    )
    assert_same(ours(batch, spec), theirs(batch, symmetric=True))


def test_gecko_is_their_query_to_query_on_pairs() -> None:
    """Only on pairs: with hard negatives they take other rows' negatives, too, which Gecko's formula does not."""
    batch = columns(2)
    assert_same(
        ours(batch, preset("gecko", temperature=0.05)), theirs(batch, directions=("query_to_doc", "query_to_query"))
    )


def test_hardness_is_theirs_on_hard_negatives() -> None:
    batch = columns(4)
    options = {"hardness_mode": "hard_negatives", "hardness_strength": 5.0}
    assert_same(ours(batch, preset("classic", hardness=5.0)), theirs(batch, **options))


def test_a_repeated_document_weighs_once_where_theirs_weighs_by_rows() -> None:
    """Two rows share a positive. Theirs has it as a negative of its own query; here a text stands once."""
    batch = columns(2)
    batch[1][1] = batch[1][0]
    rows = torch.arange(ROWS)
    positives = ROWS + torch.tensor([0, 0, *range(2, ROWS)])
    structure = StepStructure.of(query=rows, positives=positives, positive_row=rows, text=torch.arange(2 * ROWS))
    value = contrastive(torch.cat(batch), structure, preset("classic"))
    assert value < theirs(batch)[0]
    # Their formula with the second copy's column taken out of everyone's denominator.
    logits = batch[0] @ batch[1].T * 20
    logits[:, 1] = -torch.inf
    target = torch.tensor([0, 0, *range(2, ROWS)])
    torch.testing.assert_close(value, torch.nn.functional.cross_entropy(logits, target))
