"""An encoder whose vectors a test says, so that every number can be computed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest


class TableEncoder:
    """Gives each text the vector that stands for it; one that is not there has the vector 0."""

    max_length = 1000

    def __init__(self, vectors: Mapping[str, Sequence[float]], name: str = "table") -> None:
        self.vectors, self.name = vectors, name
        self.dimension = len(next(iter(vectors.values())))
        self.prompts: list[str | None] = []

    def encode(self, texts, *, prompt=None, instruction="", dim=None, show_progress=None):
        self.prompts.append(prompt)
        zero = [0.0] * self.dimension
        return np.array([self.vectors.get(text, zero) for text in texts], dtype=np.float32)[:, :dim]

    def fingerprint(self) -> str:
        return "table"


@pytest.fixture(scope="session")
def table_encoder() -> type[TableEncoder]:
    return TableEncoder


@pytest.fixture(scope="session")
def on_circle():
    """The unit vector at an angle in degrees."""

    def at(degrees: float) -> list[float]:
        return [float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))]

    return at
