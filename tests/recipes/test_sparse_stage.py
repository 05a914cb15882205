"""A sparse encoder from a recipe: trained, evaluated beside BM25, and the first search of a reranker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.cli.summaries import summary
from cosmith.errors import InputError
from cosmith.models import SparseEncoder, tiny_encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

STAGES = """\
  data: {{kind: source, path: {pairs}, dev: 0.2, test: 0.2}}
  sparse: {{kind: train-sparse, sources: data.train, dev: data.dev, steps: 6, batch_size: 16, learning_rate: 1e-3}}
  further: {{kind: train-sparse, model: sparse, sources: data.train, steps: 2, document_sparsity: 0.1}}
  mined: {{kind: mine, source: data.train, ratio: null}}
  reranker: {{kind: train-reranker, sources: mined, dev: data.dev, first: sparse, steps: 2, batch_size: 8}}
  evaluation: {{kind: evaluate, models: [bm25, sparse, further, reranker], tasks: data.test, first: further}}
  cut: {{kind: evaluate, models: sparse, tasks: data.test, chunk_tokens: 12}}
  comparison: {{kind: compare, before: bm25, after: sparse, scores: evaluation}}
"""


def run(world: Path, folder: Path, base: Path | None = None, **overrides: Any) -> dict[str, Any]:
    head = f"name: t\nbase: {base or world / 'base'}\nprecision: float32\nstages:\n"
    text = head + STAGES.format(pairs=world / "pairs.jsonl")
    return run_recipe(load_recipe(parse_document(text), overrides=overrides), folder)


def test_a_sparse_encoder_is_trained_used_and_told_of(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    results = run(small_world, folder)
    assert results["sparse"]["steps"] == 6
    assert results["sparse"]["best_dev"] is not None
    assert {each["model"] for each in results["evaluation"]["scores"]} == {"bm25", "sparse", "further", "reranker"}
    whole = next(each for each in results["evaluation"]["scores"] if each["model"] == "sparse")
    assert results["cut"]["scores"][0]["values"] != whole["values"]  # by their best chunks
    assert results["comparison"]["after"] == "sparse"
    loaded = SparseEncoder.load(folder / "further" / "sparse")
    assert len(loaded.encode(["gen cup"])) == 1
    assert json.loads((folder / "further" / "sparse" / "lineage.json").read_text())["base"] == "sparse"
    lines = summary("train-sparse", results["sparse"], folder / "sparse")
    assert lines[-1].startswith("sparse encoder: ")


@pytest.mark.parametrize("begin", ["idf", "ones"])
def test_queries_that_no_model_reads(begin: str, small_world: Path, tmp_path: Path) -> None:
    stages = f"""\
  data: {{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0.2, test: 0.2}}
  sparse:
    kind: train-sparse
    sources: data.train
    dev: data.dev
    static_queries: {begin}
    query_learning_rate: 0.01
    steps: 4
  further: {{kind: train-sparse, model: sparse, sources: data.train, steps: 1}}
  evaluation: {{kind: evaluate, models: [bm25, sparse, further], tasks: data.test}}
"""
    text = f"name: t\nbase: {small_world / 'base'}\nprecision: float32\nstages:\n{stages}"
    results = run_recipe(load_recipe(parse_document(text)), tmp_path / "run")
    assert {each["model"] for each in results["evaluation"]["scores"]} == {"bm25", "sparse", "further"}
    tuned, further = (SparseEncoder.load(tmp_path / "run" / name / "sparse") for name in ("sparse", "further"))
    assert tuned.static_queries is not None
    assert further.static_queries is not None
    weight = tuned.static_queries.weight
    assert (weight.std() > 0.5) == (begin == "idf")
    assert not torch.equal(weight, further.static_queries.weight)
    assert torch.allclose(weight, further.static_queries.weight, atol=0.01)


def test_the_head_of_a_masked_language_model_is_kept(small_world: Path, tmp_path: Path) -> None:
    start = SparseEncoder.from_encoder(tiny_encoder("bert"), seed=7)
    start._model.save_pretrained(tmp_path / "bare")
    start.tokenizer.tokenizer.save_pretrained(tmp_path / "bare")
    text = f"""\
name: t
base: {tmp_path / "bare"}
precision: float32
stages:
  data: {{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0, test: 0}}
  sparse: {{kind: train-sparse, sources: data.train, steps: 1, batch_size: 4, learning_rate: 1e-12, weight_decay: 0}}
"""
    run_recipe(load_recipe(parse_document(text)), tmp_path / "run")
    tuned = SparseEncoder.load(tmp_path / "run" / "sparse" / "sparse")
    for name, value in start.module.state_dict().items():
        assert tuned.module.state_dict()[name].allclose(value, atol=1e-6), name


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"sparse.loss": "cosent"}, r"stages\.sparse\.scores: .*|'cosent'"),
        ({"sparse.document_sparsity": -1}, "document_sparsity"),
        ({"sparse.model": "bm25"}, "a model or a sparse encoder is needed"),
        ({"mined.model": "sparse"}, "a sparse encoder, but a model is needed"),
    ],
)
def test_what_cannot_work_names_the_key(
    overrides: dict[str, Any], said: str, small_world: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(small_world, tmp_path / "run", **overrides)
