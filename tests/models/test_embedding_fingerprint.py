"""Fingerprints of vectors by their parts: equal for equal parts, and different ones say what differs, everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.evaluation import Contestant, Scores
from cosmith.evaluation.tasks import RetrievalTask
from cosmith.models import (
    CachedEncoder,
    EmbeddingFingerprint,
    Encoder,
    VectorCache,
    embedding_fingerprint,
    load_encoder,
    tiny_encoder,
    vectors_fingerprint,
)
from cosmith.retrieval import Index
from cosmith.retrieval.compressed import CompressedVectors

PARTS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)
DOCUMENTS = {"a": "red apples", "b": "a river", "c": "the train at noon"}


def of_length(length: int, **options: Any) -> Encoder:
    encoder = tiny_encoder("bert", **options)
    encoder.spec = replace(encoder.spec, max_length=length)
    return encoder


@given(PARTS, PARTS)
def test_hashes_are_equal_where_nothing_differs_and_only_there(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = EmbeddingFingerprint(one), EmbeddingFingerprint(other)
    assert (first.hash == second.hash) == (one == other) == (not first.differences(second))
    assert len(first.differences(second)) == len({name for name, _ in one.items() ^ other.items()})
    again = EmbeddingFingerprint.from_json(json.loads(json.dumps(first.as_json())))
    assert again is not None
    assert again.hash == first.hash == EmbeddingFingerprint(dict(reversed(one.items()))).hash


@pytest.mark.parametrize("kind", ["bert", "qwen3"])
def test_a_model_folder_says_which_model_it_is(kind: str, tmp_path: Path) -> None:
    encoder = tiny_encoder(kind, projection=8)
    said = json.loads((encoder.save(tmp_path / "model") / "fingerprint.json").read_text())
    loaded = embedding_fingerprint(Encoder.load(tmp_path / "model"))
    assert said == embedding_fingerprint(encoder).as_json() == loaded.as_json()


@pytest.mark.parametrize("value", [None, "abc", {}, {"parts": 3}, {"parts": {"a": 1}}])
def test_what_holds_no_parts_has_none(value: object) -> None:
    assert EmbeddingFingerprint.from_json(value) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda spec: replace(spec, max_length=9), ["maximum length 16 there, 9 here"]),
        (lambda spec: replace(spec, prompts={"query": "q: "}), ['prompts {} there, {"query": "q: "} here']),
        (lambda spec: replace(spec, pooling="max"), ["pooling mean there, max here"]),
        (lambda spec: replace(spec, head=()), ["normalisation unit length there, none here"]),
    ],
)
def test_a_change_of_the_model_changes_its_part_alone(change: Any, told: list[str]) -> None:
    encoder = of_length(16)
    encoder.spec = replace(encoder.spec, prompts={})
    before = embedding_fingerprint(encoder)
    assert before == embedding_fingerprint(CachedEncoder(encoder, VectorCache(None)))
    encoder.spec = change(encoder.spec)
    assert before.differences(embedding_fingerprint(encoder)) == told
    assert before.of_model() == before


def test_an_index_says_which_part_of_the_model_is_another(tmp_path: Path) -> None:
    maker = of_length(16)
    Index.build(maker, DOCUMENTS, folder=tmp_path / "index")
    index = Index.load(tmp_path / "index")
    assert index.card.fingerprint == vectors_fingerprint(maker, prompt="document", instruction="", dim=None)
    for other, told in ((of_length(9), "maximum length 16 there, 9 here"), (of_length(16, seed=1), "other weights")):
        with pytest.raises(InputError) as refused:
            index.search(other, ["apples"], 1)
        assert f"their vectors cannot be compared ({told}). Search with the model" in str(refused.value)
    assert index.search(of_length(16), ["red apples"], 1).ids.tolist() == [["a"]]


def test_an_index_of_an_earlier_release_is_searched_and_refuses_as_it_did(tmp_path: Path) -> None:
    maker = of_length(16)
    Index.build(maker, DOCUMENTS, folder=tmp_path / "index")
    card = json.loads((tmp_path / "index" / "index.json").read_text())
    del card["fingerprint"]
    (tmp_path / "index" / "index.json").write_text(json.dumps(card | {"format": 3}))
    index = Index.load(tmp_path / "index")
    assert index.search(maker, ["red apples"], 1).ids.tolist() == [["a"]]
    with pytest.raises(InputError, match=r"their vectors cannot be compared\. Search with"):
        index.search(of_length(9), ["apples"], 1)


def test_compressed_vectors_say_which_part_of_the_model_is_another(tmp_path: Path) -> None:
    maker = of_length(16)
    CompressedVectors.build(maker.encode(list(DOCUMENTS.values())), "int8", encoder=maker).save(tmp_path / "vectors")
    found = CompressedVectors.load(tmp_path / "vectors", encoder=maker)
    assert found.fingerprint is not None
    assert (found.fingerprint.parts["kept as"], found.fingerprint.parts["maximum length"]) == ("int8", "16")
    with pytest.raises(InputError, match=r"\(maximum length 16 there, 9 here\)"):
        CompressedVectors.load(tmp_path / "vectors", encoder=of_length(9))


def test_scores_say_of_which_vectors_they_are(tmp_path: Path) -> None:
    encoder = of_length(16)
    task = RetrievalTask("own", Collection("own", DOCUMENTS, {"q": "red apples"}, {"q": {"a": 1}}))
    scores, _ = Contestant.dense(encoder, dim=8).score(task, resamples=0)
    scores.to_json(tmp_path / "scores.json")
    read = Scores.from_json(tmp_path / "scores.json")
    assert read.fingerprint == vectors_fingerprint(encoder, prompt=None, instruction="", dim=8)
    about = json.loads((tmp_path / "scores.json").read_text())
    del about["fingerprint"]  # of an earlier release
    assert Scores.from_dict(about).fingerprint is None


def test_an_exported_folder_says_of_what_it_was_made_and_a_dynamic_form_that_it_is_one(
    exported_model: tuple[Encoder, Path],
) -> None:
    encoder, folder = exported_model
    said = json.loads((folder / "cosmith_runtimes.json").read_text())
    assert EmbeddingFingerprint.from_json(said["parts"]) == embedding_fingerprint(encoder)
    forms = {each.precision for each in load_encoder(folder, precision="float32").exported.variants}
    for precision in forms:
        here = embedding_fingerprint(load_encoder(folder, runtime="onnx", precision=precision))
        runtime = f"onnx {precision}" + (", dynamic" if precision == "int8" else "")
        told = embedding_fingerprint(encoder).differences(here)
        assert told == [f"runtime torch there, {runtime} here", "another graph"]
