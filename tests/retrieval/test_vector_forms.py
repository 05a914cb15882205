"""Smaller forms of vectors: by hand, by their laws, and as sentence-transformers packs them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cosmith.errors import InputError
from cosmith.retrieval import as_stored, int8_codes, sign_bits, stored_bytes
from cosmith.retrieval.vector_forms import require_forms

VECTORS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=st.integers(-64, 64)
).map(lambda rows: rows / 64)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def test_codes_by_hand() -> None:
    codes, scale = int8_codes(np.array([[0.5, -1.0], [0.0, 0.251]], dtype=np.float32))
    assert scale == pytest.approx(1 / 127)
    assert codes.tolist() == [[64, -127], [0, 32]]  # 63.5 goes to the even one
    assert codes.dtype == np.int8
    assert int8_codes(np.zeros((2, 3), dtype=np.float32)) == (pytest.approx(0), 1.0)


def test_bits_and_bytes_by_hand() -> None:
    bits = sign_bits(np.array([[0.1, -0.1, 0.0, 3, 4, 5, 6, -7, 1]], dtype=np.float32))
    assert bits.tolist() == [[0b10011110, 0b10000000]]
    assert [stored_bytes(384, form) for form in ("float32", "int8", "binary")] == [1536, 384, 48]
    assert stored_bytes(9, "binary") == 2


@given(VECTORS)
def test_codes_are_off_by_half_a_scale_at_most(vectors: np.ndarray) -> None:
    codes, scale = int8_codes(vectors)
    assert np.abs(codes.astype(np.float64) * scale - vectors).max() <= scale / 2 * (1 + 1e-5)
    assert np.array_equal(int8_codes(-vectors)[0], -codes)


@given(VECTORS)
def test_binary_products_are_distances_in_bits_exactly(vectors: np.ndarray) -> None:
    vectors[np.abs(vectors).max(axis=1) == 0] = 1.0
    width = vectors.shape[1]
    stored = as_stored(vectors, "binary")
    distances = np.bitwise_count(sign_bits(vectors)[:, None] ^ sign_bits(vectors)[None]).sum(axis=2, dtype=np.int64)
    level = float(np.abs(stored).max()) ** 2
    assert np.array_equal(stored @ stored.T / np.float32(level), (width - 2 * distances).astype(np.float32))
    assert 0.7 <= np.linalg.norm(stored[0]) <= 1.4143


@given(VECTORS)
def test_int8_keeps_directions(vectors: np.ndarray) -> None:
    vectors = unit(vectors)
    stored = as_stored(vectors, "int8")
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(np.linalg.norm(stored, axis=1), lengths, atol=1e-5)
    assert (np.einsum("ij,ij->i", stored, vectors) >= 0.99 * lengths**2).all()


def test_nothing_stays_nothing_and_unknown_forms_are_refused() -> None:
    rows = np.array([[0, 0, 0], [1, 0, 0]], dtype=np.float32)
    for form in ("float32", "int8", "binary"):
        assert not as_stored(rows, form)[0].any()  # type: ignore[arg-type]
        assert as_stored(rows[:0], form).shape == (0, 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"\[precisions\]: there is no form of vectors 'int4'"):
        require_forms(["float32", "int4"])
