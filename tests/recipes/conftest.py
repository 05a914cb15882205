"""A small world: a random model, a file of pairs, and a recipe that uses both in seconds."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from cosmith.models import tiny_encoder

RECIPE = """\
name: tiny
base: {base}
precision: float32
stages:
  data: {{kind: source, path: {pairs}, dev: 0.2, test: 0.2}}
  estimate: {{kind: estimate, train: train}}
  baseline: {{kind: evaluate, models: [base, bm25], tasks: [data.test]}}
  train: {{kind: train, sources: data.train, dev: data.dev, steps: 6, batch_size: 16, learning_rate: 1e-3}}
  evaluation: {{kind: evaluate, models: train, tasks: data.test}}
  comparison: {{kind: compare, after: train, scores: [baseline, evaluation]}}
  index: {{kind: index, model: train, documents: data.test, queries: [gen cup], examples: 2}}
"""


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `base` (a model), `pairs.jsonl` and `recipe.yaml`; not to be written to."""
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "base")
    draw = random.Random(0)
    words = [a + b + c for a in "bcdfg" for b in "aeiou" for c in "klmnp"]
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(120):
            chosen = draw.sample(words, 4)
            document = " ".join([*chosen, *draw.sample(words, 3)])
            file.write(json.dumps({"query": " ".join(chosen[:2]), "positive": document}) + "\n")
    text = RECIPE.format(base=folder / "base", pairs=folder / "pairs.jsonl")
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    return folder
