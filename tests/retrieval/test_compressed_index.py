"""An index whose vectors are kept in a compressed form: searched as the exact one is, with fewer bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.data.chunking import Chunking, chunk_texts
from cosmith.errors import InputError
from cosmith.models import tiny_encoder
from cosmith.retrieval import Index
from cosmith.retrieval.compressed import CompressedVectors

WORDS = ["apple", "train", "river", "snake", "python", "station", "noon", "green", "large", "fruit", "language", "leaf",
         "boat", "rail", "egg"]  # fmt: skip
DOCUMENTS = {f"d{number}": " ".join(np.random.default_rng(number).choice(WORDS, 4)) for number in range(300)}
QUESTIONS = ["green apple", "train at noon", "large snake"]
LONG = {f"l{number}": ". ".join(DOCUMENTS[f"d{number * 7 + part}"] for part in range(1 + number % 7)) + "."
        for number in range(40)}  # fmt: skip


@pytest.mark.parametrize("form", ["float32", "float16", "int8", "cut64+float32", "binary, rescored x300 by float32"])
def test_a_form_that_loses_nothing_finds_what_the_exact_index_finds(
    form: str, words_encoder: Any, tmp_path: Path
) -> None:
    encoder = words_encoder()
    exact = Index.build(encoder, DOCUMENTS).search(encoder, QUESTIONS, 5)
    in_memory = Index.build(encoder, DOCUMENTS, form=form)
    on_disk = Index.build(encoder, DOCUMENTS, form=form, folder=tmp_path / "index")
    saved = in_memory.save(tmp_path / "saved")
    assert not (tmp_path / "index" / "vectors.npy").exists()
    for index in (in_memory, on_disk, saved, on_disk.save(tmp_path / "index"), Index.load(tmp_path / "index")):
        found = index.search(encoder, QUESTIONS, 5)
        np.testing.assert_allclose(found.scores, exact.scores, atol=0.02)
        assert index.card.form == form
        assert index.card == on_disk.card
        if "float32" in form:
            assert found.ids.tolist() == exact.ids.tolist()


def test_the_bytes_are_those_of_the_form(words_encoder: Any, tmp_path: Path) -> None:
    encoder = words_encoder()
    assert Index.build(encoder, DOCUMENTS).bytes == (256, 0)
    index = Index.build(encoder, DOCUMENTS, form="pca32+rabitq, rescored x4 by int8", folder=tmp_path / "index")
    assert index.bytes == (32 / 8 + 8, 64)
    assert (tmp_path / "index" / "compressed" / "finer.codes.npy").stat().st_size < 300 * 64 + 200
    assert index.card.fingerprint is not None
    assert index.card.fingerprint.parts["kept as"] == "pca32+rabitq, rescored x4 by int8"
    alone = CompressedVectors.load(tmp_path / "index" / "compressed", encoder=encoder)  # it says what made it
    assert alone.fingerprint == index.card.fingerprint


@pytest.mark.parametrize("k", [1, 3, 10, 40, 60])
def test_chunked_documents_are_found_by_their_best_chunk(k: int, words_encoder: Any, tmp_path: Path) -> None:
    encoder, measure = words_encoder(), tiny_encoder("bert").measure()
    chunks = list(chunk_texts(LONG, Chunking("sentences", 12), measure))
    assert len(chunks) > len(LONG)
    exact = Index.build(encoder, LONG, chunks=chunks).search(encoder, QUESTIONS, k)
    index = Index.build(encoder, LONG, chunks=chunks, form="float32", folder=tmp_path / "index")
    found = index.search(encoder, QUESTIONS, k)
    np.testing.assert_allclose(found.scores, exact.scores, atol=1e-5)
    assert found.ids.shape == exact.ids.shape
    assert all(len(set(row)) == len(row) for row in found.ids.tolist())  # each document once
    for row in range(len(QUESTIONS)):
        best = dict(exact.of(row))
        for (name, score), (start, stop) in zip(found.of(row), found.spans_of(row) or [], strict=True):
            assert best.get(name, exact.scores[row, -1]) == pytest.approx(score, abs=1e-5)
            said = encoder.encode([LONG[name][start:stop]]) @ encoder.encode([QUESTIONS[row]]).T
            assert said.item() == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("form", ["hnsw-sq8", "ivf-rabitq, rescored x4 by int8"])
def test_a_structure_finds_most_of_it(form: str, words_encoder: Any, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    encoder = words_encoder()
    exact = Index.build(encoder, DOCUMENTS).search(encoder, QUESTIONS, 10)
    found = Index.build(encoder, DOCUMENTS, form=form, folder=tmp_path / "index").search(encoder, QUESTIONS, 10)
    shared = [len(set(one) & set(other)) for one, other in zip(exact.ids.tolist(), found.ids.tolist(), strict=True)]
    assert min(shared) >= 7


def test_what_cannot_be_is_refused(words_encoder: Any, tmp_path: Path) -> None:
    encoder = words_encoder()
    with pytest.raises(InputError, match="there is no code 'int9'"):
        Index.build(encoder, DOCUMENTS, form="int9", folder=tmp_path / "index")
    assert not (tmp_path / "index").exists()
    with pytest.raises(InputError, match="pca99"):
        Index.build(encoder, DOCUMENTS, form="pca99+int8", folder=tmp_path / "index")
    index = Index.build(encoder, DOCUMENTS, form="int8", dim=32, folder=tmp_path / "index")
    with pytest.raises(InputError, match=r"\[dim\]: is 16, but vectors in the form 'int8' are compared whole"):
        index.search(encoder, QUESTIONS, 3, dim=16)
    with pytest.raises(InputError, match="another model"):
        index.search(words_encoder(seed=1), QUESTIONS, 3)
    Index.build(words_encoder(seed=1), DOCUMENTS, form="int8", dim=32, folder=tmp_path / "other")
    (tmp_path / "other" / "compressed").rename(tmp_path / "moved")
    (tmp_path / "index" / "compressed").rename(tmp_path / "other" / "compressed")
    with pytest.raises(InputError, match=r"other.compressed: does not match the index.json above it"):
        Index.load(tmp_path / "other")
    with pytest.raises(InputError, match=r"index.compressed"):
        Index.load(tmp_path / "index")
