"""One number for an encoder on one or several tasks: what training and merging choose by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.tasks.kinds import task_of

if TYPE_CHECKING:
    from cosmith.evaluation.tasks.kinds import TaskData
    from cosmith.evaluation.tasks.task import EvaluationTask
    from cosmith.models import TextEncoder


def mean_score(tasks: Mapping[str, TaskData | EvaluationTask]) -> Callable[[TextEncoder], float]:
    """A function that gives an encoder's mean of the tasks' main metrics; higher is better.

    Args:
        tasks: Name → a task, or data that :func:`~cosmith.evaluation.tasks.task_of` makes one of; at least one.

    Raises:
        InputError: When there is none.
    """
    if not tasks:
        raise InputError("there is no task to score on", field="tasks", remedy="Give at least one.")

    prepared = [task_of(name, data) for name, data in tasks.items()]
    return lambda encoder: float(np.mean([task.evaluate(encoder, resamples=0).value for task in prepared]))
