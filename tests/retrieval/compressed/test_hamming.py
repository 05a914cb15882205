"""Bits that differ, counted in three ways."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.retrieval.compressed.hamming import differing_bits


@given(st.integers(1, 70), st.integers(0, 9), st.integers(0, 300), st.integers(0, 9))
def test_both_ways_count_the_bits(width: int, asked: int, stored: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    queries = random.integers(0, 256, (asked, width), dtype=np.uint8)
    codes = random.integers(0, 256, (stored, 2 * width), dtype=np.uint8)[:, :width]  # rows that lie apart
    expected = np.unpackbits(queries[:, None] ^ codes, axis=2).sum(axis=2)
    found = [differing_bits(queries, codes)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "faiss", None)
        found.append(differing_bits(queries, codes))
    for counts in found:
        assert counts.dtype == np.int32
        assert np.array_equal(counts, expected)
