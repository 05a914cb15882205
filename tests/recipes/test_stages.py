"""The stages that the small run of test_running does not have, each on its own data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.cli.summaries import summary
from cosmith.data import Collection, Source
from cosmith.errors import InputError
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.references import uses
from cosmith.recipes.stage_schemas import TrainStage
from cosmith.recipes.stages.training import length_histogram
from cosmith.training import TrainingSettings


def run(stages: str, world: Path, folder: Path) -> dict[str, Any]:
    text = f"name: t\nbase: {world / 'base'}\nprecision: float32\nstages:\n{stages}"
    return run_recipe(load_recipe(parse_document(text)), folder)


def write_beir(folder: Path, queries: int) -> Path:
    """A collection of `queries` words; the answer to each is a text with the word in it; a train and a test split."""
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": f"d{n}", "title": f"title{n}", "text": f"word{n} and more"} for n in range(queries)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [json.dumps({"_id": f"q{n}", "text": f"word{n}"}) + "\n" for n in range(queries)]
    (folder / "queries.jsonl").write_text("".join(asked))
    half = queries // 2
    for split, numbers in (("train", range(half)), ("test", range(half, queries))):
        lines = "".join(f"q{n}\td{n}\t1\n" for n in numbers)
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return folder


def test_a_beir_folder_gives_training_rows_a_development_and_a_test_set(small_world: Path, tmp_path: Path) -> None:
    task = write_beir(tmp_path / "task", 40)
    results = run(f"  data: {{kind: collection, path: {task}, train_split: train, dev: 0.25}}\n", small_world,
                  tmp_path / "run")  # fmt: skip
    splits = results["data"]["splits"]
    assert splits["train"]["pairs"] == 15
    assert splits["dev"] == {"queries": 5, "documents": 40}
    assert splits["test"] == {"queries": 20, "documents": 40}
    rows = list(Source.load(tmp_path / "run" / "data" / "train").rows())
    number = rows[0].query.removeprefix("word")
    assert rows[0].positives == (f"title{number} word{number} and more",)
    dev = Collection.read_beir(tmp_path / "run" / "data" / "dev")
    assert not {row.query for row in rows} & set(dev.queries.values())


def test_mined_negatives_are_no_answers_and_go_into_training(small_world: Path, tmp_path: Path) -> None:
    results = run(
        f"""\
  data: {{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0, test: 0}}
  estimate: {{kind: estimate, train: train}}
  mined: {{kind: mine, source: data.train, negatives: 2, ratio: null}}
  after: {{kind: estimate, train: train}}
  train: {{kind: train, sources: mined, steps: 2, batch_size: 8}}
""",
        small_world,
        tmp_path / "run",
    )
    mined = Source.load(tmp_path / "run" / "mined" / "source")
    assert results["mined"]["negatives"] == 2 * len(mined)
    assert all(len(row.negatives) == 2 and not set(row.negatives) & set(row.positives) for row in mined.rows())
    # The estimate above the mining counts stand-ins for the negatives that are not there yet.
    before, after = results["estimate"], results["after"]
    assert before["tokens_per_step"] == pytest.approx(after["tokens_per_step"], rel=0.15)
    assert before["steps"] == after["steps"] == 2
    lengths = after["lengths"]["document"]
    assert sum(lengths["counts"]) == 120
    assert len(lengths["edges"]) == len(lengths["counts"]) + 1
    histograms = results["mined"]["histograms"]
    assert histograms["answers"]["edges"] == histograms["negatives"]["edges"]
    assert sum(histograms["answers"]["counts"]) == len(mined.positives)
    assert sum(histograms["negatives"]["counts"]) == len(mined.negatives)
    assert results["train"]["best_dev"] is None
    assert results["train"]["alpha"] == 1.0


def test_mining_that_finds_nothing_stops_and_one_that_finds_little_warns(small_world: Path, tmp_path: Path) -> None:
    stages = f"""\
  data: {{{{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0, test: 0}}}}
  mined: {{{{kind: mine, source: data.train, ratio: {{}}}}}}
  report: {{{{kind: report}}}}
