"""Quantisation-aware training sees what is stored and trains what is kept; the spread-out term is its formula."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses import StepStructure, contrastive, nested, preset, quantised, spread_out

STRUCTURE = StepStructure.of(
    query=[0, 1, 2], positives=[3, 4, 5], positive_row=[0, 1, 2], negatives=[6, 3], negative_row=[1, 1], text=range(7)
)
LOSS = partial(contrastive, structure=STRUCTURE, spec=preset("classic", temperature=0.2))


def unit(width: int = 8, seed: int = 0) -> Tensor:
    noise = torch.randn(7, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(noise, dim=1)


def seen(kind: Any, embeddings: Tensor) -> Tensor:
    """What the loss is given."""
    given: list[Tensor] = []

    def note(values: Tensor) -> Tensor:
        given.append(values)
        return values.sum()

    quantised(note, kind)(embeddings)
    return given[0]


def test_binary_by_hand() -> None:
    signs = seen("binary", torch.tensor([[0.6, -0.8, 0.0, 0.0], [0.1, 0.7, 0.5, 0.5]]))
    torch.testing.assert_close(signs, torch.tensor([[1.0, -1, -1, -1], [1, 1, 1, 1]]) / 2)


def test_eight_bits_by_hand() -> None:
    # Each dimension from its least to its most, here 0 to 1 and -1 to 0, in 255 steps; .6 is step 153 exactly.
    values = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.6, -0.8], [0.8, -0.6]])
    torch.testing.assert_close(seen("int8", values), values)
    off = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.51, -(0.7399**0.5)]])  # steps 130.05 and 35.66
    levels = torch.tensor([130 / 255, 36 / 255 - 1])
    torch.testing.assert_close(seen("int8", off)[2], levels / levels.norm())


def test_int8_is_near_and_binary_is_far() -> None:
    embeddings = unit(64)
    assert (seen("int8", embeddings) * embeddings).sum(1).min() > 0.9999
    assert (seen("binary", embeddings) * embeddings).sum(1).max() < 0.95
    assert torch.equal(seen("float32", embeddings), embeddings)
    constant = torch.full((3, 4), 0.5)
    torch.testing.assert_close(seen("int8", constant), constant)


@pytest.mark.parametrize("kind", ["int8", "binary"])
def test_the_gradient_is_that_at_the_quantised_embedding(kind: Any) -> None:
    left = unit().requires_grad_()
    right = seen(kind, left).detach().requires_grad_()
    value = quantised(LOSS, kind)(left)
    torch.testing.assert_close(value, LOSS(right))
    torch.testing.assert_close(*(torch.autograd.grad(LOSS(right) if x is right else value, x) for x in (left, right)))


def test_the_sum_of_forms() -> None:
    embeddings = unit()
    total = quantised(LOSS, ["float32", "binary"], [1.0, 0.5])(embeddings)
    torch.testing.assert_close(total, LOSS(embeddings) + 0.5 * LOSS(seen("binary", embeddings)))


def test_inside_of_nested_each_prefix_is_quantised() -> None:
    embeddings = unit()
    prefix = torch.nn.functional.normalize(embeddings[:, :4], dim=1)
    value = nested(quantised(LOSS, "int8"), [8, 4])(embeddings)
    torch.testing.assert_close(value, LOSS(seen("int8", embeddings)) + LOSS(seen("int8", prefix)))


@pytest.mark.parametrize("kind", ["int8", "binary"])
def test_a_broken_embedding_is_not_hidden(kind: Any) -> None:
    embeddings = unit()
    embeddings[3, 0] = torch.nan
    assert torch.isnan(quantised(LOSS, kind)(embeddings))


@pytest.mark.parametrize(
    ("kinds", "weights", "message"),
    [
        ([], None, "no quantisation"),
        ("int4", None, "no quantisation 'int4'. Did you mean 'int8'"),
        (["int8", "int8"], None, "twice"),
        (["int8"], [1.0, 2.0], "2 weights for 1 quantisations"),
        (["int8"], [-1.0], "finite ones"),
    ],
)
def test_kinds_and_weights_that_cannot_be(kinds: Any, weights: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quantised(LOSS, kinds, weights)


def naive_spread(embeddings: Tensor, structure: StepStructure, first: float, second: float) -> Tensor:
    total = torch.zeros((), dtype=embeddings.dtype)
    for side in (structure.query.tolist(), structure.positives.tolist() + structure.negatives.tolist()):
        texts = sorted(set(side))
        cosines = [embeddings[i] @ embeddings[j] for i in texts for j in texts if i != j]
        if cosines:
            scores = torch.stack(cosines)
            total = total + first * scores.mean() ** 2
            total = total + second * torch.relu(scores.square().mean() - 1 / embeddings.shape[1])
    return total / 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.sampled_from([(1.0, 1.0), (0.0, 2.0), (0.5, 0.0)]), st.integers(0, 3))
def test_the_spread_out_term_is_its_definition_and_its_shares_add_up(
    seed: int, weights: tuple[float, float], cut: int
) -> None:
    embeddings = unit(3, seed).requires_grad_()
    compute = partial(spread_out, embeddings, STRUCTURE, mean_weight=weights[0], second_moment_weight=weights[1])
    value, expected = compute(), naive_spread(embeddings, STRUCTURE, *weights)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(compute(rows=slice(0, cut)) + compute(rows=slice(cut, None)), value)
    # Off the sphere the two differ: there a vector's length enters its product with itself.
    gradients = [torch.autograd.grad(each, embeddings)[0] for each in (value, expected)]
    along = [g - (g * embeddings).sum(1, keepdim=True) * embeddings for g in gradients]
    torch.testing.assert_close(*along)


def test_spread_out_by_hand() -> None:
    # Queries (1, 0), (1, 0) [two texts]: M1 = 1, M2 = 1, so 1 + 1/2; documents (1, 0), (0, 1): 0 and max(0, -1/2).
    embeddings = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    structure = StepStructure.of(query=[0, 1], positives=[2, 3], positive_row=[0, 1], text=range(4))
    assert spread_out(embeddings, structure).item() == pytest.approx(0.75)
    assert spread_out(embeddings, structure, mean_weight=0.0).item() == pytest.approx(0.25)


def test_spread_out_gradcheck_and_a_single_text() -> None:
    collapsed = torch.nn.functional.normalize(unit(4) + 1.0, dim=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: spread_out(values, STRUCTURE), [collapsed])
    alone = StepStructure.of(query=[0], positives=[1], positive_row=[0], text=[0, 1])
    assert spread_out(torch.eye(2), alone) == 0
