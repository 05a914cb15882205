"""Training as a user sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.errors import CosmithError, InputError
from cosmith.losses import preset
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings, batch, train, train_with_result

QUICK = TrainingSettings(
    steps=60, batch_size=16, learning_rate=3e-3, temperature=0.05, precision="float32", evaluate_every=20
)


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_loss_falls_and_retrieval_improves(tmp_path: Path, toy: Any) -> None:
    base = tiny_encoder("bert", dropout=0.1)
    before = base.fingerprint()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    result = train_with_result(base, [toy.source, toy.wide_source], QUICK, folder=tmp_path, dev=toy.dev)
    assert torch.equal(torch.rand(3), expected)  # the caller's random numbers are his own
    assert base.fingerprint() == before
    assert not result.encoder.module.training

    lines = metrics(tmp_path)
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 61))
    for name in ("epoch", "learning_rate", "gradient_norm", "pairs_per_second", "tokens_per_second", "seconds"):
        assert all(line[name] > 0 for line in steps)
    toy_losses = [line["loss"] for line in steps if line["source"] == "toy"]
    assert len(toy_losses) < 60
    assert np.mean(toy_losses[-5:]) < 0.5 * np.mean(toy_losses[:5])

    dev = {line["step"]: line["dev"] for line in lines if "dev" in line}
    assert list(dev) == [0, 20, 40, 60]
    assert result.base_score == dev[0] == toy.dev(base)
    assert result.best_score == pytest.approx(max(dev[step] for step in (20, 40, 60)), abs=1e-7)  # written rounded
    assert toy.dev(result.encoder) > result.base_score + 0.3
    assert toy.dev(result.encoder) == max(mixed.score for mixed in result.mixtures)
    told = json.loads((tmp_path / "result.json").read_text())
    assert told["best_score"] == result.best_score
    assert told["alpha"] == result.alpha
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_learning_rate_is_that_of_the_schedule(tmp_path: Path, toy: Any) -> None:
    settings = replace(QUICK, steps=8, schedule="wsd", warmup=0.25, decay=0.25)
    train(tiny_encoder("bert", hidden=8, layers=1), [toy.source], settings, folder=tmp_path)
    rates = [line["learning_rate"] / 3e-3 for line in metrics(tmp_path)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 1, 0.5], rel=1e-6)


def test_training_is_the_same_twice_and_another_with_another_seed(toy: Any) -> None:
    encoder = tiny_encoder("qwen3", dropout=0.2)
    settings = replace(QUICK, steps=5)
    first, second = (train(encoder, [toy.source], settings).fingerprint() for _ in range(2))
    assert first == second
    assert first != train(encoder, [toy.source], replace(settings, seed=1)).fingerprint()


def test_strategy_and_memory_do_not_change_the_weights(toy: Any) -> None:
    encoder = tiny_encoder("bert", dropout=0.2)
    settings = replace(QUICK, steps=4, micro_batch_tokens=80)
    results = {
        train(encoder, [toy.source], replace(settings, **changes)).fingerprint()
        for changes in ({}, {"strategy": "cached"}, {"strategy": "keep-last-k", "keep": 1}, {"graph_memory": 1})
    }
    assert len(results) == 1


def test_the_result_is_never_worse_than_the_base(tmp_path: Path, toy: Any) -> None:
    """A rate that ruins the model: the base wins on dev, and is handed back."""
    base = tiny_encoder("bert")

    def dev(encoder: Encoder) -> float:
        """The likeness to the base, so that training can only lose."""
        return float((encoder.encode(["abc", "def"]) * base.encode(["abc", "def"])).sum())

    for interpolate in (True, False):
        settings = replace(QUICK, steps=10, learning_rate=0.3, evaluate_every=5, interpolate=interpolate)
        result = train_with_result(base, [toy.source], settings, dev=dev)
        assert result.best_score is not None
        assert result.best_score < result.base_score
        assert result.alpha == 0
        assert result.encoder.fingerprint() == base.fingerprint()


@pytest.mark.parametrize("folder", [True, False])
def test_the_best_weights_are_kept_and_patience_stops(folder: bool, tmp_path: Path, toy: Any) -> None:
    scores = iter([0.1, 0.2, 0.9, 0.4, 0.5, 0.6])
    seen: list[str] = []

    def dev(encoder: Encoder) -> float:
        seen.append(encoder.fingerprint())
        return next(scores)

    settings = replace(QUICK, evaluate_every=3, patience=2, interpolate=False)
    encoder = tiny_encoder("bert", hidden=8, layers=1)
    result = train_with_result(encoder, [toy.source], settings, folder=tmp_path if folder else None, dev=dev)
    assert (result.steps, result.stopped_early, result.best_step, result.best_score) == (12, True, 6, 0.9)
    assert result.final_score == 0.9
    assert result.encoder.fingerprint() == seen[2]
    if folder:
        assert [place.name for place in (tmp_path / "best").iterdir()] == ["000006"]
        assert len(list((tmp_path / "checkpoints").iterdir())) == 1


def test_last_weights_where_the_best_are_not_wanted(toy: Any) -> None:
    scores = iter([0.1, 0.9, 0.4])
    seen: list[str] = []

    def dev(encoder: Encoder) -> float:
        seen.append(encoder.fingerprint())
        return next(scores)

    settings = replace(QUICK, steps=4, evaluate_every=2, keep_best=False, interpolate=False)
    result = train_with_result(tiny_encoder("bert", hidden=8, layers=1), [toy.source], settings, dev=dev)
    assert result.encoder.fingerprint() == seen[2]
    assert (result.best_score, result.final_score) == (0.9, 0.4)


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy: Any) -> None:
    monkeypatch.chdir(tmp_path)
    train(tiny_encoder("bert", hidden=8, layers=1), [toy.source], replace(QUICK, steps=2), dev=lambda _: 1.0)
    assert not list(tmp_path.iterdir())


def test_a_development_score_that_is_no_number_stops(toy: Any) -> None:
    with pytest.raises(CosmithError, match="dev score"):
        train(tiny_encoder("bert", hidden=8, layers=1), [toy.source], QUICK, dev=lambda _: float("nan"))


def test_a_loss_or_gradient_that_is_no_number_stops_and_names_the_step(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = tiny_encoder("bert", hidden=8, layers=1)
    embed, assemble, steps = Encoder.embed, batch.assemble, []

    def counted(*arguments: Any) -> Any:
        steps.append(1)
        return assemble(*arguments)

    def broken(self: Encoder, tokens: Any) -> torch.Tensor:
        return embed(self, tokens) * (float("nan") if len(steps) == 3 else 1.0)

    monkeypatch.setattr("cosmith.training.contrastive.assemble", counted)
    monkeypatch.setattr(Encoder, "embed", broken)
    with pytest.raises(CosmithError, match=r"step 3 \(source 'toy'\) is nan"):
        train(encoder, [toy.source], QUICK)


def test_a_gradient_that_is_no_number_stops(toy: Any) -> None:
    class Exploding(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
            return gradients[0] * float("inf")

    class Odd(Encoder):
        def embed(self, tokens: Any, *, normalize: bool = True) -> torch.Tensor:
            return Exploding.apply(super().embed(tokens, normalize=normalize))

    encoder = tiny_encoder("bert", hidden=8, layers=1)
    odd = Odd(encoder.module["backbone"], encoder.tokenizer, encoder.spec, name="odd")
    with pytest.raises(CosmithError, match="gradient of step 1"):
        train(odd, [toy.source], QUICK)


@pytest.mark.parametrize(
    ("sources", "changes", "field"),
    [
        ([], {}, "sources"),
        (["toy", "toy"], {}, "sources"),
        (["toy"], {"dims": (32,)}, "dims"),
        (["lonely"], {"batch_size": 1}, "negatives"),
        (["lonely"], {"loss": "own-negatives"}, "negatives"),
        (["unpaired"], {}, "negatives"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(sources: list[str], changes: Any, field: str, toy: Any) -> None:
    lonely = Source.from_rows("lonely", [TrainingRow("a", ("b",)), TrainingRow("c", ("d",))])
    unpaired = replace(lonely, name="unpaired", settings=replace(lonely.settings, task="sts"))
    known = {"toy": toy.source, "lonely": lonely, "unpaired": unpaired}
    with pytest.raises(InputError) as error:
        train(tiny_encoder("bert"), [known[name] for name in sources], replace(QUICK, **changes))
    assert error.value.field == field


def test_a_source_names_its_own_loss(toy: Any) -> None:
    from cosmith.training.objective import spec_of

    own = replace(toy.source, settings=replace(toy.source.settings, loss="gecko"))
    assert spec_of(own, TrainingSettings(loss="classic"), 8) == preset("gecko")
    assert spec_of(toy.source, TrainingSettings(loss="classic"), 8) == preset("classic")
    assert spec_of(toy.source, TrainingSettings(temperature=0.5), 8) == preset("default", temperature=0.5)
    assert spec_of(toy.source, TrainingSettings(loss=preset("gte")), 8) == preset("gte")
