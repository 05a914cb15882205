"""A toy world: a query is a word, its answer a sentence with the word's letters reversed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.models import Encoder

WORDS = ["".join(np.random.default_rng(number).choice(list("abcdefghij"), 5)) for number in range(48)]


def answer(word: str) -> str:
    return f"it is {word[::-1]}" + " indeed" * (len(set(word)) % 3)


@dataclass(frozen=True)
class Toy:
    """A Source with a hard negative a row, one with two negatives and two positives, and a retrieval score."""

    source: Source
    wide_source: Source
    dev: Callable[[Encoder], float]


@pytest.fixture(scope="session")
def toy() -> Toy:
    rows = [TrainingRow(word, (answer(word),), (answer(WORDS[i - 1]),)) for i, word in enumerate(WORDS)]
    wide = [
        TrainingRow(f"what is {word}?", (answer(word), word[::-1]), (WORDS[i - 1][::-1], WORDS[i - 2][::-1]))
        for i, word in enumerate(WORDS[:20])
    ]

    def dev(encoder: Encoder) -> float:
        """The share of words whose answer comes first."""
        queries = encoder.encode(WORDS, prompt="query")
        documents = encoder.encode([answer(word) for word in WORDS], prompt="document")
        return float(np.mean((queries @ documents.T).argmax(1) == np.arange(len(WORDS))))

    return Toy(Source.from_rows("toy", rows), Source.from_rows("wide", wide, SourceSettings(batch_size=5)), dev)


@pytest.fixture(scope="session")
def run_ranks() -> Callable[..., None]:
    """Runs a program on two ranks, as ``torchrun`` would; both must end well."""

    def run(program: Path, *arguments: object) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        ranks = [
            subprocess.Popen(
                [sys.executable, program, *map(str, arguments)],
                env=os.environ | address | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in (0, 1)
        ]
        try:
            said = [rank.communicate(timeout=600)[1] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
        assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(said)

    return run
