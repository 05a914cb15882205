"""One tensor of several, against numbers made by hand and short references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosmith.training.merging.tensors import (
    add_task_vectors,
    least_kept,
    slerp,
    slerp_all,
    ties,
    weighted_mean,
)

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
    torch.testing.assert_close(ties(one, [one, one], [1, 1], least=[0.0, 0.0], scale=1.0), one)


def test_slerp_of_three_gives_each_its_share() -> None:
    """On an arc in one plane the shares are those of the angles: 0°, 30° and 90°, a third each, meet at 40°."""
    angles = [0.0, math.pi / 6, math.pi / 2]
    merged = slerp_all([torch.tensor([math.cos(a), math.sin(a)], dtype=torch.float64) for a in angles], [1, 1, 1])
    assert math.atan2(merged[1], merged[0]) == pytest.approx(sum(angles) / 3)


def test_task_vectors_are_added_to_the_base() -> None:
    base = torch.tensor([1.0, 1.0])
    merged = add_task_vectors(base, [torch.tensor([2.0, 1.0]), torch.tensor([1.0, 5.0])], [1.0, 1.0], 0.5)
    assert merged.tolist() == [1.5, 3.0]


def model_ties(base: list[np.ndarray], models: list[list[np.ndarray]], density: float) -> list[np.ndarray]:
    """TIES of models of several tensors, as :func:`cosmith.training.merge` puts it together."""
    start = [torch.tensor(part) for part in base]
    others = [[torch.tensor(part) for part in model] for model in models]
    least = [least_kept(list(zip(start, other, strict=True)), density) for other in others]
    return [
        ties(part, [other[place] for other in others], [1] * len(others), least=least, scale=1.0).numpy()
        for place, part in enumerate(start)
    ]


def paper_ties(base: list[np.ndarray], models: list[list[np.ndarray]], density: float) -> list[np.ndarray]:
    """Algorithm 1 of the paper, number by number, on the one vector of all weights of a model."""
    start = np.concatenate([part.ravel() for part in base])
    trimmed = []
    for model in models:
        change = np.concatenate([part.ravel() for part in model]) - start
        kept = sorted(range(len(change)), key=lambda place: -abs(change[place]))[: math.ceil(density * len(change))]
        trimmed.append([change[place] if place in kept else 0.0 for place in range(len(change))])
    for place in range(len(start)):
        values = [change[place] for change in trimmed]
        sign = np.sign(sum(values))
        agreeing = [value for value in values if value != 0 and np.sign(value) == sign]
        start[place] += np.mean(agreeing) if agreeing else 0.0
    ends = np.cumsum([part.size for part in base])[:-1]
    return [flat.reshape(part.shape) for flat, part in zip(np.split(start, ends), base, strict=True)]


def test_ties_by_hand() -> None:
    """Half of each is kept; in the first column 3 and -1 have the sign of 2, so the mean is of 3 alone."""
    base = np.zeros(4)
    one, other = np.array([3.0, 0.1, -2.0, 0.2]), np.array([-1.0, 0.5, -4.0, 0.3])
    assert model_ties([base], [[one], [other]], 0.5)[0].tolist() == [3.0, 0.0, -3.0, 0.0]


def test_ties_trims_the_changes_of_the_whole_model_and_not_of_each_tensor() -> None:
    """Half of eight numbers: of the first model 5, -4, 3 and 2, all in one tensor; of the second 9, -6, 1 and 0.9.

    By column: (5 + 9) / 2; -4 alone; 3 against -6 leaves -6; 2 alone. Of the second tensor, where the first model's
    changes are all too small, 1 and 0.9 of the second model stay. Trimmed by tensor, 0.8 and 0.7 would stay, too.
    """
    base = [np.ones(4), np.ones(4)]
    one = [np.array([5.0, -4.0, 3.0, 2.0]), np.array([0.1, 0.2, 0.7, -0.8])]
    other = [np.array([9.0, 0.5, -6.0, 0.6]), np.array([1.0, 0.9, 0.3, 0.2])]
    merged = model_ties(base, [[part + 1 for part in one], [part + 1 for part in other]], 0.5)
    np.testing.assert_allclose(merged[0] - 1, [7.0, -4.0, -6.0, 2.0])
    np.testing.assert_allclose(merged[1] - 1, [1.0, 0.9, 0.0, 0.0])


@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
def test_ties_is_the_algorithm_of_the_paper(density: float) -> None:
    rng = np.random.default_rng(0)
    base, *models = ([rng.normal(size=(5, 7)), 0.1 * rng.normal(size=3), 3 * rng.normal(size=(2, 4))] for _ in range(4))
    for ours, theirs in zip(model_ties(base, models, density), paper_ties(base, models, density), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@given(st.lists(arrays(np.float64, 6, elements=st.floats(-1e9, 1e9)), min_size=1, max_size=3), st.floats(0.01, 1))
def test_the_smallest_change_that_is_kept_is_found_exactly(parts: list[np.ndarray], density: float) -> None:
    changes = [torch.from_numpy(part) for part in parts]
    found = least_kept([(torch.zeros(6), change) for change in changes], density)
    sizes = torch.cat(changes).abs()
    rank = math.ceil(density * len(sizes))
    assert found == (0.0 if density == 1 else float(sizes.kthvalue(len(sizes) - rank + 1).values))
