"""Comparing from the command line: models, BM25, runs of other systems and scores of before, in any mixture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection
from cosmith.evaluation import Scores, item_texts, judged_queries, read_task, read_trec_run
from cosmith.models import default_cache_path, tiny_encoder

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test set that words solve, a run that is wrong on every second query, pairs, and a model."""
    folder = tmp_path_factory.mktemp("world")
    documents = {f"d{n}": f"all about the {word} and {'its parts ' * n}" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is a {word}" for n, word in enumerate(WORDS)}
    Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(12)}).write_beir(folder / "task")
    lines = []
    for n in range(12):
        others = [(n + step) % 12 for step in range(1, 11)]
        ranked = [n, *others] if n % 2 else [*others[:3], n, *others[3:]]
        lines += [f"q{n} Q0 d{number} {rank} {20 - rank} other" for rank, number in enumerate(ranked)]
    (folder / "other.run").write_text("\n".join(lines) + "\n")
    pairs = ["sentence1\tsentence2\tscore", "red apples\tgreen apples\t4", "a river\tcode\t0", "a list\tlists\t5"]
    (folder / "pairs.tsv").write_text("\n".join(pairs) + "\n")
    tiny_encoder("bert").save(folder / "model")
    tiny_encoder("bert", seed=1).save(folder / "tuned")
    return folder


