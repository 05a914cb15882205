"""The natural-length pairs that the benchmarks work on: docstring sentence → function body, as in the demo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def write_pairs(path: Path, count: int, seed: int = 0) -> None:
    """Write a random ``count`` of the pairs found in this Python environment as JSON lines ``query``, ``document``."""
    from cosmith.data.python_functions import collect_functions

    pairs = collect_functions().pairs
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:count]
    if len(chosen) < count:
        raise SystemExit(f"this environment has only {len(pairs):,} pairs; ask for fewer")
    with path.open("w", encoding="utf-8") as handle:
        for number in chosen:
            pair = pairs[number]
            handle.write(json.dumps({"query": pair.query, "document": pair.document}) + "\n")


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read them back."""
    with path.open(encoding="utf-8") as handle:
        return [(row["query"], row["document"]) for row in map(json.loads, handle)]
