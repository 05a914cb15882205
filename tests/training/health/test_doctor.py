"""Faults put in on purpose, each named by the doctor; and what a run does after one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.data import RaggedTokens, Source, TrainingRow
from cosmith.errors import InputError
from cosmith.losses import StepStructure, contrastive, preset
from cosmith.models import Encoder, tiny_cross_encoder, tiny_encoder
from cosmith.training import TrainingSettings, train, train_reranker, train_with_result
from cosmith.training.contrastive import ContrastiveJob
from cosmith.training.health import Diverged, advise, read_findings, read_history

SETTINGS = TrainingSettings(steps=12, batch_size=8, learning_rate=1e-3, temperature=0.1, precision="float32",
                            checkpoint_every_steps=2)  # fmt: skip


def rows() -> list[TrainingRow]:
    return [TrainingRow(f"ask {n} now", (f"the answer is {n * 7}",), (f"not {n}",)) for n in range(40)]


SOURCE = Source.from_rows("asked", rows())


def failed(encoder: Encoder, folder: Path, source: Source = SOURCE, **changes: Any) -> tuple[Diverged, str]:
    """The error of a run that fails, and the page on it."""
    with pytest.raises(Diverged) as error:
        train(encoder, [source], replace(SETTINGS, **changes), folder=folder)
    assert error.value.path is not None
    return error.value, Path(error.value.path).read_text(encoding="utf-8")


def test_a_weight_that_is_no_number(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    name = "backbone.encoder.layer.1.output.dense.weight"
    with torch.no_grad():
        encoder.module.get_parameter(name)[3, 5] = float("nan")
    error, page = failed(encoder, tmp_path)
    assert f"weight `{name}` holds a number that is none" in error.problem
    assert "step 1 " in error.problem
    assert "(not sound) " in page
    place = tmp_path / "health" / "step-1"
    assert [finding.check for finding in read_findings(place)] == [
        "raw_batch", "repeat", "forward", "loss_ingredients", "backward", "ranges", "in_float32",
        "with_smaller_changes",
    ]  # fmt: skip
    batch = json.loads((place / "batch.json").read_text())
    assert any("a query of row" in text for text in batch["texts"])
    assert {"weights.safetensors", "batch.json", "findings.json"} <= {file.name for file in place.iterdir()}
    forward = next(finding for finding in read_findings(place) if finding.check == "forward")
    assert "encoder.layer.1.output.dense" in forward.answer
    assert re.search(r"gave nan of inputs \S", forward.answer)


def test_the_name_of_a_spoilt_weight_is_told_as_it_is(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    name = "backbone.encoder.layer.1.output.LayerNorm.bias"
    with torch.no_grad():
        encoder.module.get_parameter(name)[3] = float("nan")
    failed(encoder, tmp_path)
    ranges = next(each for each in read_findings(tmp_path / "health" / "step-1") if each.check == "ranges")
    assert ranges.answer.startswith(f"The weight `{name}` is not finite")


def with_the_logarithm_of_nothing(embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
    return contrastive(embeddings, structure, preset("default")) + (embeddings * 0).sum().abs().log()


def with_a_root_of_squares(embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
    """The square root of 0 is a number, its derivative is not."""
    spoilt = (embeddings - embeddings.detach()).sum().square().sqrt()
    return contrastive(embeddings, structure, preset("default")) + spoilt


def test_the_logarithm_of_nothing_in_a_loss(tmp_path: Path) -> None:
    error, page = failed(tiny_encoder("bert"), tmp_path, loss=with_the_logarithm_of_nothing, temperature=None)
    assert "most likely cause: the loss: `log` gave -inf" in error.problem
    assert "logsumexp" in page


def test_a_derivative_that_is_none(tmp_path: Path) -> None:
    error, _ = failed(tiny_encoder("bert"), tmp_path, loss=with_a_root_of_squares, temperature=None)
    assert "the gradient of step 1" in error.problem
    assert "the derivative of `" in error.problem


def test_float16_that_overflows(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    layer = encoder.module.get_submodule("backbone.encoder.layer.0.intermediate.dense")
    with torch.no_grad():
        layer.bias.fill_(200.0)

    class InHalf(torch.nn.Module):
        """Squares what it gets, in float16."""

        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return (self.inner(states).half() ** 2 * 2).float()

    encoder.module.get_submodule("backbone.encoder.layer.0.intermediate").dense = InHalf(layer)
    error, page = failed(encoder, tmp_path)
    assert "left the range of float16" in error.problem
    assert "backbone.encoder.layer.0.intermediate.dense" in error.problem
    assert "bf16" in page


def test_a_text_without_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers above never let one through, so it is put in below them; what it gives is made no number."""
    tokenize, embed = Encoder.tokenize, Encoder.embed

    def emptied(self: Encoder, texts: list[str], **options: Any) -> RaggedTokens:
        tokens = tokenize(self, texts, **options)
        keep = np.array([text != "ask 5 now" for text in texts])
        lengths = np.where(keep, tokens.lengths, 0)
        values = tokens.values[np.repeat(keep, tokens.lengths)]
        return RaggedTokens(values, np.concatenate([[0], np.cumsum(lengths)]), tokens.full_lengths)

    def spoilt(self: Encoder, tokens: RaggedTokens, **options: Any) -> torch.Tensor:
        full = np.flatnonzero(tokens.lengths)
        vectors = torch.full((len(tokens), self.dimension), float("nan"))
        return vectors.index_copy(0, torch.as_tensor(full), embed(self, tokens.take(full), **options))

    monkeypatch.setattr(Encoder, "tokenize", emptied)
    monkeypatch.setattr(Encoder, "embed", spoilt)
    error, page = failed(tiny_encoder("bert"), tmp_path)
    assert "the data: a query of row 5 of 'asked', 'ask 5 now' has no token" in error.problem
    assert "leave out that row" in page


