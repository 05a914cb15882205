"""Stages that make a smaller model of another one, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.cli.summaries import summary
from cosmith.errors import InputError
from cosmith.inspection import write_report
from cosmith.models import Encoder, initialise, tiny_encoder
from cosmith.models.layers import layers_of
from cosmith.recipes import load_recipe, parse_document, run_recipe


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, small_world: Path) -> Path:
    """A folder with `deep` (a model of four layers), `texts.txt` and `pairs.jsonl`."""
    folder = tmp_path_factory.mktemp("shrinking")
    tiny_encoder("bert", layers=4).save(folder / "deep")
    rows = [json.loads(line) for line in (small_world / "pairs.jsonl").read_text().splitlines()]
    (folder / "texts.txt").write_text("".join(f"{row['positive']}\n" for row in rows[:60]))
    (folder / "pairs.jsonl").write_text((small_world / "pairs.jsonl").read_text())
    return folder


def run(world: Path, folder: Path, stages: str) -> dict[str, Any]:
    text = f"name: t\nbase: {world / 'deep'}\nprecision: float32\nstages:\n"
    text += f"  texts: {{kind: texts, path: {world / 'texts.txt'}}}\n"
    text += f"  data: {{kind: source, path: {world / 'pairs.jsonl'}, dev: 0.2, test: 0.2}}\n"
    return run_recipe(load_recipe(parse_document(text + stages)), folder)


def test_layers_are_dropped_and_the_student_is_trained_further(world: Path, tmp_path: Path) -> None:
    results = run(
        world,
        tmp_path,
        """\
  small: {kind: drop-layers, layers: [0, 3], texts: texts, tasks: data.test, epochs: 4, batch_size: 8,
          learning_rate: 3e-3}
  train: {kind: train, model: small, sources: data.train, steps: 2, batch_size: 8}
  evaluation: {kind: evaluate, models: [base, small, train], tasks: data.test}
""",
    )
    small = results["small"]
    assert [each["name"] for each in small["forms"]] == ["base", "layers dropped", "distilled"]
    _, dropped, distilled = small["forms"]
    assert dropped["parameters"] == distilled["parameters"] < small["forms"][0]["parameters"]
    assert distilled["mean"] > dropped["mean"]
    scores = {each["model"]: each["values"]["ndcg@10"] for each in results["evaluation"]["scores"]}
    assert distilled["tasks"][0]["after"] == pytest.approx(scores["small"])
    assert distilled["tasks"][0]["before"] == pytest.approx(scores["base"])
    model = Encoder.load(tmp_path / "small" / "model")
    assert len(layers_of(model.module["backbone"])) == 2
    card = json.loads((tmp_path / "small" / "model" / "lineage.json").read_text())
    assert [each["name"] for each in card["trained_on"]["rows"]] == ["texts"]
    told = "\n".join(summary("drop-layers", small, tmp_path / "small"))
    assert "layers dropped" in told
    assert "ndcg@10" in told
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Smaller models" in page
    assert f"{small['forms'][1]['mean']:.4f}" in page


def test_without_texts_nothing_is_trained(world: Path, tmp_path: Path) -> None:
    results = run(world, tmp_path, "  small: {kind: drop-layers, layers: 2}\n")
    assert [each["name"] for each in results["small"]["forms"]] == ["base", "layers dropped"]
    assert "steps" not in results["small"]
    card = json.loads((tmp_path / "small" / "model" / "lineage.json").read_text())
    assert card["trained_on"]["rows"] == []
    assert np.isfinite(Encoder.load(tmp_path / "small" / "model").encode(["a text"])).all()
    with pytest.raises(InputError, match="without texts nothing is trained, so steps would change nothing"):
        run(world, tmp_path / "other", "  small: {kind: drop-layers, layers: 2, steps: 3}\n")
    with pytest.raises(InputError, match=r"stages\.small\.layers.*the model has 4 layers"):
        run(world, tmp_path / "more", "  small: {kind: drop-layers, layers: 4}\n")


def test_texts_that_ask_what_is_tested_are_refused(world: Path, tmp_path: Path) -> None:
    stages = """\
  small: {kind: drop-layers, layers: 2, texts: queries}
  evaluation: {kind: evaluate, models: small, tasks: data.test}
