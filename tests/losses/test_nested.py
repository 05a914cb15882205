"""Matryoshka training is the weighted sum of the loss over renormalised prefixes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses import StepStructure, contrastive, nested, preset

STRUCTURE = StepStructure.of(
    query=[0, 1, 2], positives=[3, 4, 5], positive_row=[0, 1, 2], negatives=[6], negative_row=[1], text=range(7)
)
LOSS = partial(contrastive, structure=STRUCTURE, spec=preset("default", temperature=0.2))


def unit(width: int = 8) -> Tensor:
    noise = torch.randn(7, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(noise, dim=1)


@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 0.25]])
def test_it_is_the_sum_over_prefixes(weights: list[float] | None) -> None:
    left, right = unit().requires_grad_(), unit().requires_grad_()
    value = nested(LOSS, [8, 4, 2], weights)(left)
    direct = torch.zeros((), dtype=torch.float64)
    for size, weight in zip([8, 4, 2], weights or [1, 1, 1], strict=True):
        prefix = right[:, :size]
        direct = direct + weight * LOSS(prefix / prefix.norm(dim=1, keepdim=True) if size < 8 else prefix)
    torch.testing.assert_close(value, direct)
    value.backward()
    direct.backward()
    torch.testing.assert_close(left.grad, right.grad)


def test_one_prefix_of_full_size_is_the_loss_itself() -> None:
    assert torch.equal(nested(LOSS, [8])(unit()), LOSS(unit()))


def test_a_weight_of_zero_costs_nothing() -> None:
    def counted(embeddings: Tensor) -> Tensor:
        widths.append(embeddings.shape[1])
        return embeddings.sum()

    widths: list[int] = []
    nested(counted, [8, 4], [0.0, 1.0])(unit())
    assert widths == [4]


def test_gradcheck() -> None:
    assert torch.autograd.gradcheck(nested(LOSS, [6, 3], [1.0, 2.0]), [unit().requires_grad_()])


def test_more_dimensions_than_there_are() -> None:
    with pytest.raises(InputError, match=r"dimension 16 is larger than the model's 8. Give at most 8"):
        nested(LOSS, [8, 16])(unit())


@pytest.mark.parametrize(
    ("dims", "weights", "message"),
    [
        ([], None, "no dimensions"),
        ([0], None, "0 is no number of dimensions"),
        ([2.5], None, "2.5 is no number"),
        ([4, 4], None, "twice"),
        ([4, 2], [1.0], "1 weights for 2 dims"),
        ([4, 2], [1.0, -1.0], "finite ones"),
        ([4, 2], [0.0, 0.0], "not all of them 0"),
    ],
)
def test_dims_and_weights_that_cannot_be(dims: Any, weights: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        nested(LOSS, dims, weights)
