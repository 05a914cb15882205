"""One tensor of several, against numbers made by hand and short references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosmith.training.merging.tensors import add_task_vectors, slerp, slerp_all, ties, weighted_mean

numbers = st.floats(-10, 10, width=32)
matrices = arrays(np.float32, (3, 4), elements=numbers).map(torch.from_numpy)


def test_the_mean_is_weighted_and_keeps_its_kind() -> None:
    mean = weighted_mean([torch.tensor([1.0, 2.0]), torch.tensor([3.0, 6.0])], [0.25, 0.75])
    assert mean.tolist() == [2.5, 5.0]
    assert mean.dtype == torch.float32
    assert weighted_mean([torch.ones(2, dtype=torch.bfloat16)], [1.0]).dtype == torch.bfloat16


def test_slerp_by_hand() -> None:
    """A quarter turn, half way: both by sin 45°, so the length stays; and of unequal lengths."""
    half = math.sqrt(0.5)
    torch.testing.assert_close(slerp(torch.tensor([1.0, 0]), torch.tensor([0, 1.0]), 0.5), torch.tensor([half, half]))
    third = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0]), 1 / 3)
    torch.testing.assert_close(third, torch.tensor([2 * math.sin(math.pi / 3), 4 * math.sin(math.pi / 6)]))


@given(matrices, matrices, st.floats(0, 1))
def test_slerp_keeps_the_length_of_equally_long_ones_and_meets_its_ends(
    first: torch.Tensor, second: torch.Tensor, share: float
) -> None:
    torch.testing.assert_close(slerp(first, second, 0.0), first, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(slerp(first, second, 1.0), second, rtol=1e-5, atol=1e-5)
    cosine = float(torch.nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0))
    if float(first.norm()) > 0.1 and float(second.norm()) > 0.1 and abs(cosine) < 0.999:
        a, b = first / first.norm(), second / second.norm()
        assert float(slerp(a, b, share).norm()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("second", [[0.0, 0.0], [2.0, 4.0], [-1.0, -2.0]], ids=["zero", "parallel", "opposed"])
def test_where_there_is_no_arc_slerp_goes_straight(second: list[float]) -> None:
    first = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(slerp(first, torch.tensor(second), 0.25), 0.75 * first + 0.25 * torch.tensor(second))


@given(matrices)
def test_equal_tensors_merge_to_themselves(one: torch.Tensor) -> None:
    for merged in (weighted_mean([one] * 3, [0.2, 0.3, 0.5]), slerp_all([one] * 3, [1, 2, 3])):
        torch.testing.assert_close(merged, one, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ties(one, [one, one], [1, 1], density=0.2, scale=1.0), one)


def test_slerp_of_three_gives_each_its_share() -> None:
    """On an arc in one plane the shares are those of the angles: 0°, 30° and 90°, a third each, meet at 40°."""
    angles = [0.0, math.pi / 6, math.pi / 2]
    merged = slerp_all([torch.tensor([math.cos(a), math.sin(a)], dtype=torch.float64) for a in angles], [1, 1, 1])
    assert math.atan2(merged[1], merged[0]) == pytest.approx(sum(angles) / 3)


def test_task_vectors_are_added_to_the_base() -> None:
    base = torch.tensor([1.0, 1.0])
    merged = add_task_vectors(base, [torch.tensor([2.0, 1.0]), torch.tensor([1.0, 5.0])], [1.0, 1.0], 0.5)
    assert merged.tolist() == [1.5, 3.0]


def test_ties_by_hand() -> None:
    """Half of each is kept; in the first column 3 and -1 have the sign of 2, so the mean is of 3 alone."""
    base = torch.zeros(4)
    one, other = torch.tensor([3.0, 0.1, -2.0, 0.2]), torch.tensor([-1.0, 0.5, -4.0, 0.3])
    assert ties(base, [one, other], [1, 1], density=0.5, scale=1.0).tolist() == [3.0, 0.0, -3.0, 0.0]


def naive_ties(base: np.ndarray, models: list[np.ndarray], density: float) -> np.ndarray:
    """Number by number, as the paper's algorithm reads."""
    trimmed = []
    for model in models:
        change = (model - base).ravel()
        kept = sorted(range(len(change)), key=lambda place: -abs(change[place]))[: math.ceil(density * len(change))]
        trimmed.append([change[place] if place in kept else 0.0 for place in range(len(change))])
    result = base.ravel().copy()
    for place in range(len(result)):
        values = [change[place] for change in trimmed]
        sign = np.sign(sum(values))
        agreeing = [value for value in values if value != 0 and np.sign(value) == sign]
        result[place] += np.mean(agreeing) if agreeing else 0.0
    return result.reshape(base.shape)


@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
def test_ties_is_the_algorithm_of_the_paper(density: float) -> None:
    rng = np.random.default_rng(0)
    base, *models = rng.normal(size=(4, 5, 7))
    merged = ties(torch.tensor(base), [torch.tensor(m) for m in models], [1, 1, 1], density=density, scale=1.0)
    np.testing.assert_allclose(merged.numpy(), naive_ties(base, models, density), rtol=1e-12)
