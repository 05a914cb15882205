"""An encoder that needs no model: every text has a vector of its own, drawn from its hash."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import xxhash


class HashEncoder:
    """Deterministic; no two texts score exactly alike, so rankings have no ties."""

    max_length = 1000

    def __init__(self, dimension: int = 12) -> None:
        self.dimension = dimension
        self.calls: list[tuple[tuple[str, ...], str | None]] = []

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> np.ndarray:
        self.calls.append((tuple(texts), prompt))
        generators = (np.random.default_rng(xxhash.xxh3_64_intdigest(text.encode())) for text in texts)
        vectors = np.stack([generator.normal(size=self.dimension) for generator in generators])[:, :dim]
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def fingerprint(self) -> str:
        return f"hash-{self.dimension}"


@pytest.fixture(scope="session")
def hash_encoder() -> type[HashEncoder]:
    return HashEncoder
