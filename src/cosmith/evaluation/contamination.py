"""What training rows and a task of any kind have in common.

A reranking set is held against them as a search is: its candidates are documents, which may be known, and raw texts
that a model was trained on may hold the words of its queries, as documents do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cosmith.evaluation.tasks import EvaluationTask, RerankingTask

if TYPE_CHECKING:
    from cosmith.data import Collection, Source, StsPairs
    from cosmith.data.contamination import Overlap

_TESTED = ("texts", "test texts", "machine summaries")
"""Of the texts of a task those that no training row may hold: not what a classifier learns from."""


def overlap_with_task(rows: Source, task: EvaluationTask) -> Overlap:
    """What training rows have in common with a task; see :mod:`cosmith.data.contamination` for what counts.

    Args:
        rows: The training rows.
        task: The test set. Of tasks on words nothing is tested that training could not hold.
    """
    from cosmith.data.contamination import overlap_with_collection, overlap_with_pairs, overlap_with_texts

    if task.kind in ("retrieval", "reranking"):
        return overlap_with_collection(rows, _collection_of(task))
    if task.kind in ("sts", "pair-classification", "bitext-mining"):
        return overlap_with_pairs(rows, _pairs_of(task), task.name)
    tested = [text for texts in task.texts() if texts.what in _TESTED for text in texts.texts]
    return overlap_with_texts(rows, tested, task.name)


def _collection_of(task: EvaluationTask) -> Collection:
    """What is searched, or ordered, by a task; of several sets all of it."""
    from cosmith.data import Collection

    parts: tuple[Any, ...] = getattr(task, "parts", (task,))
    sets = [part.collection() if isinstance(part, RerankingTask) else part.data for part in parts]
    if len(sets) == 1:
        return replace(sets[0], name=task.name)

    def named(texts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {f"{number}/{name}": text for number, of_set in enumerate(texts) for name, text in of_set.items()}

    relevance = {
        f"{number}/{query}": {f"{number}/{name}": grade for name, grade in grades.items()}
        for number, each in enumerate(sets)
        for query, grades in each.relevance.items()
    }
    documents, queries = named([each.documents for each in sets]), named([each.queries for each in sets])
    return Collection(task.name, documents, queries, relevance)


def _pairs_of(task: EvaluationTask) -> StsPairs:
    """All pairs of a task, or of its sets; what is judged of them does not matter here."""
    from cosmith.data import StsPairs

    parts: tuple[Any, ...] = getattr(task, "parts", (task,))
    data = [part.data for part in parts]
    first, second = ([text for each in data for text in getattr(each, side)] for side in ("first", "second"))
    return StsPairs(first, second, np.zeros(len(first)))
