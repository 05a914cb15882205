"""The stage that has a language model write rows: what it leaves, what it costs a second time, how it ends early."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import Collection, Source
from cosmith.errors import InputError
from cosmith.models import tiny_encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

WORDS = [a + b + c + d for a in "bdfgk" for b in "aeo" for c in "lmnr" for d in ("ta", "vis", "zumo")]
SECRET = "sk-very-secret-1234"

RECIPE = """\
name: written
base: {base}
precision: float32
stages:
  documents: {{kind: texts, path: {documents}}}
  queries:
    kind: synthesise
    texts: documents
    endpoint: {url}
    llm: stand-in
    each: 2
    words: [4, 8]
    dev: 0.2
    test: 0.2
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    tiny_encoder("bert").save(folder / "base")
    draw = random.Random(0)
    texts = [" ".join(draw.sample(WORDS, 9)) for _ in range(30)]
    lines = [json.dumps({"_id": f"d{number}", "text": text}) + "\n" for number, text in enumerate(texts)]
    (folder / "documents.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def run(model: Any, world: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    text = RECIPE.format(base=world / "base", documents=world / "documents.jsonl", url=model.url)
    overrides = {f"queries.{key}": value for key, value in changes.items()}
    return run_recipe(load_recipe(parse_document(text, folder / "recipe.yaml"), overrides=overrides), folder)["queries"]


def test_queries_are_parted_by_document_and_a_second_run_asks_nothing(
    language_model: Any, world: Path, tmp_path: Path
) -> None:
    with language_model() as model:
        result = run(model, world, tmp_path)
        asked = len(model.asked)
        train = Source.load(tmp_path / "queries" / "train")
        held_out = Collection.read_beir(tmp_path / "queries" / "test")
        rows = [json.loads(line) for line in (tmp_path / "queries" / "rows.jsonl").read_text().splitlines()]
        again = run(model, world, tmp_path, seed=0, dev=0.1)  # other settings: the stage's folder is made anew
        assert len(model.asked) == asked
    assert result["pairs"] == len(rows) == sum(result["by_sort"].values())
    assert (result["passages"], result["passages_finished"], result["stopped_by"]) == (30, 30, None)
    assert result["requests"] == asked
    assert again["pairs"] == result["pairs"]
    assert (again["requests"], again["cached"]) == (0, asked)
    assert set(result["templates"]) == {"configuration", "query"}
    assert {row["made_from"] for row in rows} <= {f"d{number}" for number in range(30)}
    made_from = {row["query"]: row["positive"] for row in rows}
    trained = {made_from[row.query] for row in train.rows()}
    assert len(held_out.queries) >= 4
    assert not {made_from[query] for query in held_out.queries.values()} & trained
    assert train.settings.task == "retrieval"


def test_a_budget_ends_the_stage_and_a_higher_one_goes_on(language_model: Any, world: Path, tmp_path: Path) -> None:
    with language_model() as model:
        first = run(model, world, tmp_path, most_tokens=12_000)
        asked = len(model.asked)
        assert first["stopped_by"] == "tokens"
        assert first["passages_finished"] < 30
        with pytest.raises(InputError, match=r"stages\.queries\.most_tokens.*the budget ended before the first row"):
            run(model, world, tmp_path / "none", most_tokens=100)
        whole = run(model, world, tmp_path, most_tokens=None)
    assert whole["passages_finished"] == 30
    assert whole["cached"] == asked


def test_a_key_is_written_nowhere(
    language_model: Any, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with language_model() as model:
        with pytest.raises(InputError, match=r"stages\.queries\.key_variable.*SOME_KEY is not set"):
            run(model, world, tmp_path, key_variable="SOME_KEY")
        assert not (tmp_path / "documents" / "result.json").exists()  # found before the first stage
        monkeypatch.setenv("SOME_KEY", SECRET)
        run(model, world, tmp_path, key_variable="SOME_KEY", most_texts=10, each=1)
        assert model.headers["Authorization"] == f"Bearer {SECRET}"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(b"SOME_KEY" in file.read_bytes() for file in files)
    assert not any(SECRET.encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"endpoint": "example.com"}, "endpoint: 'example.com' is no address"),
        ({"most_money": 5.0}, "most_money: money is limited, but no price is known"),
        ({"make": "translations"}, "languages: no language to translate into"),
        ({"words": [9, 3]}, "words: is"),
        ({"make": "classes"}, "classes: no class is named"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_runs(
    world: Path, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    nowhere = type("Nowhere", (), {"url": "http://localhost:1/v1"})
    with pytest.raises(InputError) as raised:
        run(nowhere, world, tmp_path / "run", **changes)
    assert told in str(raised.value)
    assert "stages.queries" in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_classes_and_own_personas_and_templates(language_model: Any, world: Path, tmp_path: Path) -> None:
    (tmp_path / "personas.txt").write_text("a keeper of dragons\na maker of lanterns\n", encoding="utf-8")
    template = '---\nkind: query\n---\nOurs: {passage}, "query", about {words} words. Question type: {type}\n'
    (tmp_path / "mine.md").write_text(template, encoding="utf-8")
    with language_model() as model:
        own = {"personas": str(tmp_path / "personas.txt"), "template": str(tmp_path / "mine.md")}
        result = run(model, world, tmp_path / "run", **own)
        classes = run(model, world, tmp_path / "classes", make="classes", classes=["praise", "complaint"])
    assert set(result["templates"]) == {"configuration", "mine"}
    assert any(body["messages"][-1]["content"].startswith("Ours: ") for body in model.asked)
    assert any("2. a keeper of dragons" in body["messages"][-1]["content"] for body in model.asked)
    assert classes["by_sort"] == {"praise": 30, "complaint": 30}
    source = Source.load(tmp_path / "classes" / "queries" / "train")
    assert source.settings.task == "classification"
    assert {row.positives for row in source.rows()} == {("praise",), ("complaint",)}


def test_the_built_in_recipe_goes_from_documents_to_a_report(language_model: Any, world: Path, tmp_path: Path) -> None:
    with language_model() as model:
        overrides = {
            "base": str(world / "base"), "precision": "float32", "documents.path": str(world / "documents.jsonl"),
            "queries.endpoint": model.url, "queries.llm": "stand-in", "queries.dev": 0.2, "queries.test": 0.2,
            "baseline.tasks": "queries.test", "evaluation.tasks": "queries.test", "train.general": [],
            "train.epochs": None, "train.steps": 4, "train.batch_size": 16, "mined.ratio": 1.0,
        }  # fmt: skip
        results = run_recipe(load_recipe("synthetic-queries", overrides=overrides), tmp_path)
    assert results["train"]["final_dev"] >= results["train"]["base_dev"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Written by stand-in: " in page
    sort = next(iter(results["queries"]["by_sort"]))
    assert results["queries"]["samples"][sort][0]["query"] in page


def test_the_documented_recipe_goes_from_a_folder_to_a_comparison(
    language_model: Any, world: Path, tmp_path: Path
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "synthesis.md").read_text(encoding="utf-8")
    (recipe,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "round-trip" in block)
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    draw = random.Random(1)
    for number in range(15):
        parts = [" ".join(draw.sample(WORDS, 12)) for _ in range(3)]
        (handbook / f"{number}.md").write_text(
            f"# {draw.choice(WORDS)} {number}\n\n{parts[0]}.\n\n## {draw.choice(WORDS)}\n\n{parts[1]}.\n\n{parts[2]}.\n"
        )
    with language_model() as model:
        overrides = {
            "base": str(world / "base"), "precision": "float32", "documents.path": str(handbook), "chunks.tokens": 40,
            "queries.endpoint": model.url, "queries.llm": "stand-in", "queries.dev": 0.2, "queries.test": 0.2,
            "found.k": 10, "mined.ratio": 1.0, "train.steps": 4, "train.batch_size": 8,
        }  # fmt: skip
        loaded = load_recipe(parse_document(recipe, tmp_path / "recipe.yaml"), overrides=overrides)
        results = run_recipe(loaded, tmp_path / "run")
    assert results["documents"]["documents"] == 15
    assert results["chunks"]["chunks"] >= 30
    assert results["queries"]["passages_finished"] == results["chunks"]["chunks"]
    assert 0 < results["found"]["kept"] < results["found"]["rows"]
    assert results["found"]["searched"] == results["chunks"]["chunks"]
    assert results["clean"]["rows"] == results["found"]["kept"]
    assert results["mined"]["negatives"] > 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for shown in ("The documents", results["chunks"]["examples"][0]["id"], "near duplicates", "documents searched"):
        assert shown in page
    (row,) = results["comparison"]["tasks"]
    assert row["low"] <= row["difference"] <= row["high"]
    held_out = Collection.read_beir(tmp_path / "run" / "queries" / "test")
    chunks = [
        json.loads(line) for line in (tmp_path / "run" / "chunks" / "texts" / "texts.jsonl").read_text().splitlines()
    ]
    document_of = {f"{chunk['title']} {chunk['text']}".strip(): chunk["document"] for chunk in chunks}
    trained = {
        document_of[text] for row in Source.load(tmp_path / "run" / "clean" / "source").rows() for text in row.positives
    }
    asked = {document_of[held_out.documents[name]] for grades in held_out.relevance.values() for name in grades}
    assert not trained & asked  # no document has queries on both sides
