"""Evaluating a model says whether it was trained on the test."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection, Source, StsPairs, TrainingRow
from cosmith.data.test_sets import CandidateLists, LabelledTexts, TrainAndTest
from cosmith.evaluation import EvaluationTask, task_of
from cosmith.evaluation.contamination import overlap_with_task
from cosmith.evaluation.tasks import SubsetsTask
from cosmith.models import tiny_encoder
from cosmith.recipes import check_contamination
from cosmith.recipes.contamination import rows_of_texts


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


def collection(name: str, queries: list[str]) -> Collection:
    documents = {f"d{n}": f"about {query}" for n, query in enumerate(queries)}
    return Collection(name, documents, {f"q{n}": each for n, each in enumerate(queries)},
                      {f"q{n}": {f"d{n}": 1} for n in range(len(queries))})  # fmt: skip


LONG = "the quick brown fox jumps over the lazy dog near the old river bank"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, `tuned`, that `cosmith train` made from `base`, and two test sets: three of `seen`'s four queries are
    trained on, one in other case, one in thirteen of its words."""
    folder = tmp_path_factory.mktemp("trained")
    tiny_encoder("bert").save(folder / "base")
    draw = random.Random(0)
    words = [a + b + c for a in "bcdfg" for b in "aeiou" for c in "klmnp"]
    rows = [(" ".join(draw.sample(words, 3)), " ".join(draw.sample(words, 5))) for _ in range(14)]
    rows.append((f"why {LONG}", "because it does"))
    (folder / "pairs.jsonl").write_text(
        "".join(json.dumps({"query": query, "positive": answer}) + "\n" for query, answer in rows)
    )
    seen = [rows[0][0], rows[1][0].upper() + "?", f"{LONG} today", "nothing of this is there"]
    collection("seen", seen).write_beir(folder / "seen")
    collection("unseen", ["what is an apple", "who ate the bread"]).write_beir(folder / "unseen")
    told = cosmith("train", "--pairs", folder / "pairs.jsonl", "--model", folder / "base", "--steps", 1, "--dev", 0,
                   "--batch-size", 4, "--negatives", 0, "--output", folder / "tuned")  # fmt: skip
    assert told.exit_code == 0, told.output
    return folder


def test_evaluate_says_what_share_of_the_test_was_trained_on(trained: Path) -> None:
    told = cosmith("evaluate", trained / "tuned", "--task", trained / "seen", "--task", trained / "unseen")
    assert told.exit_code == 0, told.output
    assert "warning: training texts of tuned: 3 of 4 queries trained on, 75 % (exact or 13 words" in told.stdout
    assert "\ntraining texts of tuned: 0 of 2 queries trained on (exact or 13 words in a row)" in told.stdout
    assert told.stderr.count("was trained on is not known") == 1, "of the base, once and not for every task"
    value = json.loads(cosmith("evaluate", trained / "tuned", "--task", trained / "seen", "--json").stdout)
    (of_model,) = value["contamination"]
    assert of_model["tasks"][0]["share"] == 0.75
    assert of_model["tasks"][0]["sources"][0]["rows"] == 3
    assert of_model["not_known"] == [str(trained / "base")]


def test_what_scores_smaller_vectors_says_it_too(trained: Path) -> None:
    for command in (["evaluate", "--dims", "16"], ["compress", "vectors", "--forms", "int8"], ["choose"]):
        name, options = (command[:2], command[2:]) if command[0] == "compress" else (command[:1], command[1:])
        told = cosmith(*name, trained / "tuned", *options, "--task", trained / "seen", "--task", trained / "unseen")
        assert told.exit_code == 0, told.output
        assert "warning: training texts of tuned: 3 of 4 queries trained on, 75 %" in told.stdout
        assert "training texts of tuned: 0 of 2 queries" in told.stdout
        strict = cosmith(*name, trained / "tuned", *options, "--task", trained / "seen", "--strict")
        assert strict.exit_code == 1
        assert "[--strict]: of seen, 3 of 4 queries" in strict.stderr
    swept = cosmith("--json", "evaluate", trained / "tuned", "--dims", "16", "--task", trained / "seen")
    assert json.loads(swept.stdout)["contamination"][0]["tasks"][0]["trained"] == 3


def test_compare_says_it_too(trained: Path) -> None:
    told = cosmith("compare", trained / "tuned", trained / "base", "bm25", "--task", trained / "seen")
    assert told.exit_code == 0, told.output
    assert "seen: warning: training texts of tuned: 3 of 4 queries" in told.stdout
    assert "base: what it was trained on is not known, so no test set is held against it" in told.stderr
    assert "training texts of base" not in told.stdout


def test_strict_refuses_before_anything_is_scored(trained: Path, tmp_path: Path) -> None:
    for command in ("evaluate", "compare"):
        told = cosmith(command, trained / "tuned", "--task", trained / "seen", "--strict", "--output", tmp_path / "out")
        assert told.exit_code == 1
        assert "--strict" in told.stderr
        assert "of seen, 3 of 4 queries trained on" in told.stderr
        assert not (tmp_path / "out").exists()
    clean = cosmith(
        "evaluate", trained / "tuned", "--against", trained / "base", "--task", trained / "unseen", "--strict"
    )
    assert clean.exit_code == 0, clean.output


