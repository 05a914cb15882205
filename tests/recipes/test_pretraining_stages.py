"""From raw text to a model that searches, with nothing downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.errors import InputError
from cosmith.inspection import write_report
from cosmith.models import Encoder, tiny_encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

STAGES = """\
  raw: {{kind: texts, path: {raw}}}
  data: {{kind: source, path: {pairs}, dev: 0.2, test: 0.2}}
  start: {{kind: initialise, texts: [raw, data.train], vocabulary: 300, layers: 1, hidden: 16, heads: 2}}
  adapted: {{kind: adapt, model: start, texts: [raw, data.dev], steps: 8, batch_size: 16, learning_rate: 1e-3}}
  train: {{kind: train, model: adapted, sources: data.train, dev: data.dev, steps: 4, batch_size: 16}}
  evaluation: {{kind: evaluate, models: [start, adapted, train], tasks: data.test}}
"""


def run(world: Path, folder: Path, stages: str = STAGES, **overrides: Any) -> dict[str, Any]:
    raw = folder.parent / "raw.txt"
    if not raw.exists():
        lines = [f"the word number {n} of a raw text\n" for n in range(40)]
        raw.write_text("".join([*lines, "\0\n"]), encoding="utf-8")
    text = "name: t\nprecision: float32\nstages:\n" + stages.format(raw=raw, pairs=world / "pairs.jsonl")
    return run_recipe(load_recipe(parse_document(text), overrides=overrides), folder)


def test_a_model_from_nothing_learns_language_then_search(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    results = run(small_world, folder)
    assert results["raw"]["texts"] == 40
    assert sum(results["raw"]["dropped"].values()) == 1
    assert results["start"]["tokens"] <= 300
    assert results["adapted"]["steps"] == 8
    assert results["adapted"]["texts"] > 40
    losses = [json.loads(line)["loss"] for line in (folder / "adapted" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
    start, adapted = (Encoder.load(folder / name / "model") for name in ("start", "adapted"))
    assert start.tokenizer.fingerprint() == adapted.tokenizer.fingerprint()
    assert start.fingerprint() != adapted.fingerprint()
    card = json.loads((folder / "train" / "model" / "lineage.json").read_text())
    assert card["base"] == "adapted"
    assert [origin["stage"] for origin in card["made_from"]] == ["raw", "data", "start", "adapted"]
    assert json.loads((folder / "start" / "model" / "lineage.json").read_text())["base"] == "random weights"
    assert "adapted" in write_report(folder).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"start.hidden": 14}, "no multiple of twice the heads"),
        ({"start.vocabulary": 20}, "vocabulary"),
        ({"adapted.texts": "start"}, "texts or training rows or a collection is needed"),
        ({"adapted.mask_rate": 1}, "mask_rate"),
        ({"adapted.model": "train"}, "stands below"),
    ],
)
def test_what_cannot_work_names_the_key(
    overrides: dict[str, Any], said: str, small_world: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(small_world, tmp_path / "run", **overrides)


def test_a_decoder_keeps_its_head_through_the_stages_before_and_takes_an_adapter(
    small_world: Path, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_encoder("qwen3").tokenizer.tokenizer
    tokenizer.model_max_length = 64
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=0, bos_token_id=None,
                         eos_token_id=None, **sizes)  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
    tokenizer.save_pretrained(tmp_path / "llama")
    text = f"""\
name: t
base: {small_world / "base"}
precision: float32
stages:
  data: {{kind: source, path: {small_world / "pairs.jsonl"}, dev: 0, test: 0}}
  llama: {{kind: model, path: {tmp_path / "llama"}}}
  seeing: {{kind: rebuild, model: llama, bidirectional: true}}
  adapted:
    {{kind: adapt, model: seeing, texts: data.train, steps: 2, batch_size: 8, adapter: lora, adapter_rank: 2,
     gradient_checkpointing: true}}
  further: {{kind: adapt, model: adapted, texts: data.train, steps: 1, batch_size: 8, head: {tmp_path / "llama"}}}
"""
    results = run_recipe(load_recipe(parse_document(text)), tmp_path / "run")
    assert [results[name]["head"] for name in ("adapted", "further")] == ["read", "read"]
    folder = tmp_path / "run" / "adapted" / "model"
    assert not (folder / "adapter_config.json").exists()
    before, after = (Encoder.load(each).module.state_dict() for each in (tmp_path / "run" / "seeing" / "model", folder))
    assert before.keys() == after.keys()
    assert any(not before[name].equal(after[name]) for name in before)
