"""A loss of the user's own: what it gets, what it may be, and how a run that goes on knows it again."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import InputError
from cosmith.losses import CustomSpec, StepStructure, loss_of, loss_spec
from cosmith.models import Encoder, SparseEncoder, tiny_encoder
from cosmith.training import Interrupted, TrainingSettings, train, train_sparse
from cosmith.training.contrastive import ContrastiveJob, prepare
from cosmith.training.step import add_gradients

ROWS = [TrainingRow(f"ask {n}", (f"told {n * 7} so",), scores=(n / 16,)) for n in range(16)]
SOURCE = Source.from_rows("asked", ROWS)
SETTINGS = TrainingSettings(
    steps=4, batch_size=8, learning_rate=1e-3, precision="float32", micro_batch_tokens=30, watch_every=1
)


def in_batch(embeddings: torch.Tensor, structure: StepStructure, temperature: float = 0.05) -> torch.Tensor:
    """InfoNCE with in-batch negatives, as a user would write it."""
    scores = embeddings[structure.query] @ embeddings[structure.positives].T / temperature
    return torch.nn.functional.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


def of_scores(embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
    """The mean squared error of the cosines of rows with one positive."""
    cosines = (embeddings[structure.query] * embeddings[structure.positives]).sum(1)
    assert structure.positive_score is not None
    return (cosines - structure.positive_score).square().mean()


@dataclass(frozen=True)
class InBatch:
    """The same as an object."""

    temperature: float = 0.05

    def __call__(self, embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
        return in_batch(embeddings, structure, self.temperature)


def gradients(job: ContrastiveJob) -> tuple[float, dict[str, torch.Tensor]]:
    module = job.encoder.module.train()
    module.zero_grad()
    loss = add_gradients(job, 0).loss
    return loss, {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(("mine", "theirs"), [(in_batch, "classic"), (of_scores, "cosine-mse")])
def test_it_trains_as_the_built_in_loss_of_the_same_formula(mine: Any, theirs: str) -> None:
    encoder = tiny_encoder("bert")
    settings = replace(SETTINGS, dims=(16,), quantise=("int8",))
    loss, expected = gradients(prepare(encoder, [SOURCE], replace(settings, loss=theirs)))
    other, got = gradients(prepare(encoder, [SOURCE], replace(settings, loss=mine)))
    assert other == pytest.approx(loss, rel=1e-5)
    largest = max(float(each.abs().max()) for each in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(got[name], gradient, rtol=1e-4, atol=1e-5 * largest)


def after_the_teacher(embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
    """Scores like those of a model of another width."""
    assert structure.teacher is not None
    ours, theirs = embeddings @ embeddings.T, structure.teacher @ structure.teacher.T
    return (ours - theirs).square().mean()


def test_a_teacher_is_asked_where_it_needs_one() -> None:
    encoder, teacher = tiny_encoder("bert", hidden=16), tiny_encoder("qwen3", hidden=24)
    settings = replace(SETTINGS, loss=CustomSpec(after_the_teacher, needs=frozenset({"teacher"})))
    with pytest.raises(InputError, match=r"no teacher's vectors, which its loss '.*after_the_teacher' needs"):
        train(encoder, [SOURCE], settings)
    job = prepare(encoder, [SOURCE], settings, teacher=teacher)
    loss, found = gradients(job)
    assert loss > 0
    assert any(bool(each.any()) for each in found.values())


def test_cached_is_direct() -> None:
    encoder = tiny_encoder("bert", dropout=0.2)
    make = lambda how: prepare(encoder, [SOURCE], replace(SETTINGS, loss=in_batch, strategy=how))  # noqa: E731
    assert len(make("cached").micro_batches(make("cached").batch(0)[1])) > 2
    loss, expected = gradients(make("direct"))
    other, got = gradients(make("cached"))
    assert other == loss
    assert all(torch.equal(got[name], expected[name]) for name in expected)


def test_the_shares_of_ranks_add_up() -> None:
    structure = StepStructure.of(query=[0, 2, 4], positives=[1, 3, 5], positive_row=[0, 1, 2], text=range(6))
    embeddings = torch.nn.functional.normalize(torch.randn(6, 8, dtype=torch.float64), dim=1)
    spec = CustomSpec(in_batch)
    parts = [loss_of(embeddings, structure, spec, rows=rows) for rows in (slice(0, 2), slice(2, 3))]
    assert float(sum(parts)) == pytest.approx(float(in_batch(embeddings, structure)), rel=1e-12)


def test_a_source_that_names_its_own_keeps_it() -> None:
    graded = Source.from_rows("graded", ROWS, SourceSettings(loss="cosine-mse"))
    job = prepare(tiny_encoder("bert", hidden=8), [SOURCE, graded], replace(SETTINGS, loss=in_batch))
    assert job.specs == (CustomSpec(in_batch), loss_spec("cosine-mse"))
    with pytest.raises(InputError, match=r"no name, and a source is written.*TrainingSettings\(loss"):
        SourceSettings(loss=in_batch)  # type: ignore[arg-type]


SAVED = replace(SETTINGS, evaluate_every=2, interpolate=False, keep_best=False)


def stop(encoder: Encoder, loss: Any, folder: Path) -> None:
    """Begin a run and end it after two of its four steps."""
    calls = iter((False, True))

    def dev(_: Encoder) -> float:
        if next(calls):
            os.kill(os.getpid(), signal.SIGTERM)
        return 0.0

    with pytest.raises(Interrupted):
        train(encoder, [SOURCE], replace(SAVED, loss=loss), folder=folder, dev=dev)


@pytest.mark.parametrize("loss", [in_batch, partial(in_batch, temperature=0.1), InBatch(0.1)])
def test_a_run_goes_on_with_it_and_with_no_other(loss: Any, tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", hidden=8, layers=1)
    whole = train(encoder, [SOURCE], replace(SAVED, loss=loss), dev=lambda _: 0.0)
    stop(encoder, loss, tmp_path)
    for other in (of_scores, partial(in_batch, temperature=0.2), InBatch(0.2), "classic"):
        with pytest.raises(InputError, match="begun with other settings"):
            train(encoder, [SOURCE], replace(SAVED, loss=other), folder=tmp_path, dev=lambda _: 0.0)
    resumed = train(encoder, [SOURCE], replace(SAVED, loss=loss), folder=tmp_path, dev=lambda _: 0.0)
    assert resumed.fingerprint() == whole.fingerprint()


TEXT = """
def mine(embeddings, structure):
    return {} * embeddings[structure.query].square().mean()