"""
    with pytest.raises(InputError, match=r"none of the 120 rows has a negative: .* too near") as refused:
        run(stages.format(1e-6), small_world, tmp_path / "none")
    assert refused.value.field == "stages.mined.ratio"
    assert "Raise `ratio` (now 1e-06; null: no such limit)" in str(refused.value)
    assert not (tmp_path / "none" / "mined").exists()
    few = run(stages.format(0.9), small_world, tmp_path / "few")["mined"]
    assert 12 < few["bare_rows"] < 120
    warning = f"warning: {few['bare_rows']} of 120 rows have no negative"
    assert any(line.startswith(warning) for line in summary("mine", few, tmp_path / "few" / "mined"))
    assert warning in (tmp_path / "few" / "report.html").read_text(encoding="utf-8")


def test_the_longest_texts_do_not_squeeze_the_histogram() -> None:
    lengths = np.array([*range(3, 103)] * 10 + [5_000] * 5, dtype=np.int32)
    drawn = length_histogram(lengths, 64)
    assert drawn["beyond"] == pytest.approx(5 / 1005)
    assert sum(drawn["counts"]) == 1000
    assert drawn["edges"][0] == 3
    assert set(np.diff(drawn["edges"])) == {5}
    assert drawn["counts"][:20] == [50] * 20
    assert drawn["max_length"] == 64
    same = length_histogram(np.full(7, 9, dtype=np.int32), None)
    assert (same["edges"], same["counts"], same["beyond"], same["max_length"]) == ([9, 10], [7], 0, None)


def test_sts_sets_are_scored_and_compared(small_world: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "sts.csv"
    rows = [(f"gen cup {n}", f"gen {n} cup bal", n % 6) for n in range(30)]
    pairs.write_text("sentence1,sentence2,score\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    stages = f"""\
  pairs: {{kind: sts, path: {pairs}}}
  data: {{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0, test: 0}}
  train: {{kind: train, sources: data.train, dev: pairs, steps: 2, batch_size: 8, learning_rate: 1e-3}}
  scores: {{kind: evaluate, models: [base, train], tasks: pairs}}
  comparison: {{kind: compare, after: train, scores: scores}}
"""
    results = run(stages, small_world, tmp_path / "run")
    assert results["comparison"]["tasks"][0]["metric"] == "spearman"
    assert results["comparison"]["gained"] == []
    assert results["train"]["base_dev"] == pytest.approx(results["scores"]["scores"][0]["values"]["spearman"])
    with pytest.raises(InputError, match="bm25 cannot be scored"):
        run(stages.replace("[base, train]", "[base, bm25]").replace("after: train", "after: bm25"), small_world,
            tmp_path / "run")  # fmt: skip


def test_texts_that_are_cut_are_counted_for_every_model(small_world: Path, tmp_path: Path) -> None:
    task = write_beir(tmp_path / "task", 8)
    corpus = task / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("word3 and more", "word3 and more" * 20))
    results = run(
        f"  data: {{kind: collection, path: {task}}}\n"
        "  scores: {kind: evaluate, models: [base, bm25], tasks: data.test}\n  report: {kind: report}\n",
        small_world,
        tmp_path / "run",
    )
    assert results["scores"]["cut"] == [
        {"task": "data.test", "model": "base", "what": "documents", "count": 1, "of": 8, "limit": 64},
        {"task": "data.test", "model": "base", "what": "queries", "count": 0, "of": 4, "limit": 64},
    ]
    said = "base: 1 of 8 documents (12.5 %) is longer than 64 tokens and is cut"
    assert f"data.test, {said}" in summary("evaluate", results["scores"], tmp_path)
    assert said in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_functions_of_packages_in_a_folder(small_world: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    verbs = ("Count", "Join", "Sort", "Merge", "Split", "Trim", "Scan", "Pack")
    nouns = ("apples", "rivers", "letters", "numbers", "colours", "planets")
    for noun in nouns:
        (packages / noun).mkdir(parents=True)
        functions = [
            f'def {verb.lower()}_{noun}(values, {noun}_size=1):\n    """{verb} all the {noun} that a user gives."""\n'
            f"    total_{verb.lower()} = [value * {noun}_size for value in values if value]\n"
            f"    for number, {noun} in enumerate(total_{verb.lower()}):\n        print(number, {noun})\n"
            f"    return sorted(total_{verb.lower()})\n"
            for verb in verbs
        ]
        (packages / noun / "__init__.py").write_text("\n\n".join(functions))
    results = run(
        f"""\
  data: {{kind: python-functions, search_paths: ["{packages}"], train_pairs: 20, dev_queries: 3, dev_documents: 5,
         test_queries: 4, test_documents: 6}}
