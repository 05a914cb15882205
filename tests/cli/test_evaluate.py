"""`cosmith evaluate` on tasks of every kind, on several at once, and on files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.models import tiny_encoder


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, graded and judged pairs, labelled texts, translations, and a benchmark of them."""
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "model")
    tiny_encoder("bert", seed=1).save(folder / "other")
    graded = "sentence1\tsentence2\tscore\nred apples\tgreen apples\t4\na river\tcode\t0\na list\tlists\t5\n"
    (folder / "pairs.tsv").write_text(graded)
    judged = "sentence1,sentence2,label\nred,green,1\nriver,code,0\nlist,lists,1\nsun,,1\n"
    (folder / "judged.csv").write_text(judged)
    (folder / "intents").mkdir()
    for split in ("train", "test"):
        (folder / "intents" / f"{split}.csv").write_text(
            "text,label\nred apples,fruit\na train,rail\ngreen pears,fruit\n"
        )
    (folder / "bitext").mkdir()
    for language in ("deu", "fra"):
        (folder / "bitext" / f"{language}-eng.tsv").write_text("sentence1\tsentence2\na\tb\nc\td\n")
    tasks = "name: mine\ntasks: [pairs.tsv, {path: intents, name: labels, samples: 1}, {path: judged.csv, kind: sts}]\n"
    (folder / "tasks.yaml").write_text(tasks)
    return folder


def test_the_kind_is_told_with_what_says_so(world: Path) -> None:
    result = cosmith("evaluate", world / "model", "--task", world / "judged.csv")
    assert result.exit_code == 0, result.stderr
    assert "judged.csv: pair-classification, by the columns 'sentence1', 'sentence2', 'label'" in result.stderr
    assert "--kind KIND says otherwise" in result.stderr
    assert "put aside 1 row" in result.stderr
    assert "max_ap" in result.stdout
    overruled = cosmith("evaluate", world / "model", "--task", world / "judged.csv", "--kind", "sts")
    assert "spearman" in overruled.stdout
    assert "says otherwise" not in overruled.stderr


def test_parts_have_a_table_of_their_own(world: Path) -> None:
    shown = cosmith("evaluate", world / "model", "--task", world / "bitext", "--task", world / "intents").stdout
    assert "deu-eng" in shown
    assert "language" in shown
    assert "fruit" in shown


def test_a_benchmark_ends_with_its_averages(world: Path, tmp_path: Path) -> None:
    command = ["evaluate", world / "model", "--against", world / "other", "--task", world / "tasks.yaml"]
    result = cosmith("--json", *command, "--output", tmp_path)
    assert result.exit_code == 0, result.stderr
    *tasks, averages = map(json.loads, result.stdout.splitlines())
    assert [(each["name"], each["kind"]) for each in tasks] == [
        ("pairs.tsv", "sts"), ("labels", "classification"), ("judged.csv", "sts"),
    ]  # fmt: skip
    mains = [each["models"][0]["values"][each["models"][0]["main"]] for each in tasks]
    of_model = averages["models"][0]
    assert averages["benchmark"] == "mine"
    assert of_model["mean_of_tasks"] == pytest.approx(sum(mains) / 3)
    assert of_model["by_kind"] == pytest.approx({"sts": (mains[0] + mains[2]) / 2, "classification": mains[1]})
    assert of_model["mean_of_kinds"] == pytest.approx(sum(of_model["by_kind"].values()) / 2)
    assert tasks[1]["models"][0]["breakdown"]["fruit"]["texts"] == 2
    assert len(list(tmp_path.glob("*--*.json"))) == 6
    assert (tmp_path / "judged.csv.rejected.jsonl").exists()
    table = cosmith(*command).stdout
    assert "mean of the kinds" in table
    assert "labels, accuracy" in table


def test_several_tasks_end_with_their_averages_in_every_command(world: Path) -> None:
    tasks = ["--task", world / "pairs.tsv", "--task", world / "judged.csv", "--task", world / "bitext"]
    *of_tasks, over_all = map(json.loads, cosmith("--json", "evaluate", world / "model", *tasks).stdout.splitlines())
    values = [each["models"][0]["values"][each["models"][0]["main"]] for each in of_tasks]
    kinds = dict(zip(("sts", "pair-classification", "bitext-mining"), values, strict=True))
    assert over_all["tasks"] == ["pairs.tsv", "judged.csv", "bitext"]
    (of_model,) = over_all["models"]
    assert of_model["by_kind"] == pytest.approx(kinds)
    assert "mean of bitext-mining" in cosmith("evaluate", world / "model", *tasks).stdout
    compared = cosmith("compare", world / "model", world / "other", *tasks)
    assert "mean of bitext-mining" in compared.stdout
    swept = cosmith("--json", "evaluate", world / "model", *tasks, "--dims", "32,16")
    assert swept.exit_code == 0, swept.output
    *_, over_all = map(json.loads, swept.stdout.splitlines())
    assert [each["name"] for each in over_all["forms"]] == ["32 float32", "16 float32"]
    assert over_all["forms"][0]["by_kind"] == pytest.approx(kinds)
    coded = cosmith("compress", "vectors", world / "model", *tasks, "--forms", "int8")
    assert coded.exit_code == 0, coded.output
    assert "3 tasks, world" in coded.stdout
    one_kind = cosmith("evaluate", world / "model", "--task", world / "pairs.tsv", "--task", world / "tasks.yaml")
    assert "mean of all tasks" in one_kind.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--task", "tasks.yaml", "--kind", "sts"], "[--kind]: says its tasks' kind itself"),
        (["--task", "tasks.yaml", "--instruction", "x"], "[--instruction]: says its tasks' instruction itself"),
        (["--task", "intents", "--split", "tset"], "[--split]: has no split 'tset'"),
        (["--task", "pairs.tsv", "--kind", "stss"], "[--kind]: unknown kind of task 'stss'"),
        (["--task", "pairs.tsv", "--bm25"], "[--bm25]: BM25 can be scored on retrieval and reranking tasks only"),
    ],
)
def test_what_makes_no_sense_is_refused(
    world: Path, options: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    result = cosmith("evaluate", "model", *options)
    assert result.exit_code == 1
    assert told in result.stderr