"""


def test_a_function_that_was_rewritten_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is the same; comments and line breaks do not count."""

    def read(version: int, text: str) -> CustomSpec:
        (tmp_path / f"version_{version}.py").write_text(text)
        spec = importlib.util.spec_from_file_location("written", tmp_path / f"version_{version}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "written", module)
        spec.loader.exec_module(module)
        found = CustomSpec(module.mine)
        found.require_known()
        return found

    first, commented, other = (
        read(number, text)
        for number, text in enumerate((TEXT.format(1), TEXT.format("1") + "    # nothing more\n", TEXT.format(2)))
    )
    assert first.name == "written.mine"
    assert first.identity() == commented.identity()
    assert first.identity() != other.identity()


def inner() -> Callable[..., torch.Tensor]:
    def local(embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
        return in_batch(embeddings, structure)

    return local


class Holder:
    def mine(self, embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
        return in_batch(embeddings, structure)


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        (lambda embeddings, structure: in_batch(embeddings, structure), "at the top of a file"),
        (inner(), "at the top of a file"),
        (Holder().mine, "more than plain values"),
        (partial(in_batch, temperature=torch.tensor(0.05)), "more than plain values"),
    ],
)
def test_what_cannot_be_known_again_is_refused_a_folder(loss: Any, problem: str, tmp_path: Path) -> None:
    encoder = tiny_encoder("bert", hidden=8, layers=1)
    with pytest.raises(InputError, match=f"known again when the run goes on: .*{problem}.*train without a folder"):
        train(encoder, [SOURCE], replace(SETTINGS, loss=loss), folder=tmp_path)
    assert not list(tmp_path.iterdir())
    tuned = train(encoder, [SOURCE], replace(SETTINGS, loss=loss))
    assert tuned.fingerprint() == train(encoder, [SOURCE], replace(SETTINGS, loss=in_batch)).fingerprint()


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        (lambda embeddings, structure: 1.0, "gives 1.0"),
        (lambda embeddings, structure: embeddings.sum(1), r"gives a tensor \[16\]"),
        (lambda embeddings, structure: embeddings.detach().sum(), "has no gradient"),
        (torch.nn.Linear(32, 1), "weights of its own"),
        (InBatch, "there is no loss"),
        (3, "there is no loss 3"),
        (CustomSpec(in_batch, needs=frozenset({"negatives"})), "no negatives, which its loss '.*in_batch' needs"),
    ],
)
def test_what_is_no_loss_is_refused(loss: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        train(tiny_encoder("bert"), [SOURCE], replace(SETTINGS, loss=loss))


def test_what_else_does_not_go_with_it() -> None:
    with pytest.raises(InputError, match="has no temperature"):
        train(tiny_encoder("bert"), [SOURCE], replace(SETTINGS, loss=in_batch, temperature=0.1))
    with pytest.raises(InputError, match=r"there is no need 'negative'\. Did you mean 'negatives'"):
        CustomSpec(in_batch, needs=frozenset({"negative"}))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a sparse encoder does not learn by '.*in_batch'"):
        train_sparse(SparseEncoder.from_encoder(tiny_encoder("bert")), [SOURCE], replace(SETTINGS, loss=in_batch))
