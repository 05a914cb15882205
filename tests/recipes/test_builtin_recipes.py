"""Every built-in recipe runs from end to end at toy size, and does what it is for."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from tokenizers.processors import ByteLevel

from cosmith.data import Collection, Source
from cosmith.models import Encoder, tiny_encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.document import Document
from cosmith.recipes.loading import built_in_recipes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipes.md"
BRIEF = {"epochs": None, "steps": 4, "batch_size": 16, "learning_rate": 1e-3, "evaluate_every": 4, "general": []}

ONLY_THE_TEST = {"baseline": {"tasks": "data.test"}, "evaluation": {"tasks": "data.test"}}


def run(recipe: str | Document, folder: Path, base: Path, overrides: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Run a built-in recipe, or one of the page; a stage's overrides are a mapping of keys."""
    flat = {f"{stage}.{key}": value for stage, keys in overrides.items() for key, value in keys.items()}
    return run_recipe(load_recipe(recipe, overrides={"base": str(base), "precision": "float32"} | flat), folder)


def said(folder: Path, file: str = "metrics.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / file).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", built_in_recipes())
def test_a_recipe_says_what_it_is_for_and_how_to_run_it(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    loaded = load_recipe(name)
    assert loaded.recipe.name == name
    assert loaded.recipe.description
    assert f"cosmith run {name}" in loaded.document.text
    assert f"## {name}\n" in page
    assert f"cosmith run {name}" in page
    section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
    assert [stage for stage in loaded.recipe.stages if f"`{stage}`" not in section] == []
    for size in loaded.document.value.get("sizes", {}):
        assert load_recipe(name, size=size).recipe.stages
        assert size in section


def test_domain_finetune_stops_early_and_shows_what_cut_vectors_cost(small_world: Path, tmp_path: Path) -> None:
    train = BRIEF | {"steps": 40, "dims": [16, 8], "patience": 1, "evaluate_every": 2, "learning_rate": 0.1,
                     "general": "general-check"}  # fmt: skip
    data = {"path": str(small_world / "pairs.jsonl"), "dev": 0.2, "test": 0.2}
    results = run("domain-finetune", tmp_path, small_world / "base", {"data": data, "train": train, "cut": {"dim": 8}})
    assert results["mined"]["negatives"] > 0
    assert results["train"]["stopped_early"]
    assert results["train"]["steps"] < 40
    assert results["train"]["final_dev"] >= results["train"]["base_dev"]
    assert {scores["task"] for scores in results["evaluation"]["scores"]} == {"data.test", "general-check"}
    full = {each["model"]: each["values"] for each in results["evaluation"]["scores"] if each["task"] == "data.test"}
    cut = {each["model"]: each["values"] for each in results["cut"]["scores"]}
    assert cut.keys() == {"base", "train"}
    assert cut["train"] != full["train"]
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random decoder that appends nothing to a text, as language models come."""
    whole = tiny_encoder("qwen3", max_length=96)
    tokenizer = whole.tokenizer.tokenizer
    tokenizer.backend_tokenizer.post_processor = ByteLevel(trim_offsets=False)
    encoder = Encoder.from_config(whole.module["backbone"].config, tokenizer, max_length=96, seed=1)
    return encoder.save(tmp_path_factory.mktemp("decoder") / "base")


@pytest.fixture(scope="module")
def classes_file(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents of the pairs, sorted into classes by their first letter."""
    documents = [row["positive"] for row in said(small_world, "pairs.jsonl")]
    path = tmp_path_factory.mktemp("classes") / "classes.jsonl"
    lines = [json.dumps({"text": text, "label": f"begins with {text[0]}"}) + "\n" for text in documents]
    path.write_text("".join([*lines, '{"text": "of no class"}\n']), encoding="utf-8")
    return path


def test_nv_embed_pools_through_latents_and_takes_classes_without_other_rows_as_negatives(
    small_world: Path, decoder: Path, classes_file: Path, tmp_path: Path
) -> None:
    train = BRIEF | {"adapter_rank": 2}
    overrides = {
        "data": {"path": str(small_world / "pairs.jsonl"), "dev": 0.2, "test": 0.2},
        "classes": {"path": str(classes_file), "negatives": 3},
        "start": {"latents": 8, "heads": 4},
        "mined": {"negatives": 2},
        "harder": {"negatives": 2},
        "classes-mined": {"negatives": 2},
        **ONLY_THE_TEST,
        "retrieval": train,
        "everything": train,
    }
    results = run("nv-embed", tmp_path, decoder, overrides)
    assert results["classes"]["classes"] == 5
    assert results["classes"]["dropped"] == {"the label is missing": 1}
    start, first, second = (Encoder.load(tmp_path / name / "model") for name in ("start", "retrieval", "everything"))
    assert second.spec.latent_attention is not None
    assert not second.spec.include_prompt
    assert not second.module["backbone"].config.is_causal
    assert second.prompts == {"query": "Instruct: {task}\nQuery: "}
    assert len({each.fingerprint() for each in (start, first, second)}) == 3
    trained = {entry["source"] for entry in said(tmp_path / "everything") if "source" in entry}
    assert trained == {"harder", "classes-mined"}
    hard = Source.load(tmp_path / "classes-mined" / "source")
    assert results["classes-mined"]["short_rows"] == 0, "no text of another class is taken for an answer"
    assert any("every row has a label" in line for line in results["classes-mined"]["told"])
    for row in hard.rows():
        assert len(row.negatives) == 2, "in place of the drawn ones"
        assert all(text[0] != row.query[0] for text in row.negatives)
    source = Source.load(tmp_path / "classes" / "source")
    assert not source.settings.uses_in_batch_negatives
    row = next(source.rows())
    assert row.positives[0][0] == row.query[0]
    assert len(row.negatives) == 3
    assert all(text[0] != row.query[0] for text in row.negatives)


def test_no_labels_never_reads_the_held_out_titles(small_world: Path, tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", dropout=0.1, max_length=96)
    encoder.tokenizer.tokenizer.mask_token = "[UNK]"
    base = encoder.save(tmp_path / "base")
    documents = [{"title": row["query"].upper(), "text": row["positive"]} for row in said(small_world, "pairs.jsonl")]
    documents = [{**each, "title": ""} if number % 4 == 0 else each for number, each in enumerate(documents)]
    lines = [json.dumps(each) + "\n" for each in [*documents, {"title": "", "text": "First of all this. " + "X" * 40}]]
    (tmp_path / "documents.jsonl").write_text("".join(lines), encoding="utf-8")
    overrides = {
        "documents": {"path": str(tmp_path / "documents.jsonl")},
        "pairs": {"shortest_document": 15, "dev": 0.2, "test": 0.2},
        "adapted": {"epochs": None, "steps": 4, "batch_size": 16},
        "simcse": BRIEF,
        "train": BRIEF,
    }
    results = run("no-labels", tmp_path / "run", base, overrides)
    pairs = results["pairs"]
    assert (pairs["documents"], pairs["pairs"], pairs["from_titles"]) == (121, 91, 90)
    texts = "\n".join(row["text"] for row in said(tmp_path / "run" / "pairs" / "texts", "texts.jsonl"))
    for name in ("dev", "test"):
        held_out = Collection.read_beir(tmp_path / "run" / "pairs" / name)
        assert not any(query in texts for query in held_out.queries.values())
        assert all(text in texts for text in held_out.documents.values())
    trained = {row.query for row in Source.load(tmp_path / "run" / "pairs" / "train").rows()}
    assert all(query in texts for query in trained)
    assert len(trained) + sum(pairs["splits"][name]["queries"] for name in ("dev", "test")) == len(
        {each["title"] for each in documents}  # one is empty, and the last document's sentence stands in its place
    )
    assert results["selves"]["pairs"] == 121
    assert Source.load(tmp_path / "run" / "selves" / "source").settings.loss == "simcse"
    for name in ("adapted", "simcse", "train"):
        assert results[name]["final_dev"] >= results[name]["base_dev"]


def test_multilingual_lets_sentences_find_their_translations(tmp_path: Path) -> None:
    """The other language has the same words in other letters, which the teacher cannot tell apart."""
    teacher = tiny_encoder("bert", hidden=32, max_length=96, seed=3).save(tmp_path / "teacher")
    student = tiny_encoder("bert", hidden=16, max_length=96).save(tmp_path / "student")
    foreign = str.maketrans("abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba")
    draw = random.Random(0)
    sentences = ["".join(draw.choices("abcde fgh", k=12)).strip() + "." for _ in range(150)]
    lines = [f"{sentence}\t{sentence.translate(foreign)}\n" for sentence in sentences]
    (tmp_path / "translations.tsv").write_text("english\tother\n" + "".join(lines), encoding="utf-8")
    overrides = {
        "teacher": {"path": str(teacher)},
        "data": {"path": str(tmp_path / "translations.tsv"), "query": "english", "positive": "other", "test": 0.2},
        "train": BRIEF | {"steps": 40, "batch_size": 32, "learning_rate": 5e-3, "evaluate_every": 20},
        **ONLY_THE_TEST,
    }
    results = run("multilingual", tmp_path / "run", student, overrides)
    test = results["comparison"]["tasks"][0]
    assert test["task"] == "data.test"
    assert test["low"] > 0, "the translations are found better than before"
    scores = results["comparison"]["metrics"]
    accuracy = {each["model"]: each["values"]["recall@1"] for each in scores if each["task"] == "data.test"}
    assert accuracy.keys() == {"base", "teacher", "train"}
    assert accuracy["train"] > max(accuracy["base"], accuracy["teacher"])
    assert Source.load(tmp_path / "run" / "data" / "train").settings.task == "bitext"


def test_qwen3_embedding_pools_an_appended_token_follows_its_reranker_and_merges_four_checkpoints(
    small_world: Path, decoder: Path, tmp_path: Path
) -> None:
    train = BRIEF | {"adapter_rank": 2, "dims": [16, 8]}
    weak_file = tmp_path.with_name(f"{tmp_path.name}.jsonl")
    with weak_file.open("w", encoding="utf-8") as file:
        for row in said(small_world, "pairs.jsonl"):
            file.write(json.dumps(row | {"query": f"weak {row['query']}"}) + "\n")
            file.write(json.dumps(row) + "\n")  # some of these are test queries, on which nothing may be trained
    overrides = {
        "weak": {"path": str(weak_file)},
        "data": {"path": str(small_world / "pairs.jsonl"), "dev": 0.2, "test": 0.2, "instruction": "find the words"},
        "best": {"least": None, "top": 0.5},
        "mined": {"negatives": 2, "ratio": None},
        "best-mined": {"negatives": 2, "ratio": None},
        "reranker": {key: BRIEF[key] for key in ("epochs", "steps", "evaluate_every")}
        | {"adapter_rank": 2, "rerank": 3},
        "merged": {"general": []},
        **ONLY_THE_TEST,
        **dict.fromkeys(("pretrained", "first", "second", "third", "distilled"), train),
    }
    assert Encoder.load(decoder).tokenizer.closing == []
    results = run("qwen3-embedding", tmp_path, decoder, overrides)
    names = ("start", "first", "second", "third", "distilled", "merged")
    models = {name: Encoder.load(tmp_path / name / "model") for name in names}
    assert len({each.fingerprint() for each in models.values()}) == 6
    merged = models["merged"]
    assert merged.tokenizer.closing == [3]
    assert merged.spec.pooling == "last_token"
    assert getattr(merged.module["backbone"].config, "is_causal", True) is not False
    said_to_it = merged.tokenize(["gen cup"], prompt="query", instruction="find the words").values.tolist()
    assert said_to_it == merged.tokenizer(["Instruct: find the words\nQuery:gen cup"], 96).values.tolist()
    assert results["merged"]["chosen"]["shares"] == pytest.approx([1 / 4] * 4)
    weak = Source.load(tmp_path / "weak-clean" / "source")
    held_out = {
        query for name in ("dev", "test") for query in Collection.read_beir(tmp_path / "data" / name).queries.values()
    }
    assert held_out
    assert held_out < {row.query for row in Source.load(tmp_path / "weak" / "train").rows()}
    assert not held_out & {row.query for row in weak.rows()}
    kept, scored = (Source.load(tmp_path / name / "source") for name in ("best", "scored"))
    assert (len(kept), len(scored)) == (len(weak) // 2, len(weak) // 2)
    assert scored.scores is not None
    assert len(scored.scores) == len(kept.positives) + len(scored.negatives)
    trained = {entry["source"] for entry in said(tmp_path / "first") if "source" in entry}
    assert trained == {"mined", "best-mined"}
    resolved = load_recipe(str(tmp_path / "recipe.resolved.yaml")).recipe
    assert {resolved.stages[name].loss for name in ("pretrained", "first", "third")} == {"qwen3-embedding"}  # type: ignore[union-attr]
    assert (results["merging"]["before"], results["merging"]["after"]) == ("distilled", "merged")
    theirs = SentenceTransformer(str(tmp_path / "merged" / "model"), device="cpu")
    texts = ["gen cup", "bol fam dip gun"]
    np.testing.assert_allclose(theirs.encode(texts, normalize_embeddings=True), merged.encode(texts), atol=2e-6)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six Python packages of eight documented functions each."""
    folder = tmp_path_factory.mktemp("packages")
    for noun in ("apples", "rivers", "letters", "numbers", "colours", "planets"):
        functions = [
            f'def {verb.lower()}_{noun}(values, {noun}_size=1):\n    """{verb} all the {noun} that a user gives."""\n'
            f"    total_{verb.lower()} = [value * {noun}_size for value in values if value]\n"
            f"    for number, {noun} in enumerate(total_{verb.lower()}):\n        print(number, {noun})\n"
            f"    return sorted(total_{verb.lower()})\n"
            for verb in ("Count", "Join", "Sort", "Merge", "Split", "Trim", "Scan", "Pack")
        ]
        (folder / noun).mkdir()
        (folder / noun / "__init__.py").write_text("\n\n".join(functions), encoding="utf-8")
    return folder


def functions_of(packages: Path) -> dict[str, Any]:
    """What the stage `python-functions` is to read."""
    return {"search_paths": [str(packages)], "train_pairs": 24, "dev_queries": 4, "dev_documents": 6,
            "test_queries": 6, "test_documents": 8}  # fmt: skip


def test_from_scratch_learns_words_then_language_then_what_belongs_together(packages: Path, tmp_path: Path) -> None:
    overrides = {
        "data": functions_of(packages),
        "start": {"vocabulary": 300, "layers": 1, "hidden": 16, "heads": 2, "max_length": 48},
        "adapted": {"epochs": None, "steps": 2, "batch_size": 8},
        "train": {key: BRIEF[key] for key in ("epochs", "steps", "batch_size", "evaluate_every")},
    }
    results = run("from-scratch", tmp_path, Path("no-base-is-read"), overrides)
    start, adapted, tuned = (Encoder.load(tmp_path / name / "model") for name in ("start", "adapted", "train"))
    assert start.dimension == tuned.dimension == 16
    assert len(start.tokenizer.tokenizer) <= 300
    assert len({each.fingerprint() for each in (start, adapted, tuned)}) == 3
    assert {each["model"] for each in results["evaluation"]["scores"]} == {"start", "adapted", "train", "bm25"}
    assert results["comparison"]["tasks"][0]["task"] == "data.test"
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["pairs", "python-docs"])
def test_the_shortest_recipes_train_on_mined_rows_compare_and_index(
    name: str, small_world: Path, packages: Path, tmp_path: Path
) -> None:
    data = {"path": str(small_world / "pairs.jsonl"), "dev": 0.2, "test": 0.2}
    overrides = {
        "data": data if name == "pairs" else functions_of(packages),
        "mined": {"ratio": None},
        "train": {key: BRIEF[key] for key in ("epochs", "steps", "batch_size", "evaluate_every")},
        **ONLY_THE_TEST,
    }
    results = run(name, tmp_path, small_world / "base", overrides)
    assert results["mined"]["negatives"] == results["mined"]["rows"] > 0
    assert results["estimate"]["steps"] == results["train"]["steps"] == 4
    assert results["train"]["final_dev"] >= results["train"]["base_dev"]
    assert (results["comparison"]["before"], results["comparison"]["after"]) == ("base", "train")
    assert results["comparison"]["tasks"][0]["task"] == "data.test"
    assert results["index"]["searches"]
    assert (tmp_path / "report.html").stat().st_size > 10_000


def example(name: str) -> Document:
    """One of the recipes on the page."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return parse_document(next(block for block in blocks if f"name: {name}\n" in block))


def test_a_stage_follows_the_scores_of_a_reranker(small_world: Path, decoder: Path, tmp_path: Path) -> None:
    rows = said(small_world, "pairs.jsonl")
    scored = tmp_path / "scored.jsonl"
    with scored.open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            others = [rows[(number + step) % len(rows)]["positive"] for step in (1, 2, 3)]
            scored_row = {"query": f"about {row['query']}", "negative": others, "scores": [3.0, 1.0, -1.0, 0.0]}
            file.write(json.dumps(row | scored_row) + "\n")
    overrides = {
        "data": {"path": str(small_world / "pairs.jsonl"), "dev": 0.2, "test": 0.2},
        "scored": {"path": str(scored)},
        "distilled": BRIEF | {"adapter_rank": 2, "interpolate": False},
        "merged": {"general": []},
    }
    results = run(example("follow-a-reranker"), tmp_path / "run", decoder, overrides)
    assert Source.load(tmp_path / "run" / "scored" / "train").scores is not None
    losses = [entry["loss"] for entry in said(tmp_path / "run" / "distilled") if "loss" in entry]
    assert 0 < losses[-1] < losses[0]
    assert {candidate["name"] for candidate in results["merged"]["candidates"]} >= {"base", "distilled"}


def test_texts_alone_are_set_against_themselves(tmp_path: Path) -> None:
    base = tiny_encoder("bert", dropout=0.1).save(tmp_path / "base")
    (tmp_path / "messages.txt").write_text("".join(f"message {number}\n" for number in range(40)), encoding="utf-8")
    overrides = {"texts": {"path": str(tmp_path / "messages.txt")}, "train": {"epochs": None, "steps": 2}}
    results = run(example("only-texts"), tmp_path / "run", base, overrides)
    assert results["train"]["pairs"] == 40
