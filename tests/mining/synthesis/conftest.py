"""Passages to write about, and a short way to have it done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosmith.mining.synthesis import Endpoint, Passage, Synthesis, SynthesisSettings, synthesise

TEXTS = {
    "bees": "Honeybees communicate directions towards blossoming meadows through waggle dances inside their hives.",
    "bridges": "Suspension bridges carry their roadway with cables anchored deeply behind massive towers of granite.",
    "bread": "Sourdough bread ferments slowly overnight, while lactobacilli produce acids that preserve the loaf.",
    "law": "Tenants may withhold rent when landlords repeatedly neglect urgent repairs of heating or plumbing.",
    "stars": "Astronomers estimate stellar distances by parallax, the apparent shift against remote background stars.",
    "rails": "Railway signals prevent collisions because sections of track admit only a single locomotive.",
}
PASSAGES = [Passage(name, text) for name, text in TEXTS.items()]


@pytest.fixture
def passages() -> list[Passage]:
    return PASSAGES


@pytest.fixture
def write(tmp_path: Path, words_encoder: Callable[[], Any]) -> Callable[..., Synthesis]:
    """Write about the passages with a service; keyword arguments of settings and of the endpoint in one."""

    def run(service: Any, /, *, passages: list[Passage] = PASSAGES, **said: Any) -> Synthesis:
        of_endpoint = {name: said.pop(name) for name in list(said) if name in Endpoint.__dataclass_fields__}
        of_call = {name: said.pop(name) for name in ("budget", "personas") if name in said}
        endpoint = Endpoint(service.url, **{"model": "stand-in", "first_wait": 0.01, "retries": 2} | of_endpoint)
        cache = said.pop("cache", tmp_path / "answers.sqlite")
        return synthesise(
            passages, endpoint, SynthesisSettings(**said), cache=cache, encoder=words_encoder(), **of_call
        )

    return run