def scored(spoilt: float) -> Source:
    """Rows with a score for each text; that of row 5's negative is this one, as in files that have changed."""
    source = Source.from_rows("asked", [replace(row, scores=(2.0, -1.0)) for row in rows()])
    assert source.scores is not None
    scores = source.scores.copy()
    scores[11] = spoilt
    return replace(source, arrays=replace(source.arrays, scores=scores))


@pytest.mark.parametrize("spoilt", [float("inf"), float("nan")])
def test_a_score_that_is_no_number(tmp_path: Path, spoilt: float) -> None:
    with pytest.raises(Diverged) as error:
        train_reranker(tiny_cross_encoder("bert"), [scored(spoilt)], SETTINGS, loss="score-kl", folder=tmp_path)
    assert f"the data: a negative of row 5 of 'asked', 'not 5' has the score {spoilt}" in error.value.problem
    assert error.value.path is not None
    place = Path(error.value.path).with_suffix("")
    first = read_findings(place)[0]
    assert (first.check, first.sound) == ("raw_batch", False)


@pytest.mark.parametrize("loss", ["score-kl", "cosent"])
def test_a_score_that_is_no_number_comes_into_no_loss_of_encoders(tmp_path: Path, loss: str) -> None:
    with pytest.raises(InputError, match="a negative of row 5 of 'asked', 'not 5' has the score inf"):
        train(tiny_encoder("bert"), [scored(float("inf"))], replace(SETTINGS, loss=loss), folder=tmp_path)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize(("warmup", "watch_every"), [(0.0, 10), (0.1, 10), (0.1, None)])
def test_a_learning_rate_that_is_far_too_high(
    tmp_path: Path, warmup: float, watch_every: int | None, precision: str
) -> None:
    """What fails first differs by precision and by the steps before, which may not have been looked at."""
    changes = {"learning_rate": 1e3, "warmup": warmup, "watch_every": watch_every, "precision": precision}
    error, page = failed(tiny_encoder("bert"), tmp_path, steps=24, **changes)
    assert "most likely cause: the learning rate of 1e+03, with which the weights have blown up" in error.problem
    assert "times their size" in page
    assert 1e-7 < float(re.search(r"Try (\S+),", page)[1]) < 1e-2
    assert {each.rule for each in advise(read_history(tmp_path))} >= ({"too_fast"} if watch_every else set())


