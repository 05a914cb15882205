"""A part of a task that is enough to choose by, so that every candidate need not encode everything."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.data import Collection
from cosmith.data.test_sets import TrainAndTest
from cosmith.errors import InputError
from cosmith.evaluation.tasks import (
    ClassificationTask,
    EvaluationTask,
    RetrievalTask,
    SubsetsTask,
)
from cosmith.evaluation.tasks.retrieval import judged_queries

DOCUMENTS_A_QUERY = 20
"""Of a sampled retrieval set: so many documents for each query, the judged ones among them."""

_EXPERIMENTS = 3  # draws of a classification task, each of which has texts of its own to encode
_FEWEST_OF_A_SET = 10


def sampled(task: EvaluationTask, count: int, *, seed: int = 0) -> EvaluationTask:
    """A task with at most ``count`` of its queries, pairs or texts, drawn at random.

    Of a retrieval set all judged documents of the drawn queries are kept, and others are drawn, up to
    :data:`DOCUMENTS_A_QUERY` for each: among fewer documents scores are higher, for all models alike. Of several sets
    each gives its part. Classification draws what it learns from three times. A task of which the part cannot be
    scored, e.g. since all drawn are of one class, is taken whole.

    Args:
        task: The task.
        count: How many.
        seed: Of the draw.

    Raises:
        InputError: When ``count`` is below 1.
    """
    if count < 1:
        raise InputError(f"must be at least 1, got {count}", field="sample")
    rng = np.random.default_rng(seed)
    if isinstance(task, SubsetsTask):
        each = max(count // len(task.parts), _FEWEST_OF_A_SET)
        return replace(task, parts=tuple(sampled(part, each, seed=seed) for part in task.parts))
    if isinstance(task, RetrievalTask):
        return replace(task, data=_of_collection(task.data, count, rng))
    smaller: Any = task
    try:
        if isinstance(task, ClassificationTask):
            data = TrainAndTest(task.data.train, _taken(task.data.test, count, rng))
            return replace(task, data=data, experiments=min(task.experiments, _EXPERIMENTS))
        return replace(smaller, data=_taken(smaller.data, count, rng))  # type: ignore[no-any-return]
    except InputError:
        return task


def _of_collection(data: Collection, count: int, rng: np.random.Generator) -> Collection:
    queries = judged_queries(data)
    chosen = [queries[number] for number in _numbers(len(queries), count, rng)]
    judged = {document for query in chosen for document in data.relevance[query]}
    others = [document for document in data.documents if document not in judged]
    room = max(0, DOCUMENTS_A_QUERY * len(chosen) - len(judged))
    kept = judged | {others[number] for number in _numbers(len(others), room, rng)}
    return replace(
        data,
        documents={name: text for name, text in data.documents.items() if name in kept},
        queries={query: data.queries[query] for query in chosen},
        relevance={query: data.relevance[query] for query in chosen},
    )


def _taken(data: Any, count: int, rng: np.random.Generator) -> Any:
    """Some items of data whose parts are lists or arrays of one length."""
    parts = {
        each.name: value for each in fields(data) if isinstance(value := getattr(data, each.name), list | np.ndarray)
    }
    size = len(next(iter(parts.values())))
    numbers = _numbers(size, count, rng)
    changes = {
        name: value[numbers] if isinstance(value, np.ndarray) else [value[number] for number in numbers]
        for name, value in parts.items()
        if len(value) == size
    }
    return replace(data, **changes)


def _numbers(size: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """At most ``count`` of ``size`` numbers, ascending."""
    if count >= size:
        return np.arange(size)
    return np.sort(rng.choice(size, count, replace=False))