""",
        small_world,
        tmp_path / "run",
    )
    data = results["data"]
    assert data["pairs"] == len(verbs) * len(nouns)
    assert data["splits"]["test"]["queries"] == 4
    assert data["examples"]
    assert len(Source.load(tmp_path / "run" / "data" / "train")) == data["splits"]["train"]["pairs"]


def test_the_general_check_needs_no_stage_and_the_report_shows_all(small_world: Path, tmp_path: Path) -> None:
    results = run(
        "  check: {kind: evaluate, models: [base, bm25], tasks: general-check}\n  report: {kind: report}\n",
        small_world,
        tmp_path / "run",
    )
    assert [scores["task"] for scores in results["check"]["scores"]] == ["general-check"] * 2
    page = Path(results["report"]["report"])
    assert page == tmp_path / "run" / "report.html"
    assert "general-check" in page.read_text(encoding="utf-8")


def test_models_not_scored_on_the_same_task_cannot_be_compared(small_world: Path, tmp_path: Path) -> None:
    task = write_beir(tmp_path / "task", 8)
    with pytest.raises(InputError, match="no task was scored for both") as caught:
        run(
            f"  data: {{kind: collection, path: {task}}}\n  scores: {{kind: evaluate, tasks: data.test}}\n"
            "  comparison: {kind: compare, after: bm25, scores: scores}\n",
            small_world,
            tmp_path / "run",
        )
    assert caught.value.field == "stages.comparison.scores"


def test_a_train_stage_offers_every_setting_of_the_trainer_with_its_default() -> None:
    fields = TrainStage.model_fields
    for setting in dataclasses.fields(TrainingSettings):
        assert setting.name in fields, setting.name
        if setting.name in ("seed", "precision"):  # the recipe's, where the stage does not say them
            continue
        default = fields[setting.name].get_default(call_default_factory=True)
        assert (tuple(default) if isinstance(default, list) else default) == setting.default, setting.name
    TrainingSettings(loss=fields["loss"].default)


def test_a_recipe_chooses_losses_for_a_source_and_for_a_training(small_world: Path, tmp_path: Path) -> None:
    """The rows' own loss goes first; that of the training has its parameters beside its name."""
    path = tmp_path / "graded.jsonl"
    rows = [
        {"query": f"word{n}", "positive": f"word{n} more", "negative": f"word{n + 1}", "score": [0.9, 0.1 * (n % 3)]}
        for n in range(24)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    graded = f"kind: source, path: {path}, task: sts, dev: 0, test: 0"
    training = "sources: [graded.train, plain.train], steps: 3, batch_size: 6, teacher: guide, quantise: int8"
    run(
        f"  graded: {{{graded}, loss: cosent, temperature: 0.1}}\n"
        f"  plain: {{{graded}, in_batch_negatives: true}}\n"
        f"  guide: {{kind: model, path: {small_world / 'base'}}}\n"
        f"  cost: {{kind: estimate, train: train}}\n"
        f"  train: {{kind: train, {training}, spread_out: 0.1, loss: {{name: gist, margin: -0.1}}}}\n",
        small_world,
        tmp_path / "run",
    )
    own = Source.load(tmp_path / "run" / "graded" / "train").settings
    assert (own.loss, own.temperature, own.uses_in_batch_negatives) == ("cosent", 0.1, False)
    assert Source.load(tmp_path / "run" / "plain" / "train").settings.uses_in_batch_negatives
    assert list((tmp_path / "run").glob("**/teacher/*.npy"))


def test_uses_finds_names_in_lists_and_singles() -> None:
    stage = TrainStage(sources=["a", "b.train"], dev=["c"])
    assert [(use.keys, use.value) for use in uses(stage)] == [
        (("sources", 0), "a"), (("sources", 1), "b.train"), (("model",), "base"), (("dev", 0), "c")
    ]  # fmt: skip
