"""Texts as people write them, short and long, out of the folder of real data sets."""

from __future__ import annotations

import json
from collections.abc import Collection
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


def windows(data: Path, count: int, words: int = 12, seed: int = 0) -> list[str]:
    """A random ``count`` of the distinct runs of ``words`` words that a text falls into, none overlapping another: of
    Wikipedia's paragraphs, medical answers, abstracts and the Brown corpus; 1.1 million of twelve words."""
    lines = [
        line
        for name in ("wiki-en-sample/text.txt", "lm-text/brown.txt")
        for line in (data / name).open(encoding="utf-8")
    ]
    for name in ("medquad", "scifact", "cranfield"):
        with (data / name / "corpus.jsonl").open(encoding="utf-8") as handle:
            lines += [json.loads(line)["text"] for line in handle]
    found: dict[str, None] = {}
    for line in lines:
        cut = line.split()
        found |= dict.fromkeys(" ".join(cut[at : at + words]) for at in range(0, len(cut) - words + 1, words))
    if len(found) < count:
        raise SystemExit(f"{data} has only {len(found):,} runs of {words} words; ask for fewer")
    texts = list(found)
    return [texts[number] for number in np.random.default_rng(seed).permutation(len(texts))[:count]]


def questions(data: Path, count: int, seed: int = 0, without: Collection[str] = ()) -> list[str]:
    """A random ``count`` of the distinct queries of the searches among the data sets, and of WikiQA's, that are not
    among other texts."""
    from cosmith.evaluation.task_files import read_task

    found: dict[str, None] = {}
    for name in ("medquad", "scifact", "cranfield", "wikiqa"):
        for part in read_task(data / name).task.texts():
            if part.prompt == "query":
                found |= dict.fromkeys(part.texts)
    texts = [text for text in found if text not in without]
    return [texts[number] for number in np.random.default_rng(seed).permutation(len(texts))[:count]]
