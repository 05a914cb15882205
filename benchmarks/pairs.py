"""The natural-length pairs that the benchmarks work on: docstring sentence → function body, as in the demo, or
neighbouring sentences of a text."""

from __future__ import annotations

import json
from itertools import islice
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


def write_sentences(path: Path, text: Path, count: int, seed: int = 0) -> None:
    """Write a random ``count`` of paragraphs with two sentences or more, the first as ``query``, the second as
    ``document``.

    Args:
        path: Where to.
        text: A paragraph a line.
        count: How many; each first sentence once.
        seed: Chooses them.
    """
    from cosmith.data.sentences import sentence_spans

    found: dict[str, str] = {}
    for line in text.read_text(encoding="utf-8").splitlines():
        spans = [line[start:stop].strip() for start, stop in islice(sentence_spans(line), 2)]
        if len(spans) == 2 and all(len(span) >= 20 for span in spans):
            found.setdefault(*spans)
    pairs = list(found.items())
    chosen = np.random.default_rng(seed).permutation(len(pairs))[:count]
    if len(chosen) < count:
        raise SystemExit(f"{text} has only {len(pairs):,} such paragraphs; ask for fewer")
    with path.open("w", encoding="utf-8") as handle:
        for number in chosen:
            query, document = pairs[number]
            handle.write(json.dumps({"query": query, "document": document}) + "\n")


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read them back."""
    with path.open(encoding="utf-8") as handle:
        return [(row["query"], row["document"]) for row in map(json.loads, handle)]
