"""Search by sparse vectors finds what a matrix product finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosmith.errors import InputError
from cosmith.models import SparseVectors
from cosmith.retrieval import search_sparse

NUMBERS = st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 2.0])


@given(arrays(np.float32, st.tuples(st.integers(0, 4), st.just(6)), elements=NUMBERS),
       arrays(np.float32, st.tuples(st.integers(0, 9), st.just(6)), elements=NUMBERS), st.integers(1, 12))  # fmt: skip
@settings(deadline=None, max_examples=80)
def test_as_the_matrix_product(queries: np.ndarray, documents: np.ndarray, k: int) -> None:
    positions, scores = search_sparse(SparseVectors.of(queries), SparseVectors.of(documents), k)
    assert positions.shape == scores.shape == (len(queries), min(k, len(documents)))
    for row, products in enumerate(queries @ documents.T):
        meets = ((queries[row] > 0) & (documents > 0)).any(1)
        order = [n for n in np.argsort(-products, kind="stable") if meets[n]][:k]
        found = np.isfinite(scores[row])
        assert positions[row][found].tolist() == order
        np.testing.assert_allclose(scores[row][found], products[order])


def test_what_does_not_fit_is_said() -> None:
    one, other = (SparseVectors.of(np.ones((1, width), dtype=np.float32)) for width in (2, 3))
    with pytest.raises(InputError, match="3"):
        search_sparse(one, other, 1)
    with pytest.raises(InputError, match="at least 1"):
        search_sparse(one, one, 0)
    broken = SparseVectors.of(np.array([[np.nan, 1.0]], dtype=np.float32))
    with pytest.raises(InputError, match="not finite"):
        search_sparse(one, broken, 1)
