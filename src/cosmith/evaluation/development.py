"""One number for an encoder on one or several tasks: what training and merging choose by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.retrieval_task import evaluate_retrieval
from cosmith.evaluation.sts_task import evaluate_sts

if TYPE_CHECKING:
    from cosmith.data import Collection, StsPairs
    from cosmith.models import TextEncoder


def mean_score(tasks: Mapping[str, Collection | StsPairs]) -> Callable[[TextEncoder], float]:
    """A function that gives an encoder's mean of the tasks' main metrics; higher is better.

    Args:
        tasks: Name → retrieval set or scored pairs, at least one.

    Raises:
        InputError: When there is none.
    """
    if not tasks:
        raise InputError("there is no task to score on", field="tasks", remedy="Give at least one.")

    def score(encoder: TextEncoder) -> float:
        from cosmith.data import Collection

        values = [
            evaluate_retrieval(encoder, task, resamples=0).value
            if isinstance(task, Collection)
            else evaluate_sts(encoder, task, name=name, resamples=0).value
            for name, task in tasks.items()
        ]
        return float(np.mean(values))

    return score
