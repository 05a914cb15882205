from __future__ import annotations

import json

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.retrieval import Index
from cosmith.retrieval import index as index_module

DOCUMENTS = {
    "apple": "an apple is a red or green fruit",
    "train": "the train leaves the station at noon",
    "python": "python is a programming language",
    "snake": "a python is also a large snake",
}
QUESTIONS = ["when does the train leave the station", "large snake", "green apple"]


def test_the_nearest_document_is_found_with_its_cosine(words_encoder):
    encoder = words_encoder()
    index = Index.build(encoder, DOCUMENTS)
    hits = index.search(encoder, QUESTIONS, k=2)
    assert hits.ids[:, 0].tolist() == ["train", "snake", "apple"]
    asked, documents = encoder.encode(QUESTIONS), encoder.encode(list(DOCUMENTS.values()))
    np.testing.assert_allclose(hits.scores[:, 0], (asked @ documents.T).max(axis=1), atol=1e-6)
    assert index.text("snake") == DOCUMENTS["snake"]
    assert index.ids == list(DOCUMENTS)
    assert len(index) == 4


def test_documents_and_queries_get_their_prompts(words_encoder):
    encoder = words_encoder()
    index = Index.build(encoder, DOCUMENTS)
    index.search(encoder, ["fruit"], 1)
    assert [prompt for _, prompt in encoder.calls] == ["document", "query"]


def test_an_index_on_disk_is_the_one_that_was_built(words_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "_ENCODED_AT_A_TIME", 3)
    encoder = words_encoder()
    at_once = Index.build(encoder, DOCUMENTS, folder=tmp_path / "at-once")
    saved = Index.build(encoder, DOCUMENTS).save(tmp_path / "saved")
    opened = Index.load(tmp_path / "saved")
    for index in (at_once, saved, opened):
        assert index.card == at_once.card
        np.testing.assert_array_equal(index.vectors, at_once.vectors)
        assert index.search(encoder, QUESTIONS, 4).ids[:, 0].tolist() == ["train", "snake", "apple"]
        assert index.text("train") == DOCUMENTS["train"]
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
        "documents.arrow",
        "index.json",
        "vectors.npy",
    ]


def test_another_encoder_is_refused_with_what_to_do(words_encoder, tmp_path):
    index = Index.build(words_encoder(seed=0), DOCUMENTS, folder=tmp_path / "index", model="base")
    with pytest.raises(InputError) as refused:
        index.search(words_encoder(seed=1), ["fruit"], 1)
    message = str(refused.value)
    assert "made by base (words-0-64)" in message
    assert "words-1-64" in message
    assert "build the index again" in message


def test_vectors_may_be_cut_when_built_and_when_searched(words_encoder):
    encoder = words_encoder()
    small = Index.build(encoder, DOCUMENTS, dim=16)
    assert small.vectors.shape == (4, 16)
    assert (small.card.dim, small.card.dimension) == (16, 64)
    cut_late = Index.build(encoder, DOCUMENTS).search(encoder, QUESTIONS, 3, dim=16)
    hits = small.search(encoder, QUESTIONS, 3)
    assert hits.ids.tolist() == cut_late.ids.tolist()
    np.testing.assert_allclose(hits.scores, cut_late.scores, atol=1e-6)


@pytest.mark.parametrize("dim", [0, 65])
def test_a_dim_that_the_model_does_not_have_is_refused(words_encoder, dim, tmp_path):
    with pytest.raises(InputError, match=r"\[dim\].*64 numbers.*1 to 64"):
        Index.build(words_encoder(), DOCUMENTS, dim=dim, folder=tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_a_dim_that_the_index_does_not_keep_is_refused(words_encoder):
    index = Index.build(words_encoder(), DOCUMENTS, dim=16)
    with pytest.raises(InputError, match=r"is 17, but the vectors of this index have 16"):
        index.search(words_encoder(), ["fruit"], 1, dim=17)


def test_k_may_exceed_the_corpus_and_no_queries_are_no_hits(words_encoder):
    encoder = words_encoder()
    index = Index.build(encoder, DOCUMENTS)
    assert index.search(encoder, ["fruit"], 99).depth == 4
    assert len(index.search(encoder, [], 3)) == 0


def test_no_documents_and_unknown_ids_are_refused(words_encoder):
    with pytest.raises(InputError, match="no documents"):
        Index.build(words_encoder(), {})
    with pytest.raises(InputError, match="no document 'pear'"):
        Index.build(words_encoder(), DOCUMENTS).text("pear")


def test_a_build_that_fails_leaves_the_old_index_as_it_was(words_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "_ENCODED_AT_A_TIME", 2)
    encoder = words_encoder()
    Index.build(encoder, DOCUMENTS, folder=tmp_path / "index")

    class Failing(words_encoder):
        def encode(self, texts, **options):
            if "other one" in texts:
                raise KeyboardInterrupt
            return super().encode(texts, **options)

    with pytest.raises(KeyboardInterrupt):
        Index.build(Failing(), {"a": "one", "b": "two", "c": "other one"}, folder=tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert Index.load(tmp_path / "index").search(encoder, ["fruit"], 1).ids.tolist() == [["apple"]]


def test_a_model_that_gives_nan_is_refused_with_the_document(words_encoder):
    class Broken(words_encoder):
        def encode(self, texts, **options):
            vectors = super().encode(texts, **options)
            vectors[2, 5] = np.nan
            return vectors

    with pytest.raises(InputError, match="document number 2 "):
        Index.build(Broken(), DOCUMENTS)


def test_a_folder_with_other_things_in_it_is_never_replaced(words_encoder, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    encoder = words_encoder()
    with pytest.raises(InputError, match="something else than an index"):
        Index.build(encoder, DOCUMENTS, folder=tmp_path)
    assert not encoder.calls  # refused before the work
    with pytest.raises(InputError, match="something else than an index"):
        Index.build(encoder, DOCUMENTS).save(tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_damaged_index_says_which_file_is(words_encoder, tmp_path):
    with pytest.raises(InputError, match="not an index"):
        Index.load(tmp_path)
    folder = tmp_path / "index"

    def rebuilt() -> None:
        Index.build(words_encoder(), DOCUMENTS, folder=folder)

    rebuilt()
    (folder / "vectors.npy").write_bytes((folder / "vectors.npy").read_bytes()[:-8])
    with pytest.raises(InputError, match=r"vectors\.npy"):
        Index.load(folder)
    rebuilt()
    (folder / "documents.arrow").unlink()
    with pytest.raises(InputError, match=r"documents\.arrow"):
        Index.load(folder)
    rebuilt()
    card = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(card | {"count": 5}))
    with pytest.raises(InputError, match="5 of 64"):
        Index.load(folder)
    (folder / "index.json").write_text(json.dumps(card | {"format": 5}))
    with pytest.raises(InputError, match="format 5"):
        Index.load(folder)
    (folder / "index.json").write_text("[]")
    with pytest.raises(InputError, match=r"index\.json"):
        Index.load(folder)
