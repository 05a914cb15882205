"""Texts as people write them, short and long, out of the folder of real data sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

SETS = ("stsb", "banking77", "wikiqa", "twitter-url", "clus-stackoverflow", "cranfield", "scifact", "medquad")


def natural_texts(data: Path, count: int, seed: int = 0) -> list[str]:
    """A random ``count`` of the distinct texts of all ``SETS``: questions, titles, tweets, sentences and abstracts."""
    from cosmith.evaluation.task_files import read_task

    found: dict[str, None] = {}
    for name in SETS:
        for part in read_task(data / name).task.texts():
            found |= dict.fromkeys(part.texts)
    texts = list(found)
    if len(texts) < count:
        raise SystemExit(f"{data} has only {len(texts):,} texts; ask for fewer")
    return [texts[number] for number in np.random.default_rng(seed).permutation(len(texts))[:count]]


def write_texts(path: Path, texts: list[str]) -> None:
    """Write texts as one JSON list."""
    path.write_text(json.dumps(texts), encoding="utf-8")


def read_texts(path: Path) -> list[str]:
    """Read them again."""
    texts: list[str] = json.loads(path.read_text(encoding="utf-8"))
    return texts
