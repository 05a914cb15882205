"""Mining hard negatives in 10,000, 100,000 and 1,000,000 documents: time and memory of the search, random vectors.

python -m benchmarks.mining_scale --queries 100000 --documents 10000 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import interleaved

_CHUNK = 4096
_NOISE = 1.0


class RandomVectors:
    """Documents ``d0``, ``d1``, … have random vectors, a query ``q5`` lies near ``d5``; counts the time it takes."""

    max_length = 1

    def __init__(self, dimension: int) -> None:
        self.dimension, self.seconds = dimension, 0.0

    def encode(self, texts: Sequence[str], *, prompt: str | None = None, **options: Any) -> np.ndarray:
        """float32 ``[texts, dimension]``, unit rows; a function of the text."""
        started = time.perf_counter()
        numbers = np.array([int(text[1:]) for text in texts])
        vectors = self._rows(numbers, 0)
        if texts[0][0] == "q":
            vectors += _NOISE * self._rows(numbers, 1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.seconds += time.perf_counter() - started
        return vectors

    def _rows(self, numbers: np.ndarray, kind: int) -> np.ndarray:
        rows = np.empty((len(numbers), self.dimension), dtype=np.float32)
        chunk, place = np.divmod(numbers, _CHUNK)
        for number in np.unique(chunk).tolist():
            here = chunk == number
            drawn = np.random.default_rng([kind, number]).standard_normal((_CHUNK, self.dimension), dtype=np.float32)
            rows[here] = drawn[place[here]]
        return rows

    def fingerprint(self) -> str:
        """Of the numbers."""
        return f"random {self.dimension}"


def work(given: argparse.Namespace, documents: int, folder: Path) -> dict[str, float]:
    """Mine for the queries among so many documents."""
    from cosmith import Source, TrainingRow, mine_hard_negatives

    queries = min(given.queries, documents)
    source = Source.from_rows("random", (TrainingRow(f"q{n}", (f"d{n}",)) for n in range(queries)))
    encoder = RandomVectors(given.dimension)
    before = peak()
    started = time.perf_counter()
    found = mine_hard_negatives(
        encoder, source, corpus=(f"d{n}" for n in range(queries, documents)), negatives_per_row=given.negatives,
        folder=folder, stored_as=given.stored_as,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    assert found.negatives == queries * given.negatives
    products = queries * documents * given.dimension * 2
    return {
        "queries": queries,
        "documents": documents,
        "making vectors, s": encoder.seconds,
        "all else, s": seconds - encoder.seconds,
        "queries per second": queries / (seconds - encoder.seconds),
        "10⁹ operations per second": products / (seconds - encoder.seconds) / 1e9,
        "peak GB": peak(),
        "of these before mining": before,
        "on disk, GB": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9,
    }


def peak() -> float:
    """The most memory that this process has held, pages of mapped files among it, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--queries", type=int, default=100_000, help="as many as there are documents at most")
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--stored-as", choices=("float32", "float16"), default="float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where vectors go; a temporary one when left out")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        print(json.dumps(work(given, given.worker, given.folder)))
        return
    options = [f"--queries {given.queries}", f"--documents {' '.join(map(str, given.documents))}",
               f"--dimension {given.dimension}", f"--negatives {given.negatives}", f"--stored-as {given.stored_as}",
               f"--threads {given.threads}"]  # fmt: skip
    found = []
    for documents in given.documents:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            command = [sys.executable, "-m", "benchmarks.mining_scale", "--worker", str(documents), "--folder", folder]
            command += [word for option in options for word in option.split() if option[2:5] != "doc"]
            threads = {name: str(given.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
            done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-4000:])
        found.append(json.loads(done.stdout.strip().splitlines()[-1]))
        print(found[-1], flush=True)
    lines = ["| " + " | ".join(found[0]) + " |", "|---" * len(found[0]) + "|"]
    lines += ["| " + " | ".join(f"{value:,.4g}" if value < 1000 else f"{value:,.0f}" for value in each.values()) + " |"
              for each in found]  # fmt: skip
    notes = (
        f"Random vectors of {given.dimension} numbers, kept on disk as {given.stored_as} and memory-mapped; every "
        f"query is compared with every document, limits hold before the best {given.negatives} are selected. "
        f"{given.threads} thread(s). Each size in a process of its own. Peak memory counts the pages of mapped files, "
        "which the system may take back."
    )
    interleaved.write_up("Mining at scale", "benchmarks.mining_scale", options, notes, "\n".join(lines), given.output)


if __name__ == "__main__":
    main()
