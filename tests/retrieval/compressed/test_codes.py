"""Codes: what they lose at most, by hand, and as faiss has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cosmith.errors import InputError
from cosmith.retrieval import int8_codes, sign_bits
from cosmith.retrieval.compressed import ProductCode, RaBitQCode, bytes_of
from cosmith.retrieval.compressed.named_codes import CodeName, code_of, fit_code

NAMES: tuple[CodeName, ...] = ("float32", "float16", "int8", "uint8", "binary", "rabitq")
VECTORS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=st.integers(-64, 64)
).map(lambda rows: rows / np.float32(64))


def unit(count: int, dimension: int, *, seed: int = 0, offset: float = 0.0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)) + offset
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(VECTORS)
def test_numbers_are_off_by_half_a_step_at_most(vectors: np.ndarray) -> None:
    exact = fit_code("float32", vectors)
    assert np.array_equal(exact.decode(exact.encode(vectors)), vectors)
    half = fit_code("float16", vectors)
    assert np.array_equal(half.decode(half.encode(vectors)), vectors)  # 64ths are float16 numbers
    for name in ("int8", "uint8"):
        code: Any = fit_code(name, vectors)  # type: ignore[arg-type]
        assert np.abs(code.decode(code.encode(vectors)) - vectors).max() <= code.scale / 2 * (1 + 1e-4)
        beyond = code.decode(code.encode(vectors * 100))
        assert np.abs(beyond).max() <= np.abs(vectors).max(initial=0) * (1 + 1e-5) + (not vectors.any()) * 127


@given(VECTORS)
def test_codes_are_plain_rows_that_their_fit_reads_again(vectors: np.ndarray) -> None:
    for name in NAMES:
        code = fit_code(name, vectors)
        codes = code.encode(vectors)
        assert codes.shape == (len(vectors), code.width)
        assert codes.dtype == code.dtype
        assert codes.nbytes == len(vectors) * bytes_of(code)
        again = code_of(name, vectors.shape[1], code.arrays())
        assert np.array_equal(again.encode(vectors[::-1]), codes[::-1])  # each row by itself, in its place
        assert np.array_equal(again.decode(codes), code.decode(codes))
        assert np.isfinite(code.decode(codes)).all()


def test_codes_by_hand() -> None:
    vectors = np.array([[0.5, -1.0, 0.0], [0.0, 0.251, 0.1]], dtype=np.float32)
    whole, signs = fit_code("uint8", vectors), fit_code("binary", vectors)
    assert whole.encode(vectors).tolist() == [[192, 1, 128], [128, 160, 141]]
    assert np.array_equal(fit_code("int8", vectors).encode(vectors), int8_codes(vectors)[0])
    assert signs.encode(vectors).tolist() == [[0b10000000], [0b01100000]]
    assert np.allclose(signs.decode(signs.encode(vectors)) * 3**0.5, [[1, -1, -1], [-1, 1, 1]])
    assert [bytes_of(fit_code(name, unit(3, 384))) for name in NAMES] == [1536, 768, 384, 384, 48, 56]
    assert np.isfinite(fit_code("float16", vectors).encode(vectors * 1e6)).all()


def test_rabitq_estimates_as_the_paper_has_it() -> None:
    vectors, queries = unit(200, 64, offset=0.3), unit(20, 64, seed=1, offset=0.3)
    code = RaBitQCode.fit(vectors)
    residual = vectors - code.centre
    lengths = np.linalg.norm(residual, axis=1)
    signs = np.where(residual > 0, 1, -1) / 8  # unit length: √64
    cosine = (signs * residual / lengths[:, None]).sum(axis=1)
    estimate = lengths / cosine * (queries @ signs.T)  # <o - c, q>, by their estimator with the whole query
    along = queries @ code.centre / (code.centre @ code.centre)
    known = (residual @ code.centre) - lengths / cosine * (signs @ code.centre)  # what it errs by towards the centre
    expected = queries @ code.centre[:, None] + estimate + along[:, None] * known
    found = queries @ code.decode(code.encode(vectors)).T
    assert np.allclose(found, expected, atol=1e-5)
    plain = queries @ code.centre[:, None] + estimate
    exact = queries @ vectors.T
    assert np.abs(found - exact).mean() < np.abs(plain - exact).mean()
    assert np.allclose(code.decode(code.encode(vectors)) @ code.centre, vectors @ code.centre, atol=1e-5)


def test_rabitq_is_that_of_faiss_around_zero() -> None:
    faiss = pytest.importorskip("faiss")
    half = unit(300, 64)
    vectors, queries = np.concatenate([half, -half]), unit(10, 64, seed=1)  # their mean is 0
    index = faiss.IndexRaBitQ(64, faiss.METRIC_INNER_PRODUCT)
    index.qb = 0  # queries as they are
    index.train(vectors)
    index.add(vectors)
    scores, positions = index.search(queries, 20)
    code = RaBitQCode.fit(vectors)
    ours = queries @ code.decode(code.encode(vectors)).T
    assert np.allclose(np.take_along_axis(ours, positions, axis=1), scores, atol=1e-3)
    assert np.allclose(-np.sort(-ours, axis=1)[:, :20], scores, atol=1e-3)


def test_products_are_those_of_faiss() -> None:
    faiss = pytest.importorskip("faiss")
    vectors, others = unit(400, 16), unit(50, 16, seed=1)
    code = ProductCode.fit(vectors, 4, seed=3)
    theirs = faiss.ProductQuantizer(16, 4, 8)
    faiss.copy_array_to_vector(code.centroids.ravel(), theirs.centroids)
    codes = code.encode(others)
    assert codes.shape == (50, 4)
    assert np.array_equal(codes, theirs.compute_codes(others))
    assert np.allclose(code.decode(codes), theirs.decode(codes), atol=1e-6)
    assert np.array_equal(ProductCode.fit(vectors, 4, seed=3).centroids, code.centroids)
    few = ProductCode.fit(vectors[:3], 2)
    assert np.allclose(few.decode(few.encode(vectors[:3])), vectors[:3], atol=1e-5)  # a centroid for each


def test_parts_that_do_not_go_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"12 numbers cannot be cut into 5 equal parts. Choose one of 1, 2, 3, 4, 6, 12"
    ):
        ProductCode.fit(unit(3, 12), 5)


def test_without_faiss_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r'pip install "cosmith\[compress\]"'):
        fit_code("pq", unit(3, 12), parts=3)


@given(VECTORS)
def test_signs_are_one_definition(vectors: np.ndarray) -> None:
    code = fit_code("binary", vectors)
    assert np.array_equal(code.encode(vectors), sign_bits(vectors))
    assert np.array_equal(code.encode(code.decode(code.encode(vectors))), code.encode(vectors))


@pytest.mark.parametrize("count", [1, 4, 5, 40])
def test_scores_are_products_with_what_codes_stand_for(count: int) -> None:
    vectors, queries = unit(1100, 44, offset=0.2), 3 * unit(count, 44, seed=1, offset=0.1)  # 44: no whole last byte
    for name in ("float32", "float16", "int8", "uint8", "rabitq"):
        code = fit_code(name, vectors)  # type: ignore[arg-type]
        codes = code.encode(vectors)
        assert np.allclose(code.scores(queries, codes), queries @ code.decode(codes).T, atol=1e-5), name
        assert code.scores(queries, codes[:0]).shape == (count, 0)
    pytest.importorskip("faiss")
    products = fit_code("pq", vectors, parts=11)
    codes = products.encode(vectors)
    assert np.allclose(products.scores(queries, codes), queries @ products.decode(codes).T, atol=1e-5)


def test_every_float16_is_multiplied_as_it_is() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)][:, None]
    code = fit_code("float16", np.ones((1, 1), dtype=np.float32))
    for factor in (1.0, -0.5, 2.0**60, 2.0**-60):  # powers of two: all products are exact
        query = np.array([[factor]], dtype=np.float32)
        assert np.array_equal(code.scores(query, finite)[0], finite[:, 0].astype(np.float32) * query[0, 0])
