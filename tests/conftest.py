"""What many tests share: the place of the real data sets, and an encoder that needs no model."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import settings

# A shared machine may stop for a second at any time; no test is about how long an example takes.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps the vectors of tests out of the user's cache."""
    os.environ["COSMITH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it skip where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("COSMITH_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data sets at {folder}; set COSMITH_DATA to their folder to run this test")
    return folder


class WordsEncoder:
    """A text is the sum of its words' vectors; texts that share words are near. ``seed`` makes another model of it."""

    max_length = 1000

    def __init__(self, seed: int = 0, dimension: int = 64) -> None:
        self.seed, self.dimension = seed, dimension
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
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                seed = xxhash.xxh3_64_intdigest(f"{self.seed} {word}".encode())
                row += np.random.default_rng(seed).normal(size=self.dimension).astype(np.float32)
        vectors = vectors[:, :dim]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def fingerprint(self) -> str:
        return f"words-{self.seed}-{self.dimension}"


@pytest.fixture(scope="session")
def words_encoder() -> type[WordsEncoder]:
    return WordsEncoder


@pytest.fixture(scope="session")
def exported_texts() -> list[str]:
    """Texts of many lengths, some of them longer than a tiny model reads."""
    return [f"{number} " + "some words " * (number % 9) for number in range(40)]


@pytest.fixture(scope="session")
def exported_model(tmp_path_factory: pytest.TempPathFactory, exported_texts: list[str]) -> tuple[Any, Path]:
    """A tiny encoder with a projection and prompts, and a folder of it in every precision for ONNX Runtime."""
    from cosmith.compression import export
    from cosmith.models import tiny_encoder

    encoder = tiny_encoder("bert", projection=16).set_prompts({"query": "ask {task}: ", "document": "told: "})
    folder = tmp_path_factory.mktemp("exported") / "model"
    export(
        encoder, folder, precisions=["float32", "float16", "int8", "int8-static"], calibration=exported_texts,
        texts=exported_texts,
    )  # fmt: skip
    return encoder, folder


@pytest.fixture(scope="session")
def language_model() -> Callable[..., Any]:
    """Starts a service that stands in for a language model: ``with language_model(fault, delay) as model``."""
    place = Path(__file__).resolve().parents[1] / "benchmarks" / "language_model_stand_in.py"
    spec = importlib.util.spec_from_file_location("language_model_stand_in", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.running  # type: ignore[no-any-return]
