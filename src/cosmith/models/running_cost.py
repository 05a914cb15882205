"""What a model costs to run, measured on this machine in a process of its own, as a service would run it.

``python -m cosmith.models.running_cost`` is that process: it reads what to do as JSON and writes what it measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cosmith.errors import InputError

_WARM_UP = 3
_SHORTEST = 1e-9  # seconds: what is divided by, however coarse the clock


@dataclass(frozen=True)
class RunningCost:
    """What a model costs to run.

    Attributes:
        query_seconds: To encode each query by itself, of wall time.
        query_cpu_seconds: The mean over the queries, of processor time.
        documents_per_second: Encoded together, of wall time; 0 where none were given.
        documents_per_cpu_second: The same of processor time.
        threads: How many threads the runtime uses.
        weights: Bytes of the model's weights, or of an exported model's graph.
        process: Bytes of memory that the process held once it had loaded the model and encoded the queries.
        processor: What it ran on.
    """

    query_seconds: tuple[float, ...]
    query_cpu_seconds: float
    documents_per_second: float
    documents_per_cpu_second: float
    threads: int
    weights: int
    process: int
    processor: str


def measure_running(
    model: str,
    queries: Sequence[str],
    documents: Sequence[str] = (),
    *,
    runtime: str = "torch",
    precision: str = "auto",
    instruction: str = "",
) -> RunningCost:
    """Load a model in a process of its own and let it encode queries, one at a time, and documents, all together.

    Args:
        model: A folder or name that :func:`cosmith.load_encoder` takes.
        queries: At least one.
        documents: Any number.
        runtime, precision: As of :func:`cosmith.load_encoder`; torch computes on the accelerator where there is one.
        instruction: For models that take one.

    Raises:
        InputError: When there is no query, or the process fails.
    """
    if not queries:
        raise InputError("there are no queries to measure the latency by", field="tasks")
    asked = {
        "model": model, "queries": list(queries), "documents": list(documents), "runtime": runtime,
        "precision": precision, "instruction": instruction,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "cosmith.models.running_cost"], input=json.dumps(asked), capture_output=True, text=True,
        check=False, encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"could not be run by itself ({said[-1]})", path=model, field="model")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return RunningCost(**told | {"query_seconds": tuple(told["query_seconds"])})


def measure_here(
    model: str, queries: Sequence[str], documents: Sequence[str], *, runtime: str, precision: str, instruction: str
) -> RunningCost:
    """The same in this process, which should have done nothing before."""
    import psutil

    from cosmith.models.loading import load_encoder

    device = _device() if runtime == "torch" else "cpu"
    encoder: Any = load_encoder(model, runtime=runtime, precision=precision, device=device)
    for _ in range(_WARM_UP):
        encoder.encode([queries[0]], prompt="query", instruction=instruction)
    seconds = []
    used = time.process_time()
    for query in queries:
        began = time.perf_counter()
        encoder.encode([query], prompt="query", instruction=instruction)
        seconds.append(time.perf_counter() - began)
    used = (time.process_time() - used) / len(queries)
    process = int(psutil.Process().memory_info().rss)
    began, began_cpu = time.perf_counter(), time.process_time()
    if documents:
        encoder.encode(documents, prompt="document", instruction=instruction)
    took = max(time.perf_counter() - began, _SHORTEST)
    took_cpu = max(time.process_time() - began_cpu, _SHORTEST)
    threads, weights = _threads_and_weights(encoder, runtime)
    return RunningCost(
        tuple(seconds), used, len(documents) / took, len(documents) / took_cpu, threads, weights, process,
        _processor(device),
    )  # fmt: skip


def _threads_and_weights(encoder: Any, runtime: str) -> tuple[int, int]:
    if runtime != "torch":
        return encoder.threads, encoder.variant.bytes_in(encoder.folder)
    import torch

    parameters = encoder.module.parameters()
    return torch.get_num_threads(), sum(value.numel() * value.element_size() for value in parameters)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _processor(device: str) -> str:
    """Its name, in words."""
    if device == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    import platform
    from pathlib import Path

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _main() -> None:
    sys.stdout.write(json.dumps(asdict(measure_here(**json.load(sys.stdin)))) + "\n")


if __name__ == "__main__":
    _main()
