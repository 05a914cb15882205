"""Stages whose work an engine does: the same as in this process, and told before the first one runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cosmith.bulk import ShardJob, ray_data
from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.retrieval import Index, vectors

RECIPE = """\
name: spread
base: {world}/base
precision: float32
stages:
  data: {{kind: source, path: {world}/pairs.jsonl, dev: 0, test: 0.2}}
  spread: {{{stage}, {said}}}
"""
MINE = "kind: mine, source: data.train, ratio: null"
INDEX = "kind: index, model: base, documents: data.test, examples: 2"
SYNTHESISE = "kind: synthesise, texts: data.train, llm: stand-in, make: paraphrases, most_texts: 12, dev: 0, test: 0"


@pytest.fixture
def shards(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made in shards, by a stand-in for the workers of a cluster; tests/bulk has a real one."""
    made: list[str] = []

    def in_turn(job: ShardJob, numbers: Sequence[int], address: str | None, workers: int | None) -> Iterator[int]:
        for number in numbers:
            job.make(number, job.path(number))
            made.append(f"{job.called}, {workers} workers")
            yield number

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(ray_data, "made_by_ray", in_turn)
    monkeypatch.setattr(vectors, "SHARD_ROWS", 50)
    return made


def run(world: Path, folder: Path, stage: str, said: str) -> tuple[dict[str, Any], list[str]]:
    heard: list[Any] = []
    recipe = load_recipe(parse_document(RECIPE.format(world=world, stage=stage, said=said)))
    results = run_recipe(recipe, folder, listen=heard.append)
    return results["spread"], [event.what for event in heard]


def test_mining(small_world: Path, tmp_path: Path, shards: list[str]) -> None:
    run(small_world, tmp_path / "local", MINE, "engine: local")
    assert not shards
    run(small_world, tmp_path / "spread", MINE, "engine: ray, workers: 3")
    assert {"Encoding queries, 3 workers", "Mining hard negatives, 3 workers"} <= set(shards)
    local, spread = (Source.load(tmp_path / name / "spread" / "source") for name in ("local", "spread"))
    assert list(spread.rows()) == list(local.rows())
    _, events = run(small_world, tmp_path / "spread", MINE, "engine: ray, address: auto")
    assert events == ["skip", "skip"]  # who works changes nothing


def test_an_index(small_world: Path, tmp_path: Path, shards: list[str]) -> None:
    local, _ = run(small_world, tmp_path / "local", INDEX, "chunk_tokens: 4")
    assert not shards
    spread, _ = run(small_world, tmp_path / "spread", INDEX, "chunk_tokens: 4, engine: ray")
    assert len(shards) > 2 * 2  # of the model and of the one before it
    assert [each["query"] for each in spread["searches"]] == [each["query"] for each in local["searches"]]
    here, there = (Index.load(each["folder"]) for each in (local, spread))
    assert there.vectors == pytest.approx(here.vectors, abs=1e-6)
    left = {each.name for each in Path(spread["folder"]).parent.iterdir()}
    assert left == {each.name for each in Path(local["folder"]).parent.iterdir()}


def test_synthesis(language_model: Any, small_world: Path, tmp_path: Path, shards: list[str]) -> None:
    with language_model() as model:
        stage = f"{SYNTHESISE}, endpoint: {model.url}"
        local, _ = run(small_world, tmp_path / "local", stage, "engine: local")
        spread, _ = run(small_world, tmp_path / "spread", stage, "engine: ray")
    assert shards == ["Asking for paraphrases, None workers"]
    assert spread["pairs"] == local["pairs"] == 12
    assert (tmp_path / "spread/spread/rows.jsonl").read_text() == (tmp_path / "local/spread/rows.jsonl").read_text()


@pytest.mark.parametrize(
    ("said", "key", "told"),
    [
        ("engine: rya", "engine", "'rya' is not possible. Did you mean 'ray'"),
        ("address: auto", "address", "is for another engine than the local one. Leave it out"),
        ("workers: 2", "workers", "is for another engine"),
        ("engine: ray, workers: 0", "workers", "at least 1"),
        ("engine: ray", "engine", r'needs the package ray. Run: pip install "cosmith\[ray\]"'),
    ],
)
@pytest.mark.parametrize("stage", [MINE, INDEX, f"{SYNTHESISE}, endpoint: http://localhost:1/v1"])
def test_who_cannot_work_is_told_as_the_recipe_is_read(
    stage: str, said: str, key: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=told) as refused:
        load_recipe(parse_document(RECIPE.format(world="nowhere", stage=stage, said=said)))
    assert (refused.value.field, refused.value.line) == (f"stages.spread.{key}", 6)
