"""A test set of any kind in a recipe: read, kept, scored, watched in training, held against what is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosmith.errors import InputError
from cosmith.recipes import load_recipe, read_document, run_recipe

RECIPE = """\
name: kinds
base: {base}
precision: float32
stages:
  rows: {{kind: source, path: {rows}, dev: 0, test: 0}}
  intents: {{kind: task, path: {intents}}}
  languages: {{kind: task, path: {languages}}}
  train: {{kind: train, sources: rows.train, dev: languages, steps: 2, batch_size: 4}}
  scores: {{kind: evaluate, models: [base, train], tasks: [intents, languages]}}
  comparison: {{kind: compare, before: base, after: train, scores: [scores]}}
"""


@pytest.fixture
def recipe(small_world: Path, tmp_path: Path) -> Path:
    intents, languages = tmp_path / "intents", tmp_path / "languages"
    intents.mkdir()
    languages.mkdir()
    for split, words in (("train", "ace bade"), ("test", "cafe dada")):
        one, other = words.split()
        (intents / f"{split}.csv").write_text(f"text,label\n{one},x\n{other},y\n{one} {other},x\n")
    for language in ("deu", "fra"):
        (languages / f"{language}.tsv").write_text(f"sentence1\tsentence2\n{language}\tone\n{language} b\ttwo\n")
    (tmp_path / "recipe.yaml").write_text(
        RECIPE.format(base=small_world / "base", rows=small_world / "pairs.jsonl", intents=intents, languages=languages)
    )
    return tmp_path / "recipe.yaml"


def test_tasks_are_scored_watched_and_compared(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_recipe(load_recipe(read_document(recipe)), run)
    brought = json.loads((run / "intents" / "result.json").read_text())
    assert brought["task"] == "classification"
    assert (run / "intents" / "task" / "intents" / "train.csv").is_file()
    scores = json.loads((run / "scores" / "result.json").read_text())["scores"]
    assert {(each["task"], each["model"], each["main"]) for each in scores} == {
        (task, model, main)
        for task, main in (("intents", "accuracy"), ("languages", "f1"))
        for model in ("base", "train")
    }
    compared = json.loads((run / "comparison" / "result.json").read_text())
    assert [each["task"] for each in compared["tasks"]] == ["intents", "languages"]


def test_a_tested_text_that_is_trained_on_is_refused(recipe: Path, small_world: Path, tmp_path: Path) -> None:
    row = json.loads((small_world / "pairs.jsonl").read_text().splitlines()[0])
    tested = tmp_path / "intents" / "test.csv"
    tested.write_text(tested.read_text() + f"{row['positive']},x\n")
    with pytest.raises(InputError, match="1 of 4 texts of the test set 'intents' would be trained on"):
        run_recipe(load_recipe(read_document(recipe)), tmp_path / "run")
