"""Parity with sentence-transformers where it has the same loss, values and gradients."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from cosmith.losses import (
    BLOCKS,
    Block,
    ContrastiveSpec,
    LossSpec,
    StepStructure,
    contrastive,
    loss_of,
    loss_spec,
    preset,
    spread_out,
)
from cosmith.losses.spec import QUERY_TO_DOCUMENT

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


@pytest.mark.parametrize("negatives", [0, 2])
@pytest.mark.parametrize(
    ("mode", "blocks"),
    [
        ("in_batch_negatives", {"other_positives", "other_negatives"}),
        ("hard_negatives", {"own_negatives"}),
        ("all_negatives", BLOCKS),
    ],
)
def test_hardness_is_theirs_in_each_of_their_modes(mode: str, blocks: set[Block], negatives: int) -> None:
    batch = columns(2 + negatives)
    options = {"hardness_mode": mode, "hardness_strength": 9.0}
    spec = preset("classic", hardness=9.0, hardened_blocks=frozenset(blocks))
    assert_same(ours(batch, spec), theirs(batch, **options))
    plain = ours(batch, preset("classic"))
    assert bool(ours(batch, spec)[0] == plain[0]) == (mode == "hard_negatives" and not negatives)


def test_hardness_is_theirs_where_only_one_direction_is_hardened() -> None:
    batch = columns(4)
    options = {"hardness_mode": "all_negatives", "hardness_strength": 9.0}
    spec = preset("gte", temperature=0.05, hardness=9.0, hardened_blocks=QUERY_TO_DOCUMENT)
    assert_same(ours(batch, spec), theirs(batch, directions=ALL, partition_mode="joint", **options))


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


def their(kind: str, batch: list[Tensor], labels: Tensor | None, **options: Any) -> tuple[Tensor, Tensor]:
    """A loss of theirs on given embeddings, and its gradient through their normalisation."""
    leaf = torch.cat(batch).requires_grad_()
    columns = list(torch.nn.functional.normalize(leaf, dim=1).split(ROWS))
    value = getattr(losses, kind)(Returning(), **options).compute_loss_from_embeddings(columns, labels)
    value = sum(value.values()) if isinstance(value, dict) else value
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def our(
    batch: list[Tensor], spec: LossSpec | None, *, negatives: Tensor | None = None, **fields: Any
) -> tuple[Tensor, Tensor]:
    """The same of ours; columns are queries, positives, hard negatives…, unless ``negatives`` marks rows [R] whose
    second column is a negative."""
    rows = torch.arange(ROWS)
    documents = torch.arange(ROWS, len(batch) * ROWS)
    role = documents >= 2 * ROWS if negatives is None else negatives
    structure = StepStructure.of(
        query=rows, positives=documents[~role], positive_row=documents[~role] % ROWS, negatives=documents[role],
        negative_row=documents[role] % ROWS, text=torch.arange(len(batch) * ROWS), label=torch.zeros_like(rows),
    ) if "structure" not in fields else fields["structure"]  # fmt: skip
    structure = dataclasses.replace(structure, **{k: v for k, v in fields.items() if k != "structure"})
    leaf = torch.cat(batch).requires_grad_()
    unit = torch.nn.functional.normalize(leaf, dim=1)
    value = spread_out(unit, structure) if spec is None else loss_of(unit, structure, spec)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


GRADES = torch.tensor([0.0, 0.2, 0.2, 0.5, 0.9, 1.0, 0.7], dtype=torch.float64)
UNLIKE = torch.tensor([True, False, False, True, True, False, True])


@pytest.mark.parametrize(
    ("ours", "theirs"), [("cosine-mse", "CosineSimilarityLoss"), ("cosent", "CoSENTLoss"), ("angle", "AnglELoss")]
)
def test_losses_of_graded_pairs_are_theirs(ours: str, theirs: str) -> None:
    batch = columns(2)
    left = our(batch, loss_spec(ours), positive_score=GRADES, negative_score=GRADES[:0])
    assert_same(left, their(theirs, batch, GRADES))


@pytest.mark.parametrize("margin", [0.5, 1.2])
@pytest.mark.parametrize(
    ("ours", "theirs"), [("margin", "ContrastiveLoss"), ("margin-online", "OnlineContrastiveLoss")]
)
def test_losses_of_pairs_that_are_alike_or_not_are_theirs(ours: str, theirs: str, margin: float) -> None:
    batch = columns(2)
    left = our(batch, loss_spec(ours, margin=margin), negatives=UNLIKE)
    assert_same(left, their(theirs, batch, (~UNLIKE).long(), margin=margin))


def test_the_triplet_loss_is_theirs() -> None:
    metric = losses.triplet.TripletDistanceMetric
    for margin in (0.2, 1.0):
        for distance, name in (("cosine", metric.COSINE), ("euclidean", metric.EUCLIDEAN)):
            left = our(columns(3), loss_spec("triplet", margin=margin, distance=distance))
            right = their("TripletLoss", columns(3), None, distance_metric=name, triplet_margin=margin)
            # torch's pairwise distance adds 1e-6 to each difference
            torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (loss_spec("triplet-all", margin=0.3), "BatchAllTripletLoss", {"margin": 0.3}),
        (loss_spec("triplet-all", margin=5.0), "BatchAllTripletLoss", {"margin": 5.0}),
        (loss_spec("triplet-hard", margin=0.3), "BatchHardTripletLoss", {"margin": 0.3}),
        (loss_spec("triplet-hard", margin=None), "BatchHardSoftMarginTripletLoss", {}),
    ],
    ids=str,
)
def test_triplets_by_label_are_theirs(ours: Any, theirs: str, options: dict[str, Any], distance: str) -> None:
    label = torch.tensor([0, 1, 0, 2, 1, 2, 1])
    rows = torch.arange(ROWS)
    structure = StepStructure.of(query=rows, positives=[], positive_row=[], text=rows, label=label)
    metric = getattr(losses.batch_hard_triplet.BatchHardTripletLossDistanceFunction, f"{distance}_distance")
    left = our(columns(1), dataclasses.replace(ours, distance=distance), structure=structure)
    assert_same(left, their(theirs, columns(1), label, distance_metric=metric, **options))


@pytest.mark.parametrize("negatives", [1, 3])
def test_distillation_of_scores_is_theirs(negatives: int) -> None:
    batch = columns(2 + negatives)
    scores = torch.randn(ROWS, 1 + negatives, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    given = {"positive_score": scores[:, 0], "negative_score": scores[:, 1:].T.flatten()}
    assert_same(our(batch, loss_spec("margin-mse"), **given), their("MarginMSELoss", batch, scores))
    left = our(batch, loss_spec("score-kl", temperature=0.5, teacher_temperature=2.0), **given)
    options = {"student_temperature": 0.5, "teacher_temperature": 2.0}
    value, gradient = their("DistillKLDivLoss", batch, scores, **options)
    assert_same(left, (value / 0.5**2, gradient / 0.5**2))


def test_distillation_of_vectors_is_theirs() -> None:
    teacher = torch.nn.functional.normalize(torch.randn(3 * ROWS, WIDTH, dtype=torch.float64), dim=1)
    left = our(columns(3), loss_spec("embedding-mse"), teacher=teacher)
    leaf = torch.cat(columns(3)).requires_grad_()
    features = [{"sentence_embedding": torch.nn.functional.normalize(leaf, dim=1), "input_ids": torch.zeros(21, 1)}]
    value = losses.MSELoss(Returning())(features, teacher)
    assert_same(left, (value.detach(), *torch.autograd.grad(value, leaf)))


def test_the_spread_out_term_is_theirs() -> None:
    batch = [torch.nn.functional.normalize(column + 1.0, dim=1) for column in columns(2)]  # not spread out
    assert_same(our(batch, None), their("GlobalOrthogonalRegularizationLoss", batch, None))


@pytest.mark.parametrize("negatives", [0, 1])
def test_gist_is_theirs(negatives: int, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, guide = columns(2 + negatives), columns(5)[: 2 + negatives]

    class Kind(losses.GISTEmbedLoss):  # type: ignore[misc, name-defined]
        """Theirs without what it asks of models."""

        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.model, self.guide, self.must_retokenize = Returning(), Guide(), False
            self.temperature, self.margin_strategy, self.margin = 0.05, "absolute", 0.1
            self.contrast_anchors = self.contrast_positives = True
            self.gather_across_devices = False
            self.similarity_fct = torch.nn.CosineSimilarity(dim=-1)
            self.cross_entropy_loss = torch.nn.CrossEntropyLoss()

    class Guide(torch.nn.Module):
        def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"sentence_embedding": features["guide"]}

    leaves = [column.clone().requires_grad_() for column in batch]
    features = [
        {"sentence_embedding": leaf, "guide": judge, "input_ids": torch.zeros(ROWS, 1)}
        for leaf, judge in zip(leaves, guide, strict=True)
    ]
    monkeypatch.setattr(losses.gist_embed, "embed_columns", lambda model, given: [
        model(feature)["sentence_embedding"] for feature in given
    ])  # fmt: skip
    value = Kind()(features, torch.empty(0))
    theirs = value.detach(), torch.cat(torch.autograd.grad(value, leaves))
    assert_same(our(batch, loss_spec("gist", temperature=0.05, margin=-0.1), teacher=torch.cat(guide)), theirs)
