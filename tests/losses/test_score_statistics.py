"""What is said of a step's scores: against a naive count over all candidates."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from cosmith.losses import Block, StepStructure, preset
from cosmith.losses.score_statistics import score_statistics

OWN = replace(preset("default"), margin=None, ratio=None, temperature=0.1)


def step() -> tuple[torch.Tensor, StepStructure]:
    """Two rows: query, positive and one negative each; vectors in the plane."""
    angles = torch.tensor([0.0, 0.3, 0.2, 2.0, 2.1, 3.0])  # q0 p0 n0 q1 p1 n1
    structure = StepStructure.of(
        query=[0, 3], positives=[1, 4], positive_row=[0, 1], negatives=[2, 5], negative_row=[0, 1], text=range(6)
    )
    return torch.stack([angles.cos(), angles.sin()], 1), structure


def test_by_hand() -> None:
    embeddings, structure = step()
    found = score_statistics(embeddings, structure, OWN)
    assert found.pairs == 2
    assert found.own_above == 0.5  # n0 is nearer to q0 than p0
    assert found.others_above == 0.0
    assert found.first == 0.5
    assert found.masked == 0.0
    assert found.repeated_queries == found.repeated_positives == 0.0
    assert sum(found.positive_scores) == 2
    assert sum(found.negative_scores) == 2
    candidates = [[math.cos(0.2), math.cos(2.1), math.cos(3.0)], [math.cos(1.0), math.cos(1.7), math.cos(1.8)]]
    blocks = OWN.denominators[0]
    if "other_negatives" not in blocks:
        candidates = [row[:-1] for row in candidates]
    assert found.candidates == len(candidates[0])
    weights = torch.softmax(torch.tensor(candidates) / 0.1, 1)
    entropy = -(weights * weights.log()).sum(1)
    assert found.effective_negatives == pytest.approx(float(entropy.exp().mean()), rel=1e-4)
    assert found.hardest_share == pytest.approx(float(weights.amax(1).mean()), rel=1e-4)


@pytest.mark.parametrize(("blocks", "factors"), [({"own_negatives"}, (1.5, 1.0)), ({"other_positives"}, (1.0, 1.5))])
def test_hardness_moves_the_weights_of_its_blocks(blocks: set[Block], factors: tuple[float, float]) -> None:
    embeddings, structure = step()
    chosen = replace(OWN, denominators=(frozenset({"own_negatives", "other_positives"}),), hardness=5.0)
    found = score_statistics(embeddings, structure, replace(chosen, hardened_blocks=frozenset(blocks)))
    scores = torch.tensor([[math.cos(0.2), math.cos(2.1)], [math.cos(1.0), math.cos(1.7)]])
    weights = torch.softmax(scores * torch.tensor(factors) / 0.1, 1)
    assert found.hardest_share == pytest.approx(float(weights.amax(1).mean()), rel=1e-4)


def test_a_margin_leaves_out_what_scores_too_near() -> None:
    embeddings, structure = step()
    found = score_statistics(embeddings, structure, replace(OWN, margin=0.0))
    assert found.masked == pytest.approx(1 / (2 * found.candidates + 1))


@pytest.mark.parametrize(
    ("text", "queries", "positives"),
    [
        ([0, 1, 2, 0, 4, 5], 1 / 2, 0.0),  # the query comes again
        ([0, 1, 2, 3, 1, 5], 0.0, 1 / 2),  # the positive does
        ([0, 1, 2, 3, 4, 2], 0.0, 0.0),  # a negative that rows share is no repeat
        ([0, 0, 2, 3, 3, 5], 0.0, 0.0),  # nor is a text that is its own positive
    ],
)
def test_repeats_of_queries_and_of_positives(text: list[int], queries: float, positives: float) -> None:
    embeddings, structure = step()
    found = score_statistics(embeddings, replace(structure, text=torch.tensor(text)), OWN)
    assert (found.repeated_queries, found.repeated_positives) == (queries, positives)


def test_answers_of_other_rows_above_the_positive_whatever_the_loss_compares() -> None:
    """Three rows on a line: q1 is as near to p0 as can be, and those of one label are no other rows' answers."""
    angles = torch.tensor([0.0, 0.3, 0.3, 1.0, 2.0, 2.1])  # q0 p0 q1 p1 q2 p2
    embeddings = torch.stack([angles.cos(), angles.sin()], 1)
    made = {"query": [0, 2, 4], "positives": [1, 3, 5], "positive_row": [0, 1, 2], "text": range(6)}
    own_only = replace(OWN, denominators=(frozenset({"own_negatives"}),))
    for spec in (OWN, own_only):
        assert score_statistics(embeddings, StepStructure.of(**made), spec).others_above == pytest.approx(1 / 6)
    labelled = StepStructure.of(**made, label=[7, 7, 8])
    assert score_statistics(embeddings, labelled, own_only).others_above == 0.0


def test_without_any_candidate() -> None:
    structure = StepStructure.of(query=[0], positives=[1], positive_row=[0], text=range(2))
    found = score_statistics(torch.eye(2), structure, OWN)
    assert found.candidates == 0
    assert found.first == 1.0
    assert math.isnan(found.own_above)
    assert math.isnan(found.others_above)
