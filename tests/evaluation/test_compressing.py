"""What compressed vectors cost: a row a form, each text encoded once, search as it is in use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cosmith.data import Collection, StsPairs
from cosmith.errors import InputError
from cosmith.evaluation import sweep_compressed, task_of
from cosmith.evaluation.tasks import EvaluationTask
from cosmith.retrieval import search_dense
from cosmith.retrieval.compressed import CompressedVectors, neighbour_recall

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]


@pytest.fixture
def task() -> EvaluationTask:
    documents = {f"d{n}": f"{word} {WORDS[n - 1]} {WORDS[n - 2]}" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is a {word}" for n, word in enumerate(WORDS)}
    return task_of("task", Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(12)}))


@pytest.fixture
def pairs() -> EvaluationTask:
    first = [f"{word} and {WORDS[n - 1]}" for n, word in enumerate(WORDS)]
    second = [f"{word} or {WORDS[n // 2]}" for n, word in enumerate(WORDS)]
    return task_of("pairs", StsPairs(first, second, np.arange(12) / 3))


def test_a_row_for_each_form_and_each_text_is_encoded_once(
    words_encoder: Callable[..., Any], task: EvaluationTask
) -> None:
    encoder = words_encoder()
    forms = ["binary, rescored x2 by int8", "pca4+int8", "float32", "pca4+int8"]
    found = sweep_compressed(encoder, task, forms, model="mine")
    assert [(each.name, each.bytes) for each in found.forms] == [("float32", 256), (forms[0], 8), (forms[1], 4)]
    assert len(encoder.calls) == 2  # documents and queries
    full, rescored, shortest = found.forms
    assert full.scores.values["ndcg@10"] == pytest.approx(task.evaluate(words_encoder()).values["ndcg@10"])
    assert full.scores.model == "mine"
    assert shortest.scores.model == "mine, pca4+int8"
    assert full.change is None
    assert shortest.change is not None
    assert shortest.change.difference == pytest.approx(shortest.scores.value - full.scores.value)
    assert shortest.change.interval.low <= shortest.change.difference <= shortest.change.interval.high
    assert rescored.cost is not None
    assert rescored.cost.finer_bytes == 64
    documents = encoder.encode(list(task.data.documents.values()))  # type: ignore[attr-defined]
    queries = encoder.encode(list(task.data.queries.values()))  # type: ignore[attr-defined]
    exact = search_dense(queries, documents, 10)[0]
    for each in found.forms:
        alone = CompressedVectors.build(documents, each.name).search(queries, 10)[0]
        assert each.cost is not None
        assert each.cost.k == 10
        assert each.cost.recall == pytest.approx(neighbour_recall(alone, exact))
        assert each.cost.queries_per_second > 0
    told = json.loads(json.dumps(found.to_dict()))["forms"]
    assert told[1]["search"]["finer_bytes"] == 64
    assert told[2]["change"]["difference"] == shortest.change.difference
    assert "nearest 10 found" in found.table()
    assert "| binary, rescored x2 by int8 | 8 + 64 |" in found.markdown()


def test_other_kinds_are_scored_by_what_codes_stand_for(
    words_encoder: Callable[..., Any], pairs: EvaluationTask
) -> None:
    found = sweep_compressed(words_encoder(), pairs, ["rotated+float32", "float16", "rotated+binary", "whitened3+int8"])
    full, turned, half, signs, shortest = found.forms
    assert full.scores.value == pytest.approx(pairs.evaluate(words_encoder()).value)
    assert turned.scores.value == pytest.approx(full.scores.value, abs=1e-6)
    assert half.scores.value == pytest.approx(full.scores.value, abs=0.02)
    assert signs.scores.value != full.scores.value
    assert (signs.bytes, shortest.bytes, shortest.cost) == (8, 3, None)
    assert "queries/CPU s" not in found.table()


def test_ways_to_search_need_a_task_that_searches(words_encoder: Callable[..., Any], pairs: EvaluationTask) -> None:
    for form in ("hnsw-sq8", "binary, rescored x2 by int8"):
        with pytest.raises(
            InputError, match=f"'{form}' is a way to search, and pairs, a task of the kind sts, does not"
        ):
            sweep_compressed(words_encoder(), pairs, [form])


def test_vectors_that_are_not_finite_are_refused_with_their_text(
    words_encoder: Callable[..., Any], task: EvaluationTask
) -> None:
    class Broken(words_encoder):  # type: ignore[misc, valid-type]
        def encode(self, texts: Any, **said: Any) -> np.ndarray:
            vectors: np.ndarray = super().encode(texts, **said)
            vectors[-1] = np.nan
            return vectors

    with pytest.raises(InputError, match="not finite for 1 of 12 documents"):
        sweep_compressed(Broken(), task, ["int8"])
