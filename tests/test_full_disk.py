"""Arrays that do not fit onto the disk: the error says why, wherever they are written, and nothing is left."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cosmith.data import Collection, RaggedTokens, tokens_of
from cosmith.data.texts import TextTable
from cosmith.errors import StorageError
from cosmith.models import CachedEncoder, Encoder, VectorCache, tiny_encoder
from cosmith.recipes.stages.measuring import save_hits
from cosmith.retrieval import Hits
from cosmith.training.health.probe import ProbeText, take_snapshot

TEXTS = [f"text {number}" for number in range(300)]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: the system writes what fits, then gives an error, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def snapshot(folder: Path) -> None:
    (folder / "probe").mkdir(exist_ok=True)
    (folder / "probe" / "texts.json").touch()  # there from an earlier step; it is larger than the vectors
    take_snapshot(folder, tiny_encoder("bert"), [ProbeText("query", text, "query") for text in TEXTS], step=0)


def tokens(folder: Path) -> None:
    """Texts without tokens, so that it is the lengths that do not fit."""
    table, _ = TextTable.from_texts(f"text {number}" for number in range(20_000))
    empty = RaggedTokens(np.empty(0, np.int32), np.zeros(1, np.int64), np.empty(0, np.int32))

    def none(texts: list[str]) -> RaggedTokens:
        return RaggedTokens(empty.values, np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts), np.int32))

    tokens_of(table, None, none, "key", folder)


def hits(folder: Path) -> None:
    collection = Collection("c", {str(n): text for n, text in enumerate(TEXTS)}, {"q": "a"}, {"q": {"0": 1}})
    scores = np.random.default_rng(0).normal(size=(1, len(TEXTS))).astype(np.float32)
    names = Hits.names_of(list(collection.documents))
    save_hits(Hits.from_positions(names, np.arange(len(TEXTS))[None], scores), collection, folder / "hits.npz")


@pytest.mark.parametrize(
    ("write", "size"), [(snapshot, 10_000), (tokens, 50_000), (hits, 1_000)]
)  # fmt: skip
def test_an_array_that_does_not_fit_is_told_with_the_reason(
    write: Callable[[Path], None], size: int, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="File too large") as error, room_for(size):
        write(tmp_path)
    assert error.value.errno == errno.EFBIG
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".npy", ".npz", ".tmp")]
    write(tmp_path)


def test_vectors_that_do_not_fit_are_made_again(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    with pytest.raises(StorageError, match=r"cache of vectors cannot be used"), room_for(60_000):
        CachedEncoder(encoder, VectorCache(tmp_path / "vectors.sqlite")).encode(TEXTS)
    with VectorCache(tmp_path / "vectors.sqlite") as cache:
        np.testing.assert_array_equal(CachedEncoder(encoder, cache).encode(TEXTS), encoder.encode(TEXTS))
        assert cache.counts.made == len(TEXTS), "a transaction stands whole or not at all"


def test_a_model_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    old, new = tiny_encoder("bert", seed=0), tiny_encoder("bert", seed=1)
    old.save(tmp_path / "model")
    with pytest.raises(StorageError, match="could not be written") as error, room_for(20_000):
        new.save(tmp_path / "model")
    assert error.value.path == tmp_path / "model"
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    np.testing.assert_array_equal(Encoder.load(tmp_path / "model").encode(TEXTS[:3]), old.encode(TEXTS[:3]))
