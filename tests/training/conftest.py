"""A toy world: a query is a word, its answer a sentence with the word's letters reversed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
