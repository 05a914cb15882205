"""A reranker from a recipe: mined, trained, evaluated, compared, reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.errors import InputError
from cosmith.inspection import write_report
from cosmith.models import CrossEncoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

STAGES = """\
  data: {{kind: source, path: {pairs}, dev: 0.2, test: 0.2}}
  mined: {{kind: mine, source: data.train, negatives: 2, ratio: null}}
  reranker: {{kind: train-reranker, sources: mined, dev: data.dev, steps: 6, batch_size: 8, learning_rate: 1e-3}}
  further: {{kind: train-reranker, model: reranker, sources: mined, loss: listwise, steps: 2, first: bm25}}
  evaluation: {{kind: evaluate, models: [base, reranker, further], tasks: data.test, first: base, rerank: 10}}
  comparison: {{kind: compare, after: reranker, scores: evaluation}}
"""


def run(world: Path, folder: Path, **overrides: Any) -> dict[str, Any]:
    text = f"name: t\nbase: {world / 'base'}\nprecision: float32\nstages:\n" + STAGES.format(
        pairs=world / "pairs.jsonl"
    )
    return run_recipe(load_recipe(parse_document(text), overrides=overrides), folder)


def test_a_reranker_is_trained_used_and_told_of(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    results = run(small_world, folder)
    told = results["reranker"]
    assert told["steps"] == 6
    assert told["best_dev"] is not None
    assert 0 < told["first_dev"] <= 1
    assert results["further"]["first_dev"] is None
    scored = {each["model"]: each for each in results["evaluation"]["scores"]}
    assert set(scored) == {"base", "reranker", "further"}
    # An order of the first ten moves nothing in or out of them.
    assert scored["reranker"]["values"]["recall@10"] == scored["base"]["values"]["recall@10"]
    assert scored["reranker"]["values"]["ndcg@10"] != scored["base"]["values"]["ndcg@10"]
    assert results["comparison"]["after"] == "reranker"
    loaded = CrossEncoder.load(folder / "reranker" / "reranker")
    assert loaded.score(["a"], ["b"]).shape == (1,)
    card = json.loads((folder / "further" / "reranker" / "lineage.json").read_text())
    assert card["base"] == "reranker"
    assert "Trained by Cosmith" in (folder / "further" / "reranker" / "README.md").read_text()
    page = write_report(folder).read_text(encoding="utf-8")
    assert "reranker" in page
    from cosmith.cli.summaries import summary

    lines = summary("train-reranker", told, folder / "reranker")
    assert any("the order of base itself" in line for line in lines)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"evaluation.first": None}, "nothing finds the documents that 'reranker'"),
        (
            {"evaluation.first": "reranker"},
            "a reranker, but a model or a sparse encoder or a late-interaction model or BM25 is needed",
        ),
        ({"reranker.sources": "data.train"}, r"stages\.reranker\.sources|has a negative"),
        ({"further.loss": "score-kl"}, "no scores"),
        ({"further.model": "bm25"}, "a model or a reranker is needed"),
        ({"further.epochs": 1}, "steps and epochs"),
    ],
)
def test_what_cannot_work_names_the_key(
    overrides: dict[str, Any], said: str, small_world: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(small_world, tmp_path / "run", **overrides)
