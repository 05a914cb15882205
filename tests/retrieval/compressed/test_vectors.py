"""Compressed vectors as a user has them: built, searched, saved, loaded, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.retrieval import search_dense, sign_bits
from cosmith.retrieval.compressed import CompressedVectors, FittedCoding, StoredCodes, neighbour_recall, parse_form

CODES = ("float32", "float16", "int8", "uint8", "binary", "rabitq")
FORMS = (
    *CODES, "pca8+int8", "whitened8+float16", "cut8+rotated+binary", "binary, rescored x3 by int8",
    "pca8+rabitq, rescored x2 by pca12+float32",
)  # fmt: skip
OF_FAISS = ("pq4", "hnsw-sq8", "ivf-rabitq", "pca8+ivf-rabitq, rescored x3 by float16")


def unit(count: int, dimension: int = 16, *, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, dimension)) * np.linspace(2, 0.2, dimension) + 0.2
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("name", [name for name in FORMS if "rescored" not in name])
def test_a_scan_is_by_what_the_codes_stand_for(name: str) -> None:
    vectors, queries = unit(300), unit(20, seed=1)
    built = CompressedVectors.build(vectors, name)
    assert isinstance(built.first, StoredCodes)
    fitted = built.first.fitted
    asked = fitted.transformed(queries)
    if "binary" in name:
        asked = fitted.code.decode(fitted.code.encode(asked))
    expected = asked @ fitted.code.decode(built.first.codes).T
    positions, scores = built.search(queries, 10)
    assert np.allclose(np.take_along_axis(expected, positions, axis=1), scores, atol=1e-5)
    assert np.allclose(-np.sort(-expected, axis=1)[:, :10], scores, atol=1e-5)


def test_signs_are_searched_by_distance_in_bits() -> None:
    for dimension in (7, 16, 64, 72):  # bytes, pairs of bytes, whole words
        vectors, queries = unit(2000, dimension), unit(5, dimension, seed=1)
        differ = np.bitwise_count(sign_bits(queries)[:, None] ^ sign_bits(vectors)[None]).sum(axis=2, dtype=np.int64)
        positions, scores = CompressedVectors.build(vectors, "binary").search(queries, 30)
        assert np.array_equal(positions, np.argsort(differ, axis=1, kind="stable")[:, :30])
        assert np.allclose(scores, 1 - 2 * np.take_along_axis(differ, positions, axis=1) / dimension)


def test_signs_are_found_as_faiss_finds_them() -> None:
    faiss = pytest.importorskip("faiss")
    vectors, queries = unit(500, 64), unit(5, 64, seed=1)
    index = faiss.IndexBinaryFlat(64)
    index.add(sign_bits(vectors))
    distances, _ = index.search(sign_bits(queries), 10)
    _, scores = CompressedVectors.build(vectors, "binary").search(queries, 10)
    assert np.allclose(scores, 1 - 2 * distances / 64)


@pytest.mark.parametrize(("name", "theirs"), [("float16", "QT_fp16"), ("float32", None)])
def test_scans_are_those_of_faiss(name: str, theirs: str | None) -> None:
    faiss = pytest.importorskip("faiss")
    vectors, queries = unit(500), unit(10, seed=1)
    metric = faiss.METRIC_INNER_PRODUCT
    index = (
        faiss.IndexFlat(16, metric)
        if theirs is None
        else faiss.IndexScalarQuantizer(16, getattr(faiss.ScalarQuantizer, theirs), metric)
    )
    index.add(vectors)
    scores, positions = index.search(queries, 10)
    ours = CompressedVectors.build(vectors, name).search(queries, 10)
    assert np.array_equal(ours[0], positions)
    assert np.allclose(ours[1], scores, atol=1e-5)


def test_rescoring_puts_candidates_in_the_finer_order() -> None:
    vectors, queries = unit(400), unit(15, seed=1)
    candidates, _ = CompressedVectors.build(vectors, "binary").search(queries, 15)
    exact = np.take_along_axis(queries @ vectors.T, candidates, axis=1)
    best = np.take_along_axis(candidates, np.argsort(-exact, axis=1, kind="stable"), axis=1)[:, :5]
    positions, scores = CompressedVectors.build(vectors, "binary, rescored x3 by float32").search(queries, 5)
    assert np.array_equal(positions, best)
    assert np.allclose(scores, np.take_along_axis(queries @ vectors.T, best, axis=1), atol=1e-6)
    everything = CompressedVectors.build(vectors, "binary, rescored x80 by float32").search(queries, 5)
    assert np.array_equal(everything[0], search_dense(queries, vectors, 5)[0])


@pytest.mark.parametrize("name", OF_FAISS)
def test_structures_find_most_of_the_nearest(name: str) -> None:
    pytest.importorskip("faiss")
    vectors, queries = unit(1000), unit(20, seed=1)
    exact = search_dense(queries, vectors, 10)[0]
    positions, scores = CompressedVectors.build(vectors, name).search(queries, 10)
    floor = {"pq4": 0.3, "hnsw-sq8": 0.9, "ivf-rabitq": 0.2, OF_FAISS[3]: 0.35}[name]
    assert neighbour_recall(positions, exact) >= floor
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("name", [*FORMS, *OF_FAISS])
def test_what_is_saved_is_found_the_same(name: str, tmp_path: Path) -> None:
    if name in OF_FAISS:
        pytest.importorskip("faiss")
    vectors, queries = unit(120), unit(6, seed=1)
    built = CompressedVectors.build(vectors, name)
    loaded = built.save(tmp_path / "vectors")
    assert (loaded.form, loaded.dimension, len(loaded)) == (parse_form(name), 16, 120)
    assert (loaded.bytes, loaded.finer_bytes) == (built.bytes, built.finer_bytes)
    for ours, theirs in zip(built.search(queries, 7), loaded.search(queries, 7), strict=True):
        assert np.array_equal(ours, theirs)
    if isinstance(loaded.first, StoredCodes):
        assert isinstance(loaded.first.codes.base, np.memmap)
    loaded.save(tmp_path / "vectors")  # over itself, while it is mapped
    assert np.array_equal(
        CompressedVectors.load(tmp_path / "vectors").search(queries, 7)[0], built.search(queries, 7)[0]
    )


@pytest.mark.parametrize("name", ["int8", "pca8+rabitq", "hnsw-sq8", "ivf-rabitq"])
def test_bytes_are_those_on_the_disk(name: str, tmp_path: Path) -> None:
    if name in OF_FAISS:
        pytest.importorskip("faiss")
    built = CompressedVectors.build(unit(3000, 64), name).save(tmp_path / "vectors")
    (file,) = [*(tmp_path / "vectors").glob("first.codes.npy"), *(tmp_path / "vectors").glob("first.faiss")]
    assert built.bytes == pytest.approx(file.stat().st_size / 3000, rel=0.03)


@pytest.mark.parametrize("name", [*FORMS, *OF_FAISS])
def test_one_vector_a_zero_vector_and_more_than_there_are(name: str) -> None:
    if name in OF_FAISS:
        pytest.importorskip("faiss")
    queries = unit(3, seed=1)
    for vectors in (unit(1), np.zeros((1, 16), dtype=np.float32), np.concatenate([unit(4), np.zeros((1, 16), "f4")])):
        positions, scores = CompressedVectors.build(vectors, name).search(queries, 50)
        assert positions.shape == scores.shape == (3, len(vectors))
        assert np.isfinite(scores).all()
        assert np.array_equal(np.sort(positions, axis=1), np.tile(np.arange(len(vectors)), (3, 1)))
    assert CompressedVectors.build(unit(5), name).search(queries[:0], 2)[0].shape == (0, 2)


@settings(max_examples=25)
@given(st.sampled_from(CODES), st.integers(1, 40), st.integers(1, 20), st.integers(0, 9))
def test_rows_stand_in_the_order_of_vectors(code: str, count: int, dimension: int, seed: int) -> None:
    vectors = unit(count, dimension, seed=seed)
    fitted = FittedCoding.fit(parse_form(code).first, vectors)  # type: ignore[arg-type]
    order = np.random.default_rng(seed).permutation(count)
    decoded = fitted.decode(fitted.encode(vectors))
    # A rotation's products may differ in their last bits with the number of rows.
    assert np.allclose(fitted.decode(fitted.encode(vectors[order])), decoded[order], atol=1e-4)
    if code in ("float16", "int8", "uint8"):
        assert np.abs(decoded - vectors).max() < 0.005


def test_vectors_that_cannot_be_coded_are_refused() -> None:
    vectors = unit(20)
    with pytest.raises(InputError, match=r"form.: 'pca17': cannot keep 17 of 16 numbers"):
        CompressedVectors.build(vectors, "pca17+int8")
    for bad in (np.nan, np.inf):
        broken = vectors.copy()
        broken[13, 2] = bad
        for name in ("int8", "float32", "pca4+binary", "binary, rescored x2 by int8"):
            with pytest.raises(InputError, match=r"vector number 13 .* is not finite"):
                CompressedVectors.build(broken, name)
        with pytest.raises(InputError, match=r"vector number 13 .* is not finite"):
            CompressedVectors.build(vectors, "binary").search(broken, 2)
    with pytest.raises(InputError, match="n and D of at least 1"):
        CompressedVectors.build(vectors[:0], "int8")
    with pytest.raises(InputError, match=r"queries \(20, 8\) must be \[Q, 16\]"):
        CompressedVectors.build(vectors, "int8").search(vectors[:, :8], 2)
    for name in ("float32", "binary"):
        with pytest.raises(InputError, match="at least 1, got 0"):
            CompressedVectors.build(vectors, name).search(vectors, 0)


def test_another_models_queries_are_refused(words_encoder: Callable[..., Any], tmp_path: Path) -> None:
    encoder, other = words_encoder(), words_encoder(seed=1)
    vectors = encoder.encode(["apple", "bread", "cloud"])
    CompressedVectors.build(vectors, "int8", encoder=encoder).save(tmp_path / "vectors")
    found = CompressedVectors.load(tmp_path / "vectors", encoder=encoder)
    assert found.search(encoder.encode(["bread"]), 1)[0].tolist() == [[1]]
    with pytest.raises(InputError, match=r"vectors were made by WordsEncoder \(words-0-64\), but searched with"):
        CompressedVectors.load(tmp_path / "vectors", encoder=other)
    unnamed = CompressedVectors.build(vectors, "int8")
    with pytest.raises(InputError, match="made by a model that was not said"):
        unnamed.require(encoder)


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "vectors"
    CompressedVectors.build(unit(50), "pca8+int8").save(place)
    card = place / "vectors.json"
    about = json.loads(card.read_text())
    for wrong, told in (
        ({"format": 2}, "is of format 2"),
        ({"form": "pca8+int9"}, "no code 'int9'"),
        ({"count": 51}, "holds 50 vectors in one part, and 51 in all"),
        ({"dimension": 20}, "for vectors of 20 numbers"),
        ({"parts": {}}, "is damaged"),
        ({"form": "pca8+rabitq"}, "is damaged"),
    ):
        card.write_text(json.dumps(about | wrong))
        with pytest.raises(InputError, match=told):
            CompressedVectors.load(place)
    card.write_text(json.dumps(about))
    codes = place / "first.codes.npy"
    whole = codes.read_bytes()
    codes.write_bytes(whole + b"\0")
    with pytest.raises(InputError, match=r"first\.codes\.npy.*1 byte behind its 50 rows"):
        CompressedVectors.load(place)
    codes.write_bytes(whole[:-3])
    with pytest.raises(InputError, match=r"first\.codes\.npy.*not a whole \.npy file"):
        CompressedVectors.load(place)
    codes.unlink()
    with pytest.raises(InputError, match="there is no such file"):
        CompressedVectors.load(place)
    with pytest.raises(InputError, match="there is no such folder"):
        CompressedVectors.load(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match=r"there is no vectors\.json"):
        CompressedVectors.load(other)
    with pytest.raises(InputError, match="holds something else than compressed vectors"):
        CompressedVectors.build(unit(5), "int8").save(other)
    assert (other / "mine.txt").read_text() == "keep me"


def test_a_damaged_structure_is_not_handed_to_faiss(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    CompressedVectors.build(unit(50), "hnsw-sq8").save(tmp_path / "vectors")
    file = tmp_path / "vectors" / "first.faiss"
    stored = bytearray(file.read_bytes())
    stored[len(stored) // 2] ^= 255
    file.write_bytes(stored)
    with pytest.raises(InputError, match=r"first\.faiss: was changed or damaged"):
        CompressedVectors.load(tmp_path / "vectors")
    file.write_bytes(b"")
    with pytest.raises(InputError, match=r"first\.faiss: cannot be read"):
        CompressedVectors.load(tmp_path / "vectors")


def test_what_is_fit_on_is_at_most_a_hundred_thousand() -> None:
    from cosmith.retrieval.compressed.coding import sample_of

    vectors = np.arange(250_000, dtype=np.float32)[:, None]
    sample = sample_of(vectors)
    assert sample.shape == (100_000, 1)
    assert (sample[0, 0], sample[-1, 0]) == (0, 249_999)
    assert (np.diff(sample[:, 0]) > 0).all()


def test_recall_by_hand() -> None:
    found, exact = np.array([[3, 1, -1], [7, 8, 9]]), np.array([[1, 2, 3], [4, 5, 9]])
    assert neighbour_recall(found, exact) == pytest.approx(3 / 6)
