"""Training a cross-encoder through the one loop: it learns, and every law of the loop holds for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.errors import InputError
from cosmith.losses.ranking import RANKING_LOSSES
from cosmith.models import CrossEncoder, tiny_cross_encoder
from cosmith.models.tiny import Family
from cosmith.training import TrainingSettings, train_reranker
from cosmith.training.distributed import Ranks
from cosmith.training.health import Diverged
from cosmith.training.reranking import RerankerJob, prepare
from cosmith.training.step import add_gradients

COLOURS, ANIMALS = ("red", "green", "blue", "gold"), ("cat", "dog", "cow", "owl")


def answers(number: int) -> TrainingRow:
    """A document answers where it repeats the query's colour."""
    colour, animal = COLOURS[number % 4], ANIMALS[number // 4 % 4]
    other = COLOURS[(number + 1 + number // 16 % 3) % 4]
    negatives = (f"{other} {number % 7}", f"{other} {number % 5}")
    return TrainingRow(f"{colour} {animal}", (f"{colour} {number % 7}",), negatives, scores=(number % 5, -1.0, -2.0))


SOURCE = Source.from_rows("colours", map(answers, range(96)))
SETTINGS = TrainingSettings(steps=6, batch_size=12, learning_rate=5e-3, precision="float32", micro_batch_tokens=120)


def gradients(job: RerankerJob, step: int = 0) -> tuple[float, dict[str, torch.Tensor]]:
    job.module.train()
    job.module.zero_grad()
    loss = add_gradients(job, step).loss
    return loss, {name: p.grad.clone() for name, p in job.module.named_parameters() if p.grad is not None}


def accuracy(model: CrossEncoder) -> float:
    """How often the answer scores above both others."""
    rows = list(SOURCE.rows())
    texts = [text for row in rows for text in (*row.positives, *row.negatives)]
    scores = model.score([row.query for row in rows for _ in range(3)], texts).reshape(-1, 3)
    return float((scores[:, 0] > scores[:, 1:].max(1)).mean())


def test_it_learns_and_leaves_the_base_alone(tmp_path: Path) -> None:
    base = tiny_cross_encoder("bert", dropout=0.1)
    before = base.fingerprint()
    settings = replace(SETTINGS, steps=120, warmup=0.2, evaluate_every=40)
    result = train_reranker(base, [SOURCE], settings, loss="listwise", folder=tmp_path, dev=accuracy)
    assert base.fingerprint() == before
    assert accuracy(base) < 0.6
    assert accuracy(result.encoder) > 0.9
    assert result.best_score == pytest.approx(accuracy(result.encoder), abs=0.05)
    assert not result.encoder.module.training
    losses = [entry["loss"] for entry in map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
              if "loss" in entry]  # fmt: skip
    assert losses[0] == pytest.approx(np.log(3), rel=0.1)  # it knows nothing yet


@pytest.mark.parametrize("loss", RANKING_LOSSES)
@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_a_step_is_the_loss_of_its_pairs_scored_one_by_one(family: Family, loss: Any) -> None:
    job = prepare(tiny_cross_encoder(family), [SOURCE], replace(SETTINGS, batch_size=4), loss)
    value, got = gradients(job)
    rows = [SOURCE.row(int(number)) for number in job.plan.at(0).rows]
    job.module.zero_grad()
    parts = [
        job.encoder.logits(job.encoder.tokenize([(row.query, text)]))
        for row in rows
        for text in (*row.positives, *row.negatives)
    ]
    table = torch.cat(parts).view(4, 3)
    taught = torch.tensor([row.scores for row in rows])
    expected = {
        "binary": lambda: -torch.nn.functional.logsigmoid(table * torch.tensor([1.0, -1.0, -1.0])).mean(),
        "listwise": lambda: -table.log_softmax(1)[:, 0].mean(),
        "margin-mse": lambda: ((table[:, :1] - table[:, 1:]) - (taught[:, :1] - taught[:, 1:])).square().mean(),
        "score-kl": lambda: (taught.softmax(1) * (taught.log_softmax(1) - table.log_softmax(1))).sum(1).mean(),
    }[loss]()
    expected.backward()  # type: ignore[no-untyped-call]
    assert value == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)
    for name, parameter in job.module.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(got[name], parameter.grad, rtol=1e-3, atol=1e-6)


def test_pairs_that_stand_twice_are_scored_once() -> None:
    row = TrainingRow("red", ("a",), ("b", "c"))
    source = Source.from_rows("twice", [row, row, TrainingRow("red", ("c",), ("a",))])
    job = prepare(tiny_cross_encoder("bert"), [source], replace(SETTINGS, batch_size=3))
    batch = job.batch(source, np.array([0, 1, 2]))
    assert len(batch.tokens) == 3
    assert batch.candidates.pair.tolist()[:3] == batch.candidates.pair.tolist()[3:6]
    assert batch.candidates.positive.tolist() == [True, False, False, True, False, False, True, False]
    assert batch.candidates.row.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    work = job.work(0)
    assert "a pair of row" in work.describe(0)
    assert "'red' with" in work.describe(0)
    assert work.problems() == []


@pytest.mark.parametrize("lanes", [1, 3])
def test_cached_is_direct_and_lanes_change_nothing_but_rounding(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny_cross_encoder("bert", dropout=0.2)
    alone = gradients(prepare(made, [SOURCE], SETTINGS))
    monkeypatch.setattr("cosmith.training.reranking.lanes_of", lambda _: lanes)
    loss, expected = gradients(prepare(made, [SOURCE], SETTINGS))
    cached = gradients(prepare(made, [SOURCE], replace(SETTINGS, strategy="cached")))
    assert cached[0] == loss
    assert all(torch.equal(cached[1][name], expected[name]) for name in expected)
    if lanes == 1:
        for name, gradient in alone[1].items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5)


def test_the_shares_of_ranks_add_up_to_the_step() -> None:
    job = prepare(tiny_cross_encoder("bert"), [SOURCE], SETTINGS, "listwise")
    whole = job.work(0)
    scores = torch.randn(sum(map(len, whole.batches)), 1)
    parts = [job.work(0, Ranks(rank, 3)) for rank in range(3)]
    assert sorted(np.concatenate(parts[0].batches).tolist()) == list(range(len(scores)))
    torch.testing.assert_close(sum(part.loss(scores) for part in parts), whole.loss(scores))


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(SETTINGS, checkpoint_every_steps=2)
    base = tiny_cross_encoder("bert", dropout=0.1)
    undisturbed = train_reranker(base, [SOURCE], settings).encoder
    from cosmith.training import loop

    take, calls = loop._take_step, []

    def failing(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError("the machine went away")
        return take(*arguments)

    monkeypatch.setattr(loop, "_take_step", failing)
    with pytest.raises(RuntimeError):
        train_reranker(base, [SOURCE], settings, folder=tmp_path)
    monkeypatch.undo()
    assert train_reranker(base, [SOURCE], settings, folder=tmp_path).encoder.fingerprint() == undisturbed.fingerprint()
    with pytest.raises(InputError, match="objective"):
        train_reranker(base, [SOURCE], settings, loss="listwise", folder=tmp_path)


def test_tied_weights_are_trained_saved_and_mixed_once(tmp_path: Path) -> None:
    base = tiny_cross_encoder("qwen3")
    base._model.config.tie_word_embeddings = True
    base._model.tie_weights()
    settings = replace(SETTINGS, steps=3, batch_size=4, interpolate=(0.5,), keep_best=False)
    calls: list[float] = []

    def dev(model: CrossEncoder) -> float:
        calls.append(1.0)
        return float(len(calls))  # the last one tried is the best: half and half

    result = train_reranker(base, [SOURCE], settings, folder=tmp_path / "run", dev=dev)
    assert result.alpha == 0.5
    whole = train_reranker(base, [SOURCE], replace(settings, interpolate=False)).encoder
    name = "backbone.embed_tokens.weight"
    ends = [model.module.get_parameter(name) for model in (base, whole)]
    torch.testing.assert_close(result.encoder.module.get_parameter(name), (ends[0] + ends[1]) / 2)
    saved = CrossEncoder.load(result.encoder.save(tmp_path / "m"))
    assert saved.fingerprint() == result.encoder.fingerprint()


def test_the_doctor_names_the_pair(tmp_path: Path) -> None:
    base = tiny_cross_encoder("bert")
    with torch.no_grad():
        base.module.get_parameter("head.classifier.weight")[0, 0] = torch.nan
    with pytest.raises(Diverged, match="weight"):
        train_reranker(base, [SOURCE], SETTINGS, folder=tmp_path)
    batch = json.loads((tmp_path / "health" / "step-1" / "batch.json").read_text())
    assert "a pair of row" in batch["texts"][0]


def test_adapters_are_trained_and_merged() -> None:
    pytest.importorskip("peft")
    base = tiny_cross_encoder("bert")
    tuned = train_reranker(base, [SOURCE], replace(SETTINGS, adapter="lora", adapter_rank=2)).encoder
    changed = {
        name
        for name, value in tuned.module.state_dict().items()
        if not torch.equal(value, base.module.state_dict()[name])
    }
    assert "backbone.encoder.layer.0.attention.self.query.weight" in changed
    assert "head.classifier.weight" in changed
    assert "backbone.embeddings.word_embeddings.weight" not in changed
    with pytest.raises(InputError, match="kept apart"):
        train_reranker(base, [SOURCE], replace(SETTINGS, adapter="lora", merge_adapter=False))


def test_what_does_not_fit_is_said() -> None:
    base = tiny_cross_encoder("bert")
    with pytest.raises(InputError, match=r"none of the .* has a negative"):
        train_reranker(base, [Source.from_rows("bare", [TrainingRow("a", ("b",))])])
    plain = Source.from_rows("plain", [TrainingRow("a", ("b",), ("c",))])
    with pytest.raises(InputError, match="no scores"):
        train_reranker(base, [plain], loss="score-kl")
    with pytest.raises(InputError, match="there is no loss"):
        train_reranker(base, [plain], loss="lambda")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two Sources"):
        train_reranker(base, [plain, plain])
    with pytest.raises(InputError, match="above 0"):
        train_reranker(base, [plain], teacher_temperature=0.0)
    with pytest.raises(InputError, match="the loss binary has no teacher_temperature"):
        train_reranker(base, [plain], teacher_temperature=2.0)
