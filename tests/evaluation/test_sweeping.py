"""Scores at several lengths and in several forms of the vectors, each text encoded once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.evaluation import StoredFormEncoder, sweep, task_of
from cosmith.evaluation.tasks import EvaluationTask
from cosmith.retrieval import search_dense, sign_bits

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]


@pytest.fixture
def task() -> EvaluationTask:
    documents = {f"d{n}": f"{word} {WORDS[n - 1]} {WORDS[n - 2]}" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is a {word}" for n, word in enumerate(WORDS)}
    return task_of("task", Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(12)}))


def test_a_row_for_each_form_and_each_text_is_encoded_once(
    words_encoder: Callable[..., Any], task: EvaluationTask
) -> None:
    encoder = words_encoder()
    found = sweep(encoder, task, dims=[16, 32, 16], precisions=["binary", "float32", "int8"])
    assert [(each.dimension, each.form, each.bytes) for each in found.forms] == [
        (64, "float32", 256), (32, "binary", 4), (32, "float32", 128), (32, "int8", 32), (16, "binary", 2),
        (16, "float32", 64), (16, "int8", 16),
    ]  # fmt: skip
    assert len(encoder.calls) == 2  # documents and queries
    by_form = {(each.dimension, each.form): each for each in found.forms}
    for dim in (16, 32):
        alone = task.evaluate(words_encoder(), dim=dim)
        assert by_form[dim, "float32"].scores.values == pytest.approx(dict(alone.values), abs=1e-6)
    full = found.forms[0]
    assert full.change is None
    smallest = by_form[16, "binary"]
    assert smallest.change is not None
    assert smallest.change.difference == pytest.approx(smallest.scores.value - full.scores.value)
    assert smallest.change.interval.low <= smallest.change.difference <= smallest.change.interval.high
    told = json.loads(json.dumps(found.to_dict()))
    assert told["forms"][4]["dim"] == 16
    assert told["forms"][4]["change"]["difference"] == smallest.change.difference
    assert "16 binary" in found.table()
    assert "| 64 float32 | 256 |" in found.markdown()


def test_binary_search_is_by_distance_in_bits(words_encoder: Callable[..., Any]) -> None:
    texts = [f"{first} {second}" for first in WORDS for second in WORDS]
    full, binary = words_encoder().encode(texts), StoredFormEncoder(words_encoder(), 24, "binary").encode(texts)
    bits = sign_bits(full[:, :24])
    distances = np.bitwise_count(bits[:, None] ^ bits[None]).sum(axis=2, dtype=np.int64)
    expected = np.argsort(distances, axis=1, kind="stable")[:, :20]
    assert np.array_equal(search_dense(binary, binary, 20)[0], expected)  # ties in ascending position, no rounding


def test_without_dims_all_numbers_are_kept_and_wrong_ones_are_refused(
    words_encoder: Callable[..., Any], task: EvaluationTask
) -> None:
    found = sweep(words_encoder(), task, precisions=["int8"], resamples=0, model="mine")
    assert [(each.dimension, each.form, each.change) for each in found.forms] == [
        (64, "float32", None), (64, "int8", None),
    ]  # fmt: skip
    assert [each.scores.model for each in found.forms] == ["mine", "mine, 64 int8"]
    with pytest.raises(InputError, match="65 is not between 1 and the model's 64"):
        sweep(words_encoder(), task, dims=[16, 65])
    with pytest.raises(InputError, match="there is no form of vectors 'int7'"):
        sweep(words_encoder(), task, precisions=["int7"])


def test_vectors_that_are_not_finite_are_refused_with_their_text(
    words_encoder: Callable[..., Any], task: EvaluationTask
) -> None:
    class Broken(words_encoder):  # type: ignore[misc, valid-type]
        def encode(self, texts: Any, **said: Any) -> np.ndarray:
            vectors: np.ndarray = super().encode(texts, **said)
            vectors[-1] = np.nan
            return vectors

    with pytest.raises(InputError, match="not finite for 1 of 12 documents"):
        sweep(Broken(), task, precisions=["binary"])
