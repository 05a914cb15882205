"""What a model costs to run, measured on this machine in a process of its own, as a service would run it.

``python -m cosmith.evaluation.choosing.cost`` is that process: it reads what to do as JSON and writes what it measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cosmith.errors import InputError

_WARM_UP = 3


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
    if not queries:
        raise InputError("there are no queries to measure the latency by", field="tasks")
    asked = {"model": model, "queries": list(queries), "precision": precision, "instruction": instruction}
    done = subprocess.run(
        [sys.executable, "-m", "cosmith.evaluation.choosing.cost"], input=json.dumps(asked), capture_output=True,
        text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"could not be run by itself ({said[-1]})", path=model, field="model")
    return ModelCost(**json.loads(done.stdout.strip().splitlines()[-1]))


def measure_here(model: str, queries: Sequence[str], *, precision: str, instruction: str) -> ModelCost:
    """The same in this process, which should have done nothing before."""
    import psutil
    import torch

    from cosmith.models.loading import load_in_torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = load_in_torch(model, precision=precision, device=device)
    for _ in range(_WARM_UP):
        encoder.encode([queries[0]], prompt="query", instruction=instruction)
    seconds = []
    for query in queries:
        began = time.perf_counter()
        encoder.encode([query], prompt="query", instruction=instruction)
        seconds.append(time.perf_counter() - began)
    low, middle, high = (float(np.quantile(seconds, part)) for part in (0.25, 0.5, 0.75))
    weights = sum(value.numel() * value.element_size() for value in encoder.module.parameters())
    process = int(psutil.Process().memory_info().rss)
    return ModelCost(middle, low, high, len(queries), torch.get_num_threads(), weights, process)


def _main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    found = measure_here(
        asked["model"], asked["queries"], precision=asked["precision"], instruction=asked["instruction"]
    )
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    _main()
