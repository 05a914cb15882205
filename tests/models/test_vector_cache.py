"""Vectors are made once, found by what they were made of, bounded, shared, and never those of another model."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.models import CachedEncoder, Encoder, VectorCache, default_cache_path, tiny_encoder
from cosmith.models import vector_cache as module

FORK = multiprocessing.get_context("fork")
TEXTS = [f"text {number}" for number in range(40)]


def keys(count: int, first: int = 0) -> list[bytes]:
    return [number.to_bytes(16, "little") for number in range(first, first + count)]


def rows(count: int, width: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@pytest.mark.parametrize("memory", [0, 10**7])
def test_a_second_time_no_text_is_encoded_and_the_vectors_are_the_same(
    words_encoder: Any, tmp_path: Path, memory: int
) -> None:
    encoder = words_encoder()
    for expected in (40, 0):
        with VectorCache(tmp_path / "vectors.sqlite", memory_bytes=memory) as cache:
            cached = CachedEncoder(encoder, cache)
            np.testing.assert_array_equal(cached.encode([*TEXTS, TEXTS[3]]), encoder.encode([*TEXTS, TEXTS[3]]))
            assert (cache.counts.made, cache.counts.asked) == (expected, 40)
            assert (cache.counts.disk, cache.counts.again) == (40 - expected, 0)
            cached.encode(TEXTS[:10])
            kept = expected or memory  # what was there before, and is not in memory, is found there once more
            assert (cache.counts.disk, cache.counts.again) == ((40 - expected, 10) if kept else (50, 0))
            assert cache.counts.hit_rate == (0 if expected else 1)
            told = cache.counts.describe()
            assert told.startswith("0 of 40 vectors (0 %) were there already; 10 were needed again") == bool(expected)
    assert told.startswith("40 of 40" if memory else "50 of 50")


def test_only_new_texts_reach_the_encoder(words_encoder: Any) -> None:
    encoder = words_encoder()
    cached = CachedEncoder(encoder, VectorCache(None))
    cached.encode(TEXTS[:30], prompt="document")
    cached.encode(TEXTS[20:], prompt="document")
    assert [len(texts) for texts, _ in encoder.calls] == [30, 10]


def test_prompt_instruction_and_precision_have_vectors_of_their_own(words_encoder: Any) -> None:
    encoder = words_encoder()
    cached = CachedEncoder(encoder, VectorCache(None))
    for options in ({}, {"prompt": "query"}, {"prompt": "document"}, {"prompt": "query", "instruction": "find"}):
        cached.encode(TEXTS, **options)
    encoder.precision = "bf16"
    cached.encode(TEXTS)
    assert [len(texts) for texts, _ in encoder.calls] == [40] * 5


def test_fewer_numbers_are_cut_from_the_full_vector(words_encoder: Any) -> None:
    encoder = words_encoder()
    cached = CachedEncoder(encoder, VectorCache(None))
    for dim in (None, 64, 16, 3):
        np.testing.assert_allclose(cached.encode(TEXTS, dim=dim), words_encoder().encode(TEXTS, dim=dim), atol=1e-6)
    assert len(encoder.calls) == 1


def test_a_model_that_was_changed_never_gets_an_old_vector(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    with VectorCache(tmp_path / "vectors.sqlite") as cache:
        cached = CachedEncoder(encoder, cache)
        before = cached.encode(TEXTS)
        with torch.no_grad():
            next(encoder.module.parameters()).mul_(1.01)
        after = cached.encode(TEXTS)
        assert cache.counts.made == 80
        assert not np.array_equal(before, after)
        np.testing.assert_array_equal(after, encoder.encode(TEXTS))
        other = CachedEncoder(tiny_encoder("bert", seed=1), cache)
        np.testing.assert_array_equal(other.encode(TEXTS), other.encoder.encode(TEXTS))
        long = " ".join(TEXTS)
        encoder.save(tmp_path / "model")
        shorter = Encoder.load(tmp_path / "model")
        shorter.spec = dataclasses.replace(shorter.spec, max_length=5)
        CachedEncoder(encoder, cache).encode([long])
        np.testing.assert_array_equal(CachedEncoder(shorter, cache).encode([long]), shorter.encode([long]))


def test_a_frozen_encoder_is_hashed_once(words_encoder: Any) -> None:
    encoder = words_encoder()
    asked = []
    encoder.fingerprint = lambda: asked.append(1) or "words"
    cached = CachedEncoder(encoder, VectorCache(None), frozen=True)
    cached.encode(TEXTS)
    cached.encode(TEXTS)
    assert len(asked) == 1
    assert (cached.fingerprint(), cached.name, cached.dimension, cached.max_length) == ("words", "model", 64, 1000)


def test_memory_keeps_what_was_used_last_within_its_bytes() -> None:
    size = 8 * 4 + 200
    cache, vectors = VectorCache(None, memory_bytes=10 * size), rows(12)
    cache.keep(keys(10), vectors[:10])
    cache.look_up(keys(1), np.empty((1, 8), np.float32))  # the first was used last
    cache.keep(keys(2, 10), vectors[10:])
    found = cache.look_up(keys(12), out := np.zeros((12, 8), np.float32))
    assert found.tolist() == [True, False, False, *[True] * 9]
    np.testing.assert_array_equal(out[found], vectors[found])


def test_the_file_stays_within_its_bytes_and_keeps_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS_A_TRANSACTION", 100)
    with VectorCache(tmp_path / "vectors.sqlite", memory_bytes=0, disk_bytes=10**6) as cache:
        for start in range(0, 3_000, 500):
            cache.keep(keys(500, start), rows(500, 128, seed=start))
        found = cache.look_up(keys(3_000), np.empty((3_000, 128), np.float32))
        assert 1_000 < found.sum() < 2_000
        assert found[-1_000:].all()
        assert not found[:1_000].any()
    assert (tmp_path / "vectors.sqlite").stat().st_size < 1.2 * 10**6


def test_what_is_not_finite_or_of_another_width_is_not_found(tmp_path: Path) -> None:
    with VectorCache(tmp_path / "vectors.sqlite") as cache:
        vectors = rows(3)
        vectors[1, 2] = np.nan
        cache.keep(keys(3), vectors)
        assert cache.look_up(keys(3), np.empty((3, 8), np.float32)).tolist() == [True, False, True]
        assert not cache.look_up(keys(3), np.empty((3, 4), np.float32)).any()


def write_and_read(path: Path, start: int) -> None:
    with VectorCache(path, memory_bytes=0) as cache:
        for first in range(start, start + 1000, 50):
            numbers = np.arange(first, first + 50, dtype=np.float32)
            cache.keep(keys(50, first), np.repeat(numbers[:, None], 32, axis=1))
            assert cache.look_up(keys(50, first), np.empty((50, 32), np.float32)).all()


def write_and_die(path: Path) -> None:
    cache = VectorCache(path)
    cache._clear_oldest = lambda: os.kill(os.getpid(), 9)  # type: ignore[method-assign]
    cache.keep(keys(1), np.ones((1, 4), np.float32))


def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    running = [FORK.Process(target=write_and_read, args=(path, start)) for start in (0, 500)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0]
    with VectorCache(path) as cache:
        found = cache.look_up(keys(1_500), out := np.empty((1_500, 32), np.float32))
    assert found.all()
    np.testing.assert_array_equal(out[:, 7], np.arange(1_500))


def test_what_a_killed_process_had_not_committed_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    process = FORK.Process(target=write_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -9
    with VectorCache(path) as cache:
        assert not cache.look_up(keys(1), np.empty((1, 4), np.float32)).any()
        cache.keep(keys(1), np.ones((1, 4), np.float32))
        assert cache.look_up(keys(1), np.empty((1, 4), np.float32)).all()


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with pytest.raises(InputError, match=r"notes.txt: is no cache of vectors .* delete this one"):
        VectorCache(tmp_path / "notes.txt")
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(InputError, match="is a cache of vectors of version 7"):
        VectorCache(tmp_path / "other.sqlite")
    with pytest.raises(InputError, match=r"\[disk_bytes\]"):
        VectorCache(None, disk_bytes=-1)


def test_the_users_file_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COSMITH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_path() == tmp_path / "cosmith" / "vectors.sqlite"
    monkeypatch.setenv("COSMITH_CACHE", str(tmp_path / "mine"))
    assert default_cache_path() == tmp_path / "mine" / "vectors.sqlite"


def test_nonsense_is_refused_by_the_encoder(words_encoder: Any) -> None:
    cached = CachedEncoder(tiny_encoder("bert"), VectorCache(None))
    with pytest.raises(InputError, match=r"\[dim\]"):
        cached.encode(TEXTS, dim=10_000)
    with pytest.raises(InputError, match="no prompt 'qery'"):
        cached.encode(TEXTS, prompt="qery")
    with pytest.raises(InputError, match="not a list of texts"):
        cached.encode("one text")
    assert cached.encode([]).shape == (0, cached.dimension)
