"""What a model costs to run, measured on this machine in a process of its own, as a service would run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosmith.models.running_cost import measure_running


@dataclass(frozen=True)
class ModelCost:
    """What a model costs.

    Attributes:
        latency: The median time to encode one query by itself, in seconds.
        low: The lower quartile.
        high: The upper quartile.
        queries: How many were timed.
        threads: How many threads torch used.
        weights: Bytes of the model's weights in memory.
        process: Bytes of memory that a process holds which has loaded the model and encoded the queries.
    """

    latency: float
    low: float
    high: float
    queries: int
    threads: int
    weights: int
    process: int


def measure_cost(model: str, queries: Sequence[str], *, precision: str = "auto", instruction: str = "") -> ModelCost:
    """Load a model in a process of its own and let it encode queries, one at a time.

    Args:
        model: A folder or name that ``Encoder.load`` takes, or a file of word vectors.
        queries: Texts to time it by, at least one.
        precision: In what it computes.
        instruction: For models that take one.

    Raises:
        InputError: When there is no query, or the process fails.
    """
    found = measure_running(model, queries, precision=precision, instruction=instruction)
    low, middle, high = (float(np.quantile(found.query_seconds, part)) for part in (0.25, 0.5, 0.75))
    return ModelCost(middle, low, high, len(queries), found.threads, found.weights, found.process)
