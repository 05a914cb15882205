"""Each mask and rule alone, on the smallest step that shows it."""

from __future__ import annotations

from math import exp, log
from typing import Any

import pytest
import torch

from cosmith.losses import Block, ContrastiveSpec, StepStructure, contrastive

# Five directions in the plane, by the angle's cosine to the query (1, 0): 0 query, 1 positive .8, 2: .9, 3: .6, 4: -.6.
SCORES = [1.0, 0.8, 0.9, 0.6, -0.6]
EMBEDDINGS = torch.tensor([[score, (1 - score * score) ** 0.5] for score in SCORES], dtype=torch.float64)


def loss_of(*candidates: float, positive: float = 0.8) -> float:
    """-log of the softmax of the positive beside candidates with these scores; temperature 1."""
    return log(exp(positive) + sum(map(exp, candidates))) - positive


def spec(*blocks: Block, **changes: Any) -> ContrastiveSpec:
    return ContrastiveSpec(denominators=(frozenset(blocks),), temperature=1.0, **changes)


def first_row(structure: StepStructure, chosen: ContrastiveSpec) -> float:
    """The loss of row 0 alone."""
    return contrastive(EMBEDDINGS, structure, chosen, rows=slice(0, 1)).item() * structure.rows


def own_negatives(**more: Any) -> StepStructure:
    """One row: positive .8, negatives .9, .6 and -.6."""
    fields: dict[str, Any] = {"text": [0, 1, 2, 3, 4], **more}
    return StepStructure.of(
        query=[0], positives=[1], positive_row=[0], negatives=[2, 3, 4], negative_row=[0, 0, 0], **fields
    )


def test_nothing_masked() -> None:
    assert first_row(own_negatives(), spec("own_negatives")) == pytest.approx(loss_of(0.9, 0.6, -0.6))


@pytest.mark.parametrize(
    ("margin", "left"),
    [(0.2, (0.9, 0.6, -0.6)), (0.05, (0.6, -0.6)), (-0.1, (0.6, -0.6)), (-0.3, (-0.6,))],
)
def test_margin(margin: float, left: tuple[float, ...]) -> None:
    assert first_row(own_negatives(), spec("own_negatives", margin=margin)) == pytest.approx(loss_of(*left))


def test_ratio() -> None:
    # 0.8 · 0.95 = 0.76 is between 0.6 and 0.9; 0.8 · 0.7 = 0.56 is below both.
    assert first_row(own_negatives(), spec("own_negatives", ratio=0.95)) == pytest.approx(loss_of(0.6, -0.6))
    assert first_row(own_negatives(), spec("own_negatives", ratio=0.7)) == pytest.approx(loss_of(-0.6))


@pytest.mark.parametrize(("margin", "ratio"), [(0.05, 0.7), (-0.3, 0.95)])
def test_the_stricter_of_margin_and_ratio_holds(margin: float, ratio: float) -> None:
    chosen = spec("own_negatives", margin=margin, ratio=ratio)
    assert first_row(own_negatives(), chosen) == pytest.approx(loss_of(-0.6))


def test_ratio_below_zero() -> None:
    """At a negative positive score, times 0.5 would raise the limit to -0.3; it must fall, to -0.9."""
    structure = StepStructure.of(
        query=[0], positives=[4], positive_row=[0], negatives=[3], negative_row=[0], text=[0, 1, 2, 3, 4]
    )
    vectors = EMBEDDINGS.clone()
    vectors[3] = torch.tensor([-0.8, 0.6])
    value = contrastive(vectors, structure, spec("own_negatives", ratio=0.5)).item()
    assert value == pytest.approx(0.0)
    value = contrastive(vectors, structure, spec("own_negatives", ratio=0.7)).item()  # the limit is -0.78
    assert value == pytest.approx(loss_of(-0.8, positive=-0.6))


def test_score_masks_hold_for_the_blocks_they_are_given() -> None:
    structure = StepStructure.of(
        query=[0, 4], positives=[1, 2], positive_row=[0, 1], negatives=[3], negative_row=[1], text=[0, 1, 2, 3, 4]
    )

    def value(*blocks: Block) -> float:
        return first_row(
            structure, spec("other_positives", "other_negatives", margin=-0.3, masked_blocks=frozenset(blocks))
        )

    assert value("other_positives", "other_negatives") == pytest.approx(loss_of())
    assert value("other_positives") == pytest.approx(loss_of(0.6))
    assert value("other_negatives") == pytest.approx(loss_of(0.9))
    assert value("own_negatives") == pytest.approx(loss_of(0.9, 0.6))