def test_a_learning_rate_that_is_far_too_high_where_no_step_fails(tmp_path: Path) -> None:
    train(tiny_encoder("qwen3"), [SOURCE], replace(SETTINGS, learning_rate=1e3), folder=tmp_path)
    told = {each.rule: each for each in advise(read_history(tmp_path))}
    assert told["too_fast"].says.startswith("Learning rate too high: one step changed the weights of")


def test_a_high_learning_rate_is_not_blamed_for_what_fails_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ContrastiveJob.work

    def work(self: ContrastiveJob, step: int, *arguments: Any) -> Any:
        made = whole(self, step, *arguments)
        spoilt = lambda embeddings: made.loss(embeddings) + (embeddings * 0).sum().abs().log()  # noqa: E731
        return replace(made, loss=spoilt) if step == 3 else made

    monkeypatch.setattr(ContrastiveJob, "work", work)
    error, page = failed(tiny_encoder("bert"), tmp_path, learning_rate=0.3, warmup=0.0)
    assert "most likely cause: the loss: `log` gave -inf" in error.problem
    assert "with the weights that training began with, too" in page


def breaking(at: set[int]) -> Callable[..., Any]:
    """``ContrastiveJob.loss``, but without a number the first time that these steps (from 1) are taken."""
    whole, seen = ContrastiveJob.work, set()

    def work(self: ContrastiveJob, step: int, *arguments: Any) -> Any:
        made = whole(self, step, *arguments)
        if step + 1 in at and step not in seen:
            return replace(made, loss=lambda embeddings: made.loss(embeddings) * float("nan"))
        return made

    return work


def test_skipping_leaves_the_step_out_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContrastiveJob, "work", breaking({3, 7}))
    settings = replace(SETTINGS, on_divergence="skip")
    result = train_with_result(tiny_encoder("bert"), [SOURCE], settings, folder=tmp_path)
    assert result.steps == 12
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "skipped" in line] == [3, 7]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 4, 5, 6, 8, 9, 10, 11, 12]
    assert (tmp_path / "health" / "step-3.md").is_file()
    weights = torch.cat([value.flatten() for value in result.encoder.module.parameters()])
    assert bool(torch.isfinite(weights).all())


def test_skipping_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContrastiveJob, "work", breaking(set(range(1, 13))))
    with pytest.raises(Diverged, match="step 11 "):
        train(tiny_encoder("bert", hidden=8, layers=1), [SOURCE], replace(SETTINGS, on_divergence="skip"))


def test_restarting_goes_back_at_half_the_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    whole = ContrastiveJob.work

    def once(self: ContrastiveJob, step: int, *arguments: Any) -> Any:
        made = whole(self, step, *arguments)
        if self.settings.on_divergence == "restart" and step == 6 and "healed" not in marks:
            return replace(made, loss=lambda embeddings: made.loss(embeddings) * float("nan"))
        calls.append(step)
        return made

    marks: list[str] = []
    rewind = __import__("cosmith.training.journal", fromlist=["Journal"]).Journal.rewind

    def healing(self: Any, progress: Any) -> None:
        marks.append("healed")
        rewind(self, progress)

    monkeypatch.setattr("cosmith.training.journal.Journal.rewind", healing)
    monkeypatch.setattr(ContrastiveJob, "work", once)
    settings = replace(SETTINGS, on_divergence="restart", schedule="constant", warmup=0.0)
    result = train_with_result(tiny_encoder("bert"), [SOURCE], settings, folder=tmp_path)
    assert result.steps == 12
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    rates = [line["learning_rate"] for line in lines]
    assert rates == [1e-3] * 6 + [5e-4] * 6
    assert marks == ["healed"]
