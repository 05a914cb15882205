"""Spread, effective rank, alignment, uniformity: against hand-computed numbers and naive loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.evaluation.geometry import alignment, effective_rank, mean_cosine, uniformity


def unit(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    vectors = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vectors, dim=1)


def test_by_hand() -> None:
    cross = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert mean_cosine(cross) == pytest.approx((8 * 0 + 4 * -1) / 12)
    assert effective_rank(cross) == pytest.approx(2.0)
    # of 12 ordered pairs 8 have squared distance 2, 4 have 4
    assert uniformity(cross) == pytest.approx(math.log((8 * math.exp(-4) + 4 * math.exp(-8)) / 12), rel=1e-5)
    assert alignment(cross, cross) == 0.0
    assert alignment(cross, -cross) == pytest.approx(4.0)


def test_vectors_that_are_all_the_same() -> None:
    same = unit(1, 8).repeat(5, 1)
    assert mean_cosine(same) == pytest.approx(1.0)
    assert effective_rank(same) == 0.0
    assert uniformity(same) == pytest.approx(0.0, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 100))
def test_against_naive_loops(rows: int, width: int, seed: int) -> None:
    vectors = unit(rows, width, seed)
    values = vectors.double().numpy()
    cosines = [float(a @ b) for i, a in enumerate(values) for j, b in enumerate(values) if i != j]
    assert mean_cosine(vectors) == pytest.approx(np.mean(cosines), abs=1e-5)
    assert uniformity(vectors) == pytest.approx(np.log(np.mean([np.exp(-2 * (2 - 2 * c)) for c in cosines])), abs=1e-4)
    spectrum = np.linalg.svd(values - values.mean(0), compute_uv=False) ** 2
    share = spectrum[spectrum > 1e-12] / spectrum.sum()
    assert effective_rank(vectors) == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-3)