def test_same_text() -> None:
    structure = own_negatives(text=[10, 20, 20, 10, 30])  # 2 is the positive's text, 3 the query's
    assert first_row(structure, spec("own_negatives", same_text=True)) == pytest.approx(loss_of(-0.6))
    assert first_row(structure, spec("own_negatives")) == pytest.approx(loss_of(0.9, 0.6, -0.6))


def test_known_positives_among_documents() -> None:
    structure = own_negatives(known_query=[0, 1], known_document=[2, 3])  # only the first is of this query
    assert first_row(structure, spec("own_negatives", known_positives=True)) == pytest.approx(loss_of(0.6, -0.6))
    assert first_row(structure, spec("own_negatives")) == pytest.approx(loss_of(0.9, 0.6, -0.6))


def test_another_row_makes_a_positive_known() -> None:
    structure = StepStructure.of(query=[0, 0, 4], positives=[1, 2, 3], positive_row=[0, 1, 2], text=[0, 1, 2, 3, 4])
    assert first_row(structure, spec("other_positives")) == pytest.approx(loss_of(0.9, 0.6))
    assert first_row(structure, spec("other_positives", known_positives=True)) == pytest.approx(loss_of(0.6))


@pytest.mark.parametrize(("block", "score"), [("queries", 0.9), ("positive_to_queries", None)])
def test_known_positives_among_queries(block: Block, score: float | None) -> None:
    """Query 2 is known to have document 1 as a positive, too: it is no negative of the pair (0, 1)."""
    score = (EMBEDDINGS[1] @ EMBEDDINGS[2]).item() if score is None else score
    structure = StepStructure.of(
        query=[0, 2], positives=[1, 3], positive_row=[0, 1], known_query=[2], known_document=[1], text=[0, 1, 2, 3, 4]
    )
    assert first_row(structure, spec(block)) == pytest.approx(loss_of(score))
    assert first_row(structure, spec(block, known_positives=True)) == pytest.approx(loss_of())


def test_same_document() -> None:
    structure = own_negatives(document_group=[-1, 7, 7, -1, 8])
    assert first_row(structure, spec("own_negatives", same_document=True)) == pytest.approx(loss_of(0.6, -0.6))
    assert first_row(structure, spec("own_negatives")) == pytest.approx(loss_of(0.9, 0.6, -0.6))
    unknown = own_negatives(document_group=[-1, -1, -1, -1, 8])  # no document is no common document
    assert first_row(unknown, spec("own_negatives", same_document=True)) == pytest.approx(loss_of(0.9, 0.6, -0.6))


@pytest.mark.parametrize(("labels", "left"), [([5, 5, 6], (-0.6,)), ([5, 6, 5], (0.6,)), ([-1, -1, -1], (0.6, -0.6))])
def test_same_label(labels: list[int], left: tuple[float, ...]) -> None:
    structure = StepStructure.of(
        query=[0, 2, 2], positives=[1, 3, 4], positive_row=[0, 1, 2], text=[0, 1, 2, 3, 4], label=labels
    )
    assert first_row(structure, spec("other_positives", same_label=True)) == pytest.approx(loss_of(*left))
    assert first_row(structure, spec("other_positives")) == pytest.approx(loss_of(0.6, -0.6))


def test_same_label_among_queries() -> None:
    structure = StepStructure.of(
        query=[0, 2, 3], positives=[1, 4, 4], positive_row=[0, 1, 2], text=[0, 1, 2, 3, 4], label=[5, 5, 6]
    )
    assert first_row(structure, spec("queries")) == pytest.approx(loss_of(0.9, 0.6))
    assert first_row(structure, spec("queries", same_label=True)) == pytest.approx(loss_of(0.6))


def test_a_text_counts_once_in_a_block() -> None:
    """Three rows bring document 3 as a positive, two as a negative, one query stands twice: each weighs one."""
    structure = StepStructure.of(
        query=[0, 4, 4, 2], positives=[1, 3, 3, 3], positive_row=[0, 1, 2, 3], negatives=[3, 3, 3],
        negative_row=[0, 0, 1], text=[0, 1, 2, 3, 4],
    )  # fmt: skip
    for blocks in (("other_positives",), ("own_negatives",), ("other_positives", "own_negatives", "other_negatives")):
        assert first_row(structure, spec(*blocks)) == pytest.approx(loss_of(0.6)), blocks
    assert first_row(structure, spec("queries")) == pytest.approx(loss_of(-0.6, 0.9))


