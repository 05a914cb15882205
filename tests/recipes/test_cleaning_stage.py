"""Cleaning, round trips, contamination and data cards in a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.cli.summaries import summary
from cosmith.data import Collection, Source
from cosmith.data.documents import Document, Section, load_documents, write_documents
from cosmith.errors import InputError
from cosmith.inspection import write_report
from cosmith.recipes import load_recipe, parse_document, run_recipe


def run(stages: str, folder: Path, head: str = "") -> dict[str, dict[str, Any]]:
    return run_recipe(load_recipe(parse_document(f"name: t\n{head}stages:\n{stages}")), folder / "run")


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("".join(json.dumps({"query": query, "positive": answer}) + "\n" for query, answer in rows))
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [(f"question number {n}", f"the answer to question number {n} is here") for n in range(40)]
    rows += [("Question  number 3", "The answer to question number 3 is here"), ("too short", "no")]
    rows += [("Was ist das hier für eine Frage nach dem Wetter?", "Das ist eine lange deutsche Antwort darauf, ja.")]
    return write_rows(tmp_path / "pairs.jsonl", rows)


def test_rows_are_cleaned_and_it_is_told_what_went(pairs: Path, tmp_path: Path) -> None:
    results = run(
        f"  data: {{kind: source, path: {pairs}, dev: 0, test: 0}}\n"
        "  clean: {kind: clean, source: data.train, least_words: 2, languages: en, near_duplicates: 0.95}\n",
        tmp_path,
    )
    found = results["clean"]
    assert (found["rows"], found["kept"]) == (43, 40)
    assert [step["name"] for step in found["steps"]] == ["length", "language", "exact duplicates", "near duplicates"]
    assert [step["before"] - step["after"] for step in found["steps"]] == [1, 1, 1, 0]
    assert len(Source.load(tmp_path / "run" / "clean" / "source")) == 40
    dropped = [json.loads(line) for line in Path(found["dropped_file"]).read_text(encoding="utf-8").splitlines()]
    assert [each["row"] for each in dropped] == [40, 41, 42]
    assert dropped[1]["reason"] == "document: fewer than 2 words"
    lines = summary("clean", found, tmp_path)
    assert "40 rows of 43 kept" in lines
    page = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "What was left out of it" in page
    assert 'href="clean/data.md"' in page
    card = (tmp_path / "run" / "clean" / "data.md").read_text(encoding="utf-8")
    assert "language: 1 of 42 left out (2.4 %)" in card
    assert "the stage data (source)" in card
    assert f"the file {pairs}".replace("_", r"\_") in card


def test_documents_are_cleaned_with_their_sections(tmp_path: Path) -> None:
    documents = [
        Document(
            f"d{n}", f"Home | About\nThis is text number {n} of them", "A title",
            sections=(Section("h", 1, 13, 13 + len(f"This is text number {n} of them")),),
        )
        for n in range(20)
    ]  # fmt: skip
    write_documents(tmp_path / "documents.jsonl", [*documents, Document("again", documents[3].text, "A title")])
    (tmp_path / "run").mkdir()
    text = f"  docs: {{kind: texts, path: {tmp_path / 'documents.jsonl'}}}\n"
    results = run(text + "  clean: {kind: clean, texts: docs, boilerplate: true}\n", tmp_path)
    assert (results["clean"]["texts"], results["clean"]["kept"]) == (21, 20)
    kept = [json.loads(line) for line in (tmp_path / "run/clean/texts/texts.jsonl").read_text().splitlines()]
    assert kept[5]["text"] == "This is text number 5 of them"
    assert not (tmp_path / "run" / "clean" / "data.md").exists()
    assert len(list(load_documents(tmp_path / "documents.jsonl"))) == 21


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("texts: data.train", "training rows, but texts"),
        ("least_words: 3", "source or texts"),
        ("source: data.train, exact_duplicates: false", "say what to leave out"),
        ("source: data.train, least_words: 5, most_words: 2", "least_words .5. is above"),
        ("source: data.train, languages: xx", "xx"),
        ("source: data.train, least_words: 99", "leaves nothing"),
    ],
)
def test_impossible_cleaning_is_refused(settings: str, said: str, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        run(
            f"  data: {{kind: source, path: {pairs}, dev: 0, test: 0}}\n  clean: {{kind: clean, {settings}}}\n",
            tmp_path,
        )


def contaminated(tmp_path: Path) -> tuple[Path, Path]:
    """Rows, and a test set of which one query stands in them; the documents are shared."""
    train = write_rows(tmp_path / "train.jsonl", [(f"word{n} of many", f"document about word{n}") for n in range(30)])
    queries = {f"q{n}": f"word{n} of many" if n == 29 else f"word{n} of others" for n in range(20, 36)}
    Collection(
        "test", {f"d{n}": f"document about word{n}" for n in range(36)}, queries,
        {name: {f"d{name[1:]}": 1} for name in queries},
    ).write_beir(tmp_path / "test")  # fmt: skip
    return train, tmp_path / "test"


STAGES = """\
  data: {{kind: source, path: {train}, dev: 0, test: 0}}
  test: {{kind: collection, path: {test}}}
  {middle}
  train: {{kind: train, sources: {source}, steps: 2, batch_size: 8}}
  scores: {{kind: evaluate, models: train, tasks: test.test}}
