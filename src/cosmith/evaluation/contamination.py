"""What training rows and a task of any kind have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cosmith.evaluation.tasks import EvaluationTask, RetrievalTask

if TYPE_CHECKING:
    from cosmith.data import Source, StsPairs
    from cosmith.data.contamination import Overlap

_TESTED = ("texts", "test texts", "queries", "machine summaries")
"""Of the texts of a task those that no training row may hold: not the candidates, nor what a classifier learns from."""


def overlap_with_task(rows: Source, task: EvaluationTask) -> Overlap:
    """What training rows have in common with a task; see :mod:`cosmith.data.contamination` for what counts.

    Args:
        rows: The training rows.
        task: The test set. Of tasks on words nothing is tested that training could not hold.
    """
    from cosmith.data.contamination import overlap_with_collection, overlap_with_pairs, overlap_with_texts

    if isinstance(task, RetrievalTask):
        return overlap_with_collection(rows, replace(task.data, name=task.name))
    if task.kind in ("sts", "pair-classification", "bitext-mining"):
        return overlap_with_pairs(rows, _pairs_of(task), task.name)
    tested = [text for texts in task.texts() if texts.what in _TESTED for text in texts.texts]
    return overlap_with_texts(rows, tested, task.name)


def _pairs_of(task: EvaluationTask) -> StsPairs:
    """All pairs of a task, or of its sets; what is judged of them does not matter here."""
    from cosmith.data import StsPairs

    parts: tuple[Any, ...] = getattr(task, "parts", (task,))
    data = [part.data for part in parts]
    first, second = ([text for each in data for text in getattr(each, side)] for side in ("first", "second"))
    return StsPairs(first, second, np.zeros(len(first)))
