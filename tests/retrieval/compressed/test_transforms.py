"""Transforms: their laws, Eckart and Young's, and scikit-learn's components."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.retrieval.compressed import fit_pca, fit_whitening, nested_cut, rotation
from cosmith.retrieval.compressed.coding import fit_transforms
from cosmith.retrieval.compressed.form import TransformStep


def drawn(seed: int, count: int = 60, dimension: int = 12, offset: float = 0.5) -> np.ndarray:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, dimension)) * np.linspace(2, 0.1, dimension) + offset
    return rows.astype(np.float32)


@given(st.integers(0, 100), st.integers(1, 12))
def test_no_other_map_keeps_vectors_with_a_smaller_error(seed: int, kept: int) -> None:
    vectors = drawn(seed)
    pca = fit_pca(vectors, kept)
    error = float(((pca.undo(pca(vectors)) - vectors) ** 2).sum())
    singular = np.linalg.svd(vectors.astype(np.float64), compute_uv=False)
    assert error == pytest.approx(float((singular[kept:] ** 2).sum()), rel=1e-3, abs=1e-3)


def test_centred_components_are_those_of_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.decomposition")
    vectors = drawn(1)
    ours, theirs = fit_pca(vectors, 5, centred=True), sklearn.PCA(5, svd_solver="full").fit(vectors)
    assert np.allclose(np.abs(ours(vectors)), np.abs(theirs.transform(vectors)), atol=1e-4)
    assert np.allclose(ours.undo(ours(vectors)), theirs.inverse_transform(theirs.transform(vectors)), atol=1e-4)


def test_whitened_numbers_vary_alike_and_not_together() -> None:
    vectors = drawn(2, 500)
    whitened = fit_whitening(vectors, 12)
    plain = (vectors - whitened.mean) @ whitened.matrix
    assert np.allclose(np.cov(plain.T, bias=True), np.eye(12), atol=1e-3)
    assert np.allclose(np.linalg.norm(whitened(vectors), axis=1), 1, atol=1e-6)


def test_directions_that_no_vector_has_are_not_blown_up() -> None:
    whitened = fit_whitening(drawn(3, 4), 12)(drawn(4, 9))
    assert np.isfinite(whitened).all()
    assert not fit_whitening(np.ones((3, 4), dtype=np.float32), 4)(np.ones((1, 4), dtype=np.float32)).any()


@given(st.integers(0, 50), st.integers(1, 40))
def test_a_rotation_keeps_inner_products(seed: int, dimension: int) -> None:
    vectors = drawn(seed, 8, dimension)
    turned = rotation(dimension, seed=seed)
    assert np.allclose(turned(vectors) @ turned(vectors).T, vectors @ vectors.T, atol=1e-3)
    assert np.allclose(turned.undo(turned(vectors)), vectors, atol=1e-4)


def test_a_cut_is_the_encoders_own() -> None:
    vectors = drawn(5)
    cut = vectors[:, :5] / np.linalg.norm(vectors[:, :5], axis=1, keepdims=True)
    assert np.allclose(nested_cut(12, 5)(vectors), cut, atol=1e-6)
    assert not nested_cut(3, 1)(np.array([[0, 1, 1]], dtype=np.float32)).any()  # nothing of it is left


def test_several_are_one() -> None:
    vectors = drawn(6)
    steps = (TransformStep("centred-pca", 6), TransformStep("pca", 4), TransformStep("rotated"))
    first = fit_pca(vectors, 6, centred=True)
    second = fit_pca(first(vectors), 4)
    joined = fit_transforms(steps, vectors, seed=3)
    assert joined is not None
    assert np.allclose(joined(vectors), rotation(4, seed=3)(second(first(vectors))), atol=1e-4)
    behind = fit_transforms((TransformStep("pca", 6), TransformStep("centred-pca", 4)), vectors)
    assert behind is not None
    shorter = fit_pca(vectors, 6)(vectors)
    assert np.allclose(behind(vectors), fit_pca(shorter, 4, centred=True)(shorter), atol=1e-4)
    cut = fit_transforms((TransformStep("cut", 6), TransformStep("rotated")), vectors)
    assert cut is not None
    assert np.allclose(cut(vectors), rotation(6)(nested_cut(12, 6)(vectors)), atol=1e-5)
    shortened = fit_transforms((TransformStep("cut", 6), TransformStep("pca", 3)), vectors)
    assert shortened is not None
    last = fit_pca(nested_cut(12, 6)(vectors), 3)(nested_cut(12, 6)(vectors))
    assert np.allclose(shortened(vectors), last / np.linalg.norm(last, axis=1, keepdims=True), atol=1e-5)


def test_what_does_not_go_is_refused() -> None:
    vectors = drawn(7)
    with pytest.raises(InputError, match=r"'pca13': cannot keep 13 of 12 numbers. Choose 1 to 12"):
        fit_transforms((TransformStep("pca", 13),), vectors)
    with pytest.raises(InputError, match="cannot stand behind one that makes unit length"):
        fit_transforms((TransformStep("cut", 6), TransformStep("whitened")), vectors)
    with pytest.raises(InputError, match="not finite"):
        fit_pca(np.full((2, 2), np.nan, dtype=np.float32), 1)
    with pytest.raises(InputError, match="n of at least 1"):
        fit_pca(np.empty((0, 4), dtype=np.float32), 1)