def test_a_document_named_twice_in_a_row_counts_once() -> None:
    twice = StepStructure.of(
        query=[0, 4], positives=[1, 1, 2, 3], positive_row=[0, 0, 0, 1], negatives=[4, 4], negative_row=[0, 0],
        text=[0, 1, 2, 3, 4],
    )  # fmt: skip
    once = StepStructure.of(
        query=[0, 4], positives=[1, 2, 3], positive_row=[0, 0, 1], negatives=[4], negative_row=[0], text=[0, 1, 2, 3, 4]
    )
    chosen = spec("other_positives", "own_negatives", "documents")
    assert first_row(twice, chosen) == pytest.approx(first_row(once, chosen))


def test_a_negative_that_is_a_positive_of_its_row_is_no_negative() -> None:
    structure = StepStructure.of(
        query=[0], positives=[1, 2], positive_row=[0, 0], negatives=[1, 3], negative_row=[0, 0], text=[0, 1, 2, 3, 4]
    )
    expected = (loss_of(0.6) + loss_of(0.6, positive=0.9)) / 2
    assert first_row(structure, spec("own_negatives")) == pytest.approx(expected)


def test_neither_text_of_the_pair_is_its_candidate() -> None:
    """Symmetric data: (0, 1) and (1, 0) are both rows, and 0 scores 1 against itself."""
    structure = StepStructure.of(query=[0, 1], positives=[1, 0], positive_row=[0, 1], text=[0, 1, 2, 3, 4])
    everything = spec("other_positives", "queries", "documents", "positive_to_queries")
    assert first_row(structure, everything) == pytest.approx(0.0)


def test_documents_with_and_without_negatives() -> None:
    structure = StepStructure.of(
        query=[0, 2], positives=[1, 3], positive_row=[0, 1], negatives=[4], negative_row=[1], text=[0, 1, 2, 3, 4]
    )
    positive, negative = ((EMBEDDINGS[1] @ EMBEDDINGS[other]).item() for other in (3, 4))
    assert first_row(structure, spec("documents")) == pytest.approx(loss_of(positive, negative))
    bare = spec("documents", documents_with_negatives=False)
    assert first_row(structure, bare) == pytest.approx(loss_of(positive))


def test_hardness() -> None:
    # The own negatives' logits are s + 5 s; the gradient is that of s, with the weights of s + 5 s.
    leaf = EMBEDDINGS.clone().requires_grad_()
    value = contrastive(leaf, own_negatives(), spec("own_negatives", hardness=5.0))
    assert value.item() == pytest.approx(loss_of(5.4, 3.6, -3.6))
    value.backward()
    weight = exp(3.6) / (exp(0.8) + exp(5.4) + exp(3.6) + exp(-3.6))
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad[3], weight * EMBEDDINGS[0])


def test_hardness_of_the_blocks_that_are_named() -> None:
    """Row 0: positive .8 and a negative of .9; row 1 brings a positive of .6 and a negative of -.6."""
    structure = StepStructure.of(
        query=[0, 0], positives=[1, 3], positive_row=[0, 1], negatives=[2, 4], negative_row=[0, 1],
        text=[0, 1, 2, 3, 4],
    )  # fmt: skip
    blocks: tuple[Block, ...] = ("own_negatives", "other_positives", "other_negatives")
    for place, block in enumerate(blocks):
        logits = [score * (6.0 if index == place else 1.0) for index, score in enumerate((0.9, 0.6, -0.6))]
        chosen = spec(*blocks, hardness=5.0, hardened_blocks=frozenset({block}))
        assert first_row(structure, chosen) == pytest.approx(loss_of(*logits))
    assert first_row(structure, spec(*blocks, hardness=5.0)) == pytest.approx(loss_of(5.4, 3.6, -3.6))


def test_other_positives_that_stay_are_not_hardened() -> None:
    structure = StepStructure.of(query=[0, 0], positives=[1, 2, 3], positive_row=[0, 0, 1], text=[0, 1, 2, 3, 4])
    chosen = spec("other_positives", other_own_positives=True, hardness=5.0)
    expected = (loss_of(0.9, 3.6) + loss_of(0.8, 3.6, positive=0.9)) / 2
    assert first_row(structure, chosen) == pytest.approx(expected)


def test_the_margin_holds_scores_that_are_not_hardened_yet() -> None:
    chosen = spec("own_negatives", "other_positives", margin=0.15, hardness=5.0)
    assert first_row(own_negatives(), chosen) == pytest.approx(loss_of(5.4, 3.6, -3.6))
    structure = StepStructure.of(query=[0, 0], positives=[1, 2], positive_row=[0, 1], text=[0, 1, 2, 3, 4])
    assert first_row(structure, chosen) == pytest.approx(loss_of(5.4))