def test_a_run_that_was_moved_with_its_model_is_found(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "tuned", tmp_path / "mine")
    shutil.copytree(trained / "tuned.run", tmp_path / "mine.run")
    card = json.loads((tmp_path / "mine" / "lineage.json").read_text())
    for row in card["trained_on"]["rows"]:
        row["run"] = str(tmp_path / "gone")
    (tmp_path / "mine" / "lineage.json").write_text(json.dumps(card))
    tasks = [task_of("seen", Collection.read_beir(trained / "seen"))]
    assert check_contamination(tmp_path / "mine", tasks).tasks[0].trained == 3
    record = json.loads((tmp_path / "mine.run" / "data" / "stage.json").read_text())
    (tmp_path / "mine.run" / "data" / "stage.json").write_text(json.dumps(record | {"fingerprint": "another"}))
    changed = check_contamination(tmp_path / "mine", tasks)
    assert changed.tasks == ()
    assert "were made anew since" in (changed.limits() or "")


def test_rows_that_are_gone_are_told_once_and_strict_refuses(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "tuned", tmp_path / "tuned")
    card = json.loads((tmp_path / "tuned" / "lineage.json").read_text())
    card["trained_on"]["rows"][0]["run"] = str(tmp_path / "gone")
    (tmp_path / "tuned" / "lineage.json").write_text(json.dumps(card))
    command = ("evaluate", tmp_path / "tuned", "--task", trained / "seen", "--task", trained / "unseen")
    told = cosmith(*command)
    assert told.exit_code == 0, told.output
    assert told.stderr.count("'data.train' are gone from") == 1
    assert "training texts of tuned" not in told.stdout
    strict = cosmith(*command, "--strict")
    assert strict.exit_code == 1
    assert "are gone from" in strict.stderr


def test_a_merged_model_inherits_what_its_models_were_trained_on(trained: Path, tmp_path: Path) -> None:
    told = cosmith("merge", trained / "tuned", trained / "base", "--output", tmp_path / "merged")
    assert told.exit_code == 0, told.output
    found = check_contamination(tmp_path / "merged", [task_of("seen", Collection.read_beir(trained / "seen"))])
    assert found.tasks[0].trained == 3
    assert found.not_known == (str(trained / "base"),)


def test_pairs_and_texts_are_held_against_it_by_their_own_rules(trained: Path) -> None:
    first = json.loads((trained / "pairs.jsonl").read_text().splitlines()[0])
    pairs = StsPairs([first["positive"], "one"], [first["query"], "two"], [1.0, 0.0])  # type: ignore[arg-type]
    learnt, asked = LabelledTexts(["a b", "c d"], ["x", "y"]), LabelledTexts([first["query"], "new"], ["x", "y"])
    tasks = [task_of("pairs", pairs), task_of("intents", TrainAndTest(learnt, asked))]
    of_pairs, of_texts = check_contamination(trained / "tuned", tasks).tasks
    assert of_pairs.describe() == "1 of 2 pairs trained on, 50 % (both texts in one row, exact or 13 words in a row)"
    assert of_texts.describe() == "1 of 2 texts trained on, 50 % (exact or 13 words in a row)"


def test_queries_of_reranking_are_held_against_it_like_those_of_a_search() -> None:
    raw = rows_of_texts("raw", [f"Once upon a time {LONG}, and it was so.", "a candidate", "a query as a document"])
    rows = Source.from_rows("rows", [TrainingRow(LONG, ("an answer",))])

    def lists(*queries: str) -> EvaluationTask:
        candidates = [("a candidate",)] * len(queries)
        return task_of("lists", CandidateLists(list(queries), candidates, [("another",)] * len(queries)))

    asked = lists(LONG, "something new", "a query as a document")
    held = overlap_with_task(raw, asked)
    assert (held.unit, held.trained, held.tested.tolist()) == ("query", 1, [2]), "raw texts may hold a query's words"
    assert (held.shared, overlap_with_task(rows, asked).tested.tolist()) == (1, [0])
    several = SubsetsTask("sets", (replace(lists("something new"), name="a"), replace(asked, name="b")))
    assert overlap_with_task(raw, several).tested.tolist() == [3]
    assert overlap_with_task(rows, several).tested.tolist() == [1]


def test_labelled_texts_and_pairs_with_a_word_more_are_found_and_refused(trained: Path, tmp_path: Path) -> None:
    draw = random.Random(1)
    words = [a + b + c for a in "prstv" for b in "aeiou" for c in "bcdfg"]
    texts = [" ".join(draw.sample(words, 16)) for _ in range(20)]
    rows = "".join(
        json.dumps({"query": one, "positive": other}) + "\n" for one, other in zip(texts[:10], texts[10:], strict=True)
    )
    (tmp_path / "pairs.jsonl").write_text(rows)
    told = cosmith("train", "--pairs", tmp_path / "pairs.jsonl", "--model", trained / "base", "--steps", 1, "--dev", 0,
                   "--batch-size", 4, "--negatives", 0, "--output", tmp_path / "tuned")  # fmt: skip
    assert told.exit_code == 0, told.output
    framed = [f"please {text} thanks" for text in texts[5:15]]  # as queries and as positives
    (tmp_path / "intents").mkdir()
    for name, asked in (("train", ["a b", "c d"]), ("test", framed)):
        lines = [json.dumps({"text": text, "label": "xy"[n % 2]}) + "\n" for n, text in enumerate(asked)]
        (tmp_path / "intents" / f"{name}.jsonl").write_text("".join(lines))
    both = zip(texts[:10], texts[10:], strict=True)
    of_pairs = [f"{one} today\t{other} today\t{n % 5}\n" for n, (one, other) in enumerate(both)]
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\n" + "".join(of_pairs))
    for task, said in (("intents", "10 of 10 texts trained on"), ("pairs.tsv", "10 of 10 pairs trained on")):
        refused = cosmith("evaluate", tmp_path / "tuned", "--task", tmp_path / task, "--strict")
        assert refused.exit_code == 1, refused.output
        assert said in refused.stderr, refused.stderr
