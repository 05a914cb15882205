"""`cosmith compress plan` from the door."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection
from cosmith.models import tiny_encoder

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]


def compress(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first(["compress", "plan", *map(str, arguments)]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "dense")
    documents = {f"d{n}": f"all about the {word} and {'its parts ' * n}" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is a {word}" for n, word in enumerate(WORDS)}
    Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(12)}).write_beir(folder / "task")
    return folder


COMMON = ["--runtimes", "torch float32", "--forms", "int8; pca4+binary", "--corpus-size", 500]


def test_a_table_a_report_and_a_model(world: Path, tmp_path: Path) -> None:
    told = compress(world / "dense", "--task", world / "task", *COMMON, "--keep", 0.2, "--output", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert "Recommended: torch float32 with vectors as" in told.stdout
    form = json.loads((tmp_path / "out" / "model" / "plan.json").read_text())["form"]
    assert form in ("int8", "pca4+binary")
    written = tmp_path / "out"
    assert f"cosmith index {written}/model documents.jsonl --form {form} --precision float32" in told.stdout
    report = json.loads((written / "report.json").read_text())
    assert report["corpus_size"] == 500
    assert report["chosen"]["form"] == form
    assert (written / "report.md").read_text().startswith("**dense on task: ")
    page = (written / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "bytes a document" in page
    assert not re.search(r"<(script|link|img)\b|\bsrc=", page)


def test_the_instruction_goes_with_the_model(world: Path, tmp_path: Path) -> None:
    told_by_folder = Path(shutil.copytree(world / "task", tmp_path / "task"))
    (told_by_folder / "cosmith.json").write_text('{"instruction": "Find the word\'s page"}')
    tiny_encoder("bert").set_prompts({"query": "{task}: "}).save(tmp_path / "asking")
    asked = [
        (tmp_path / "asking", world / "task", ["--instruction", "Find it"], "Find it"),
        (tmp_path / "asking", told_by_folder, [], "Find the word's page"),
        (world / "dense", told_by_folder, [], ""),  # which index would refuse, as it changes nothing there
    ]  # fmt: skip
    for model, task, given, instruction in asked:
        told = compress(model, "--task", task, *COMMON, "--keep", 0.2, "--output", tmp_path / "out", *given)
        assert told.exit_code == 0, told.output
        command = shlex.split(next(line for line in told.stdout.splitlines() if "cosmith index" in line))
        assert ("--instruction" in command) == bool(instruction)
        assert json.loads((tmp_path / "out" / "model" / "plan.json").read_text())["instruction"] == instruction
        command[command.index("documents.jsonl")] = str(task)
        done = CliRunner().invoke(app, flags_first(command[1:]))
        assert done.exit_code == 0, done.output
        assert json.loads((tmp_path / "out" / "index" / "index.json").read_text())["instruction"] == instruction


def test_where_nothing_fits_machines_are_told_what_is_nearest(world: Path) -> None:
    machine = compress(world / "dense", "--task", world / "task", *COMMON, "--keep", 1, "--bytes", 20, "--json")
    assert machine.exit_code == 0, machine.output
    value = json.loads(machine.stdout)
    assert value["chosen"] is None
    assert value["nearest"]["over"]
    assert set(value["vectors"]) == {"disk", "made", "again"}


def test_a_model_of_an_earlier_plan_is_called_so(world: Path, tmp_path: Path) -> None:
    command = [world / "dense", "--task", world / "task", *COMMON, "--output", tmp_path / "out"]
    assert "an earlier plan" not in compress(*command, "--keep", 0.2).stdout
    assert f"{tmp_path / 'out' / 'model'} is what an earlier plan recommended" in compress(
        *command, "--keep", 1, "--bytes", 20
    ).stdout.replace("\n", " ")


def test_a_model_of_an_earlier_plan_is_not_replaced_by_its_own(world: Path, tmp_path: Path) -> None:
    tiny_encoder("bert").save(tmp_path / "out" / "model")
    (tmp_path / "out" / "model" / "plan.json").write_text("{}")
    told = compress(tmp_path / "out" / "model", "--task", world / "task", *COMMON, "--output", tmp_path / "out")
    assert told.exit_code == 1
    assert "model [--output]: is read from (" in told.stderr
    within = compress(world / "dense", "--task", world / "task", *COMMON, "--output", world / "dense")
    assert "model [--output]: lies within what is read (" in within.stderr


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (["--forms", "pcb+int8"], "[--forms]: 'pcb+int8': there is no transform 'pcb'"),
        (["--keep", "1.2"], "[--keep]: is a share of the full model's quality, got 1.2"),
        (["--latency-ms", "-3"], "[--latency-ms]: must be above 0, got -3.00 ms"),
        (["--bytes", "1"], "[--bytes]: 1 are fewer than any form takes"),
        (["--runtimes", "tensor"], "[--runtimes]: there is no runtime 'tensor'"),
        (["--dims", "none"], "[--dims]: 'none' is not a length"),
        (["--memory", "1"], "[--memory]: 1.0 MB cannot hold 1,000,000 documents"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_its_option(world: Path, said: list[str], problem: str) -> None:
    told = compress(world / "dense", "--task", world / "task", *said)
    assert told.exit_code == 1
    assert problem in told.stderr


def test_what_is_no_dense_model_is_refused(world: Path) -> None:
    for model in ("bm25", "https://localhost/v1#model"):
        told = compress(model, "--task", world / "task")
        assert told.exit_code == 1
        assert f"[MODEL]: {model} is no model whose weights are here" in told.stderr