"""


def test_training_on_a_test_query_is_an_error_that_says_what_to_do(small_world: Path, tmp_path: Path) -> None:
    train, test = contaminated(tmp_path)
    head = f"base: {small_world / 'base'}\nprecision: float32\n"
    bad = STAGES.format(train=train, test=test, middle="", source="data.train")
    with pytest.raises(InputError, match=r"1 of 16 queries .* would be trained on") as refused:
        run(bad, tmp_path, head)
    assert refused.value.field == "stages.train.sources"
    assert "word29 of many" in refused.value.problem
    assert "{kind: clean, source: data.train, without: test.test}" in str(refused.value.remedy)
    assert not (tmp_path / "run" / "train").exists()
    results = run(bad, tmp_path, head + "allow_contamination: true\n")
    (found,) = results["train"]["contamination"]
    assert (found["trained"], found["shared"], found["documents"]) == (1, 30, 36)
    assert any(line.startswith("warning: data.train, against test.test: 1 of 16")
               for line in summary("train", results["train"], tmp_path))  # fmt: skip
    card = (tmp_path / "run" / "data" / "data.md").read_text(encoding="utf-8")
    assert "1 of 16 queries trained on" in card
    assert "word29 of many" in card
    good = STAGES.format(
        train=train, test=test, source="clean", middle="clean: {kind: clean, source: data.train, without: test.test}"
    )
    results = run(good, tmp_path / "good", head)
    assert results["clean"]["kept"] == 29
    assert results["train"]["contamination"][0]["trained"] == 0
    assert results["train"]["contamination"][0]["shared"] == 29


def test_a_test_set_made_below_the_training_is_looked_at_before_the_scores(small_world: Path, tmp_path: Path) -> None:
    train, test = contaminated(tmp_path)
    head = f"base: {small_world / 'base'}\nprecision: float32\n"
    text = f"""\
  data: {{kind: source, path: {train}, dev: 0, test: 0}}
  train: {{kind: train, sources: data.train, steps: 2, batch_size: 8}}
  test: {{kind: collection, path: {test}}}
  scores: {{kind: evaluate, models: train, tasks: test.test}}