"""
    asked = [json.loads(line)["query"] for line in (world / "pairs.jsonl").read_text().splitlines()]
    (tmp_path / "queries.txt").write_text("\n".join(asked))
    queries = f"  queries: {{kind: texts, path: {tmp_path / 'queries.txt'}}}\n"
    with pytest.raises(InputError, match=r"of the test set 'data\.test' would be trained on"):
        run(world, tmp_path / "run", queries + stages)


def test_tokens_are_left_out_and_the_texts_keep_their_vectors(world: Path, tmp_path: Path) -> None:
    texts = (world / "texts.txt").read_text().splitlines()
    initialise(texts, vocabulary=400, layers=1, hidden=16, heads=2, backbone="bert").save(world / "wordy")
    (tmp_path / "few.txt").write_text("\n".join(texts[:9]))
    stages = f"""\
  wordy: {{kind: model, path: {world / "wordy"}}}
  few: {{kind: texts, path: {tmp_path / "few.txt"}}}
  pruned: {{kind: prune-vocabulary, model: wordy, texts: few, tasks: data.test}}
  train: {{kind: train, model: pruned, sources: data.train, steps: 2, batch_size: 8}}
"""
    pruned = run(world, tmp_path / "run", stages)["pruned"]
    told = pruned["vocabulary"]
    assert told["after"] < told["before"] == len(Encoder.load(world / "wordy").tokenizer.tokenizer)
    assert pruned["forms"][1]["mean"] == pytest.approx(1.0, abs=1e-6)
    assert pruned["forms"][1]["parameters"] < pruned["forms"][0]["parameters"]
    assert pruned["forms"][1]["tasks"][0]["metric"] == "ndcg@10"
    made, whole = (Encoder.load(place) for place in (tmp_path / "run" / "pruned" / "model", world / "wordy"))
    np.testing.assert_allclose(made.encode(texts[:9]), whole.encode(texts[:9]), atol=1e-6)
    card = json.loads((tmp_path / "run" / "pruned" / "model" / "lineage.json").read_text())
    assert card["base"] == "wordy"
    assert card["trained_on"] == {"rows": [], "not_known": [str(world / "wordy")]}  # nothing was trained
    lines = "\n".join(summary("prune-vocabulary", pruned, tmp_path))
    assert f"{told['after']:,} of {told['before']:,} tokens stay, which 9 texts need" in lines
    assert "pruned" in write_report(tmp_path / "run").read_text(encoding="utf-8")


def test_a_static_student_follows_its_teacher(world: Path, tmp_path: Path) -> None:
    results = run(
        world,
        tmp_path,
        """\
  small: {kind: static, dimension: 8, texts: [texts, data.train], tasks: data.test, epochs: 3, batch_size: 16}
  evaluation: {kind: evaluate, models: small, tasks: data.test}
""",
    )
    forms = results["small"]["forms"]
    assert [each["name"] for each in forms] == ["base", "token vectors", "distilled", "in 8"]
    assert forms[2]["mean"] > forms[1]["mean"]
    assert [each["dimension"] for each in forms] == [32, 32, 32, 8]
    assert forms[3]["mean"] is None
    model = Encoder.load(tmp_path / "small" / "model")
    assert (model.is_static, model.dimension) == (True, 8)
    score = results["evaluation"]["scores"][0]["values"]["ndcg@10"]
    assert forms[3]["tasks"][0]["after"] == pytest.approx(score)
    card = json.loads((tmp_path / "small" / "model" / "lineage.json").read_text())
    assert [each["name"] for each in card["trained_on"]["rows"]] == ["texts", "data.train"]
    with pytest.raises(InputError, match=r"stages\.small\.dimension.*33 is not between 1 and the model's 32"):
        run(world, tmp_path / "wide", "  small: {kind: static, dimension: 33, texts: texts}\n")