def test_systems_are_compared_and_the_report_says_where_they_err(world: Path, tmp_path: Path) -> None:
    told = cosmith("compare", "bm25", world / "other.run", "--task", world / "task", "--output", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert "a: bm25" in told.stdout
    assert "1.0000 [1.000, 1.000] > b" in told.stdout
    assert "bm25 over other.run on task: +0.2" in told.stdout
    assert "after Holm p = 0.031, significant" in told.stdout, "six of six differences, all two-sided flips: 2 / 64"
    assert "with 12 queries, true differences of 0.2" in told.stdout
    assert "task: bm25 wins most against other.run on\n  1.000 : 0.431  what is a" in told.stdout
    about = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert about["pairs"][0]["adjusted_p"] == pytest.approx(2 / 64)
    assert [each["model"] for each in about["analyses"]] == ["bm25", "other.run"]
    assert about["analyses"][1]["ranks"][2] == {"label": "4–10", "count": 6}
    assert len(about["changes"][0]["won"]) == 5
    assert about["unlabelled"]["task"][0]["models"] == ["other.run"]
    page, text = ((tmp_path / "out" / f"comparison.{kind}").read_text() for kind in ("html", "md"))
    assert "bm25 is better than other.run by 0.2" in page
    assert "## task: where bm25 wins against other.run" in text
    assert "right answer, the first at rank 1 and rank 4" in text


def test_of_three_systems_each_two_are_shown_where_they_differ_most(world: Path, tmp_path: Path) -> None:
    reverse = [
        f"q{n} Q0 d{(n + place) % 12} {place + 1} {20 - place} last" for n in range(12) for place in range(1, 11)
    ]
    (tmp_path / "last.run").write_text("\n".join(reverse) + "\n")
    told = cosmith("compare", "bm25", world / "other.run", tmp_path / "last.run", "--task", world / "task",
                   "--output", tmp_path / "out")  # fmt: skip
    assert told.exit_code == 0, told.output
    for first, second, score in (("bm25", "other.run", 0.431), ("bm25", "last.run", 0), ("other.run", "last.run", 0)):
        won = f"task: where {first} and {second} differ most\n  wins  1.000 : {score:.3f}  what is a "
        assert won in told.stdout
        assert f"## task: where {first} wins against {second}" in (tmp_path / "out" / "comparison.md").read_text()
    assert "loses" not in told.stdout


def test_scores_that_cannot_be_compared_are_refused_before_anything_is_scored(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosmith.evaluation import Contestant

    assert cosmith("compare", "bm25", "--task", world / "task", "--output", tmp_path).exit_code == 0
    of_bm25 = Scores.from_json(tmp_path / "task--bm25.json")
    of_others = dataclasses.replace(of_bm25, model="old", query_ids=tuple(f"x{name}" for name in of_bm25.query_ids))
    of_others.to_json(tmp_path / "old.json")
    dataclasses.replace(of_bm25, model="new").to_json(tmp_path / "new.json")
    dataclasses.replace(of_bm25, model="by-mrr", main="mrr@10").to_json(tmp_path / "mrr.json")
    monkeypatch.setattr(Contestant, "score", lambda *_, **__: pytest.fail("something was scored"))
    for arguments, problem in (
        (
            (tmp_path / "new.json", tmp_path / "old.json", "bm25"),
            "new and old were not evaluated on any common queries",
        ),
        ((tmp_path / "old.json", "bm25"), "the scores of old on task are of none of its 12 queries (e.g. 'xq0', not"),
        ((tmp_path / "task--bm25.json", "bm25"), "the scores of 'bm25' on 'task' are given twice"),
        ((tmp_path / "mrr.json", "bm25"), "bm25 has the main metric 'ndcg@10' on 'task', by-mrr 'mrr@10'"),
    ):
        refused = cosmith("compare", *arguments, "--task", world / "task")
        assert refused.exit_code == 1
        assert problem in refused.stderr


def test_models_that_know_no_common_words_are_refused_before_another_is_scored(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosmith.evaluation import Contestant

    scored, score = [], Contestant.score
    monkeypatch.setattr(Contestant, "score", lambda self, *a, **how: scored.append(self.name) or score(self, *a, **how))
    (tmp_path / "words.txt").write_text("red green 5\nblue green 1\nhot cold 2\nwarm cold 5\n")
    for name, words in (("colours", ("red", "green", "blue")), ("heat", ("hot", "cold", "warm"))):
        lines = [f"{word} {number} 1 {number * number}" for number, word in enumerate(words)]
        (tmp_path / f"{name}.vec").write_text(f"{len(words)} 3\n" + "\n".join(lines) + "\n")
    refused = cosmith("compare", tmp_path / "colours.vec", tmp_path / "heat.vec", world / "model",
                      "--task", tmp_path / "words.txt", "--json")  # fmt: skip
    assert refused.exit_code == 1
    assert "were not evaluated on any common pairs" in refused.stderr
    assert scored == ["colours.vec", "heat.vec"]


def test_candidates_in_order_are_analysed_like_a_search(world: Path, tmp_path: Path) -> None:
    rows = [
        {"query": f"what is a {word}", "positive": [f"all about the {word}"],
         "negative": [f"a {WORDS[n - 1]} is what", f"what is a {WORDS[n - 2]}"]}
        for n, word in enumerate(WORDS)
    ]  # fmt: skip
    (tmp_path / "lists.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = cosmith("compare", world / "model", "bm25", "--task", tmp_path / "lists.jsonl", "--output", tmp_path / "out")
    assert told.exit_code == 0, told.output
    about = json.loads((tmp_path / "out" / "comparison.json").read_text())
    of_words = about["analyses"][1]
    # "what", "is" and "a" are stop words, so that of the candidates only the answer shares a word with its query.
    assert about["tasks"][0]["scores"][1]["values"]["map@1000"] == 1
    assert [each["count"] for each in of_words["ranks"]] == [12, 0, 0]
    assert of_words["wrong"] == []
    wrong = about["analyses"][0]["wrong"][0]
    assert wrong["query"].startswith("what is a ")
    assert wrong["judged"] is True
    assert wrong["wrong"]["text"].split()[0] in ("a", "what")
    assert wrong["answer"]["text"].startswith("all about the ")
    assert about["unlabelled"] == {"lists.jsonl": []}
    assert about["changes"][0]["lost"][0]["found"]["top_before"] is not None
    assert "Errors on lists.jsonl" in (tmp_path / "out" / "comparison.html").read_text()
    assert not list((tmp_path / "out").glob("*.run"))


def test_items_of_every_kind_are_shown_as_people_read_them(world: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("sun moon 3.5\nsun car 1\nmoon star 3\ncar star 0\n")
    questions = [": capitals", "Paris France Rome Italy", "Rome Italy Berlin Germany", "Oslo Norway Paris France"]
    (tmp_path / "questions.txt").write_text("\n".join(questions) + "\n")
    summaries = [
        {"human_summaries": [f"what {word} is"], "relevance": [3, 1, 2, 4],
         "machine_summaries": [f"{WORDS[n - 1]} {WORDS[n - 5]}", WORDS[n - 2], f"{WORDS[n - 3]} oar of", WORDS[n - 4]]}
        for n, word in enumerate(WORDS)
    ]  # fmt: skip
    (tmp_path / "summaries.jsonl").write_text("".join(json.dumps(each) + "\n" for each in summaries))
    folder = tmp_path / "sets"
    folder.mkdir()
    for name in ("deu", "fra"):
        lines = [f"{name} {word}\tan {word}\t{number}" for number, word in enumerate(WORDS)]
        (folder / f"{name}.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *lines]) + "\n")
    for task, shown in (
        ("words.txt", {"sun ↔ moon", "sun ↔ car", "moon ↔ star", "car ↔ star"}),
        ("questions.txt", {"Paris : France = Rome : Italy", "Rome : Italy = Berlin : Germany",
                           "Oslo : Norway = Paris : France"}),
        ("summaries.jsonl", {f"what {word} is" for word in WORDS}),
        ("sets", {f"{name} {word} ↔ an {word}" for name in ("deu", "fra") for word in WORDS}),
    ):  # fmt: skip
        told = cosmith("compare", world / "model", world / "tuned", "--task", tmp_path / task, "--json")
        assert told.exit_code == 0, told.output
        (changes,) = json.loads(told.stdout)["changes"]
        texts = {each["text"] for each in (*changes["won"], *changes["lost"])}
        assert texts <= shown
        assert texts or task == "questions.txt"
        assert set(item_texts(read_task(tmp_path / task).task).values()) == shown


def test_what_was_written_is_compared_again_without_a_task(world: Path, tmp_path: Path) -> None:
    assert cosmith("compare", "bm25", "--task", world / "task", "--output", tmp_path).exit_code == 0
    scores = Scores.from_json(tmp_path / "task--bm25.json")
    queries, hits = read_trec_run(tmp_path / "task--bm25.run")
    assert set(queries) <= set(judged_queries(Collection.read_beir(world / "task")))
    assert hits.ids[0, 0] == "d0"
    told = cosmith("compare", tmp_path / "task--bm25.json", world / "other.run", "--task", world / "task", "--json")
    assert told.exit_code == 0, told.output
    about = json.loads(told.stdout)
    assert about["models"] == ["bm25", "other.run"]
    assert about["tasks"][0]["scores"][0]["values"] == dict(scores.values)
    alone = cosmith("compare", tmp_path / "task--bm25.json")
    assert alone.exit_code == 0
    assert "1.0000" in alone.stdout


def test_models_are_encoded_once_and_their_tasks_averaged(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(world / "cache"))
    command = ("compare", world / "model", world / "tuned", "--task", world / "task", "--task", world / "pairs.tsv")
    first, second = (json.loads(cosmith(*command, "--json").stdout) for _ in range(2))
    assert default_cache_path().is_file()
    assert first["vectors"] == {"disk": 0, "made": 2 * (12 + 12 + 6), "again": 0}
    assert second["vectors"] == {"disk": 2 * (12 + 12 + 6), "made": 0, "again": 0}
    assert {key: value for key, value in first.items() if key != "vectors"} == {
        key: value for key, value in second.items() if key != "vectors"
    }
    assert [each["model"] for each in first["macro"]] == [f"{world.name}/model", "tuned"]
    assert [pair["task"] for pair in first["pairs"]] == ["task", "pairs.tsv", "macro average"]
    cut = first["analyses"][0]["truncation"]
    assert cut["documents"] == 12
    told = cosmith(*command, "--no-cache", "--json")
    assert "vectors" not in json.loads(told.stdout)
    assert "of 60 vectors (100 %) were there already" in cosmith(*command).stderr


def test_evaluating_again_only_scores(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(world / "cache-of-evaluate"))
    command = ("evaluate", world / "model", "--task", world / "task")
    first, second = (cosmith(*command) for _ in range(2))
    assert first.stdout == second.stdout
    assert "0 of 24 vectors (0 %) were there already" in first.stderr
    assert "24 of 24 vectors (100 %) were there already" in second.stderr


def test_a_run_of_another_system_is_evaluated(world: Path, tmp_path: Path) -> None:
    told = cosmith("evaluate", world / "other.run", "--task", world / "task", "--output", tmp_path, "--runs", "--json")
    assert told.exit_code == 0, told.output
    (of_run,) = json.loads(told.stdout)["models"]
    # Six queries have their answer first, six at rank 4: (1 + 1 / log2(5)) / 2.
    assert of_run["values"]["ndcg@10"] == pytest.approx((1 + 1 / np.log2(5)) / 2)
    assert of_run["model"] == "other.run"
    again = cosmith("evaluate", tmp_path / "task--other.run.run", "--task", world / "task", "--json")
    assert json.loads(again.stdout)["models"][0]["values"] == of_run["values"]
    beside = cosmith("evaluate", world / "other.run", "--against", world / "model", "--task", world / "task")
    assert f"other.run over {world.name}/model, ndcg@10" in beside.stdout
    on_pairs = cosmith("evaluate", world / "other.run", "--task", world / "pairs.tsv")
    assert "other.run cannot be scored on pairs.tsv, which is a task of the kind sts" in on_pairs.stderr
    nowhere = cosmith("evaluate", world / "other.run", "--task", world / "task", "--runs")
    assert "[--runs]: there is no folder to write them to" in nowhere.stderr


def test_a_cache_that_cannot_be_used_is_told_and_done_without(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = world / "a-file"
    place.write_text("")
    monkeypatch.setenv("COSMITH_CACHE", str(place))
    told = cosmith("evaluate", world / "model", "--task", world / "task")
    assert told.exit_code == 0, told.output
    assert "vectors are not kept" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["bm25"], "bm25 [--task]: there is nothing to score it on"),
        (["bm25", "bm25", "--task", "task"], "bm25: is given twice"),
        (["bm25", "--task", "pairs.tsv"], "bm25 cannot be scored on pairs.tsv, which is a task of the kind sts"),
        (["bm25", "--task", "task", "--alpha", "5"], "[alpha]: must lie between 0 and 1"),
        (["pairs.tsv", "--task", "task"], "pairs.tsv:1: has"),
    ],
)
def test_what_cannot_be_compared_is_refused(world: Path, arguments: list[str], problem: str) -> None:
    there = [str(world / each) if (world / each).exists() else each for each in arguments]
    refused = cosmith("compare", *there)
    assert refused.exit_code == 1
    assert problem in refused.stderr