"""
    with pytest.raises(InputError, match="would be trained on") as refused:
        run(text, tmp_path, head)
    assert refused.value.field == "stages.train.sources"
    assert (tmp_path / "run" / "train" / "stage.json").is_file()
    assert not (tmp_path / "run" / "scores").exists()


def test_training_rows_that_ask_what_is_held_out_in_other_punctuation_are_left_out(tmp_path: Path) -> None:
    rows = [(f"word{n} of many{mark}", f"document {n}{mark}") for n in range(60) for mark in ("", "?")]
    path = write_rows(tmp_path / "pairs.jsonl", rows)
    results = run(f"  data: {{kind: source, path: {path}, dev: 0.2, test: 0.2}}\n", tmp_path)
    splits = results["data"]["splits"]
    assert splits["train"]["crossing"] > 0
    train = Source.load(tmp_path / "run" / "data" / "train")
    assert len(train) == splits["train"]["pairs"]
    asked = {row.query.rstrip("?") for row in train.rows()}
    for part in ("dev", "test"):
        held_out = Collection.read_beir(tmp_path / "run" / "data" / part)
        assert not asked & {query.rstrip("?") for query in held_out.queries.values()}
    assert any("asks what is held out" in line or "ask what is held out" in line
               for line in summary("source", results["data"], tmp_path))  # fmt: skip


def test_rows_that_a_search_finds_again_are_kept(small_world: Path, tmp_path: Path) -> None:
    results = run(
        f"  data: {{kind: source, path: {small_world / 'pairs.jsonl'}, dev: 0, test: 0}}\n"
        "  found: {kind: round-trip, source: data.train, k: 40}\n",
        tmp_path,
        f"base: {small_world / 'base'}\nprecision: float32\n",
    )
    found = results["found"]
    assert 0 < found["kept"] < found["rows"] == 120
    assert len(Source.load(tmp_path / "run" / "found" / "source")) == found["kept"]
    assert found["examples"]["found instead"][0]["score"] > found["examples"]["left out"][0]["score"]
    assert "rows of 120 kept" in summary("round-trip", found, tmp_path)[0]
    assert "Rows on both sides of the line" in write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert (tmp_path / "run" / "found" / "data.md").is_file()


def test_raw_texts_may_be_no_test_query_either(small_world: Path, tmp_path: Path) -> None:
    _, test = contaminated(tmp_path)
    texts = [f"document about word{n}" for n in range(36)] + ["Word29  of many"]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": each}) + "\n" for each in texts))
    head = f"base: {small_world / 'base'}\nprecision: float32\n"
    stages = (
        f"  raw: {{kind: texts, path: {tmp_path / 'texts.jsonl'}}}\n"
        f"  test: {{kind: collection, path: {test}}}\n"
        "  small: {kind: initialise, texts: raw, vocabulary: 300, layers: 1, hidden: 16, heads: 2}\n"
        "  adapt: {kind: adapt, texts: raw, model: small, steps: 1, batch_size: 8}\n"
        "  scores: {kind: evaluate, models: adapt, tasks: test.test}\n"
    )
    with pytest.raises(InputError, match=r"1 of 16 queries .* would be trained on") as refused:
        run(stages, tmp_path, head)
    assert refused.value.field == "stages.adapt.texts"
    assert "Word29 of many" in refused.value.problem
    assert not (tmp_path / "run" / "adapt").exists()
    results = run(stages, tmp_path, head + "allow_contamination: true\n")
    assert results["adapt"]["contamination"][0]["trained"] == 1


def test_training_rows_that_nearly_ask_what_is_held_out_are_left_out_unless_that_is_not_wanted(tmp_path: Path) -> None:
    asked = "how do I reset the password of the account number"
    rows = [
        (f"{asked} {n}{end}", f"document {n}") for n in ("four", "nine", "three", "seven") for end in ("", "s", "es")
    ]
    path = write_rows(tmp_path / "pairs.jsonl", [*rows, *((f"word{n}", f"text {n}") for n in range(40))])
    counts = {}
    for near in ("0.9", "null"):
        stage = f"  data: {{kind: source, path: {path}, dev: 0, test: 0.3, near: {near}}}\n"
        counts[near] = run(stage, tmp_path / near.replace(".", ""))["data"]["splits"]["train"]
    assert counts["0.9"]["nearly_crossing"] > 0
    assert counts["null"] == {"pairs": counts["0.9"]["pairs"] + counts["0.9"]["nearly_crossing"]}
