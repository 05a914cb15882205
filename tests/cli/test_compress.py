"""`cosmith compress vectors` from the door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection
from cosmith.models import tiny_encoder

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]


def compress(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first(["compress", "vectors", *map(str, arguments), "--precision", "float32"]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "dense")
    documents = {f"d{n}": f"all about the {word} and {'its parts ' * n}" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is a {word}" for n, word in enumerate(WORDS)}
    Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(12)}).write_beir(folder / "task")
    return folder


def test_a_table_and_files(world: Path, tmp_path: Path) -> None:
    forms = "int8; pca4+binary, rescored x2 by float16"
    told = compress(world / "dense", "--task", world / "task", "--forms", forms, "--output", tmp_path)
    assert told.exit_code == 0, told.output
    assert "pca4+binary, rescored x2 by float16" in told.stdout
    value = json.loads((tmp_path / "task--dense.sweep.json").read_text())
    assert [each["name"] for each in value["forms"]] == ["float32", *forms.split("; ")]
    assert value["forms"][0]["search"]["recall"] == 1
    assert (tmp_path / "task--dense.sweep.md").read_text().startswith("**task, dense, 12 queries**")
    scores = json.loads((tmp_path / "task--dense, int8.json").read_text())
    assert scores["values"]["ndcg@10"] == value["forms"][1]["value"]
    machine = compress(world / "dense", "--task", world / "task", "--forms", "int8", "--json")
    assert json.loads(machine.stdout)["forms"][1]["name"] == "int8"


def test_forms_that_are_none_are_refused_before_any_work(world: Path, tmp_path: Path) -> None:
    wrong = compress(world / "dense", "--task", world / "nowhere", "--forms", "int8; pcb+int8")
    assert wrong.exit_code == 1
    assert "[--forms]: 'pcb+int8': there is no transform 'pcb'. Did you mean 'pca'?" in wrong.stderr
    long = compress(world / "dense", "--task", world / "task", "--forms", "pca999+int8")
    assert long.exit_code == 1
    assert "[--forms]: 'pca999': cannot keep 999 of" in long.stderr
    vectors = compress("bm25", "--task", world / "task")
    assert vectors.exit_code == 1
    assert "bm25 makes no vector of a text" in vectors.stderr
