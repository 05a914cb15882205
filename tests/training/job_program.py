"""What each of several ranks does with every kind of job; test_jobs_on_ranks.py runs it, and does the same on one rank.

Run as ``python job_program.py FOLDER``, with the environment that ``torchrun`` gives.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from cosmith.data import Source, TrainingRow
from cosmith.errors import CosmithError
from cosmith.models import LateInteractionEncoder, SparseEncoder, initialise, tiny_cross_encoder, tiny_encoder
from cosmith.training import (
    Interrupted,
    TrainingResult,
    TrainingSettings,
    divergence,
    train_late_interaction,
    train_reranker,
    train_sparse,
    train_with_result,
)
from cosmith.training import run as running
from cosmith.training.contrastive import prepare
from cosmith.training.distributed import Ranks, is_sharded, start_ranks
from cosmith.training.health import Diverged
from cosmith.training.optimisation import adamw
from cosmith.training.pretraining import pretrain_with_result
from cosmith.training.settings import Sharding
from cosmith.training.sharding import shard
from cosmith.training.step import add_gradients

WORDS = ["".join("abcdefgh"[(number >> shift) & 7] for shift in (0, 3, 6)) for number in range(0, 500, 17)]
ROWS = [TrainingRow(word * (1 + n % 4), (word[::-1],), (WORDS[n - 1], WORDS[n - 2])) for n, word in enumerate(WORDS)]
SOURCE = Source.from_rows("words", ROWS)
TRIPLETS = Source.from_rows("triplets", [replace(row, negatives=row.negatives[:1]) for row in ROWS])
TEXTS = [f"{word} lies behind {word[::-1]}" for word in WORDS]
SETTINGS = TrainingSettings(
    steps=3, batch_size=5, learning_rate=3e-4, precision="float32", micro_batch_tokens=24, clip=0.5, evaluate_every=2,
    strategy="direct", checkpoint_every_steps=1, watch_every=1, interpolate=False,
)  # fmt: skip

Run = Callable[[TrainingSettings, Path, Callable[[Any], float]], TrainingResult[Any]]


def contrastive(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """A decoder with a projection, which is no part of the backbone."""
    return train_with_result(tiny_encoder("qwen3", projection=24), [SOURCE], settings, folder=folder, dev=dev)


def dropped(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """With dropout, gradient caching, recomputed layers, a rate for each layer, and vectors in lower dimensions."""
    settings = replace(
        settings, strategy="cached", gradient_checkpointing=True, layer_decay=0.9, frozen_layers=1, dims=(8,)
    )
    return train_with_result(tiny_encoder("bert", dropout=0.2), [SOURCE], settings, folder=folder, dev=dev)


def adapted(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """With an adapter, and on so few texts that a rank has none left when the other still has one."""
    settings = replace(settings, adapter="lora", adapter_rank=4, learning_rate=3e-3, batch_size=1, keep_best=False)
    return train_with_result(tiny_encoder("qwen3"), [TRIPLETS], settings, folder=folder, dev=dev)


def reranker(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """A classifier of pairs, with its pooler; the result is looked for between the base and the best weights."""
    settings = replace(settings, interpolate=(0.5,))
    return train_reranker(tiny_cross_encoder("bert"), [SOURCE], settings, folder=folder, dev=dev)


def words_reranker(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """A language model that says yes or no, its words tied."""
    return train_reranker(tiny_cross_encoder("qwen3"), [SOURCE], settings, folder=folder, dev=dev)


def sparse(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """A sparse encoder, whose head shares the embeddings."""
    base = SparseEncoder.from_encoder(tiny_encoder("bert"))
    return train_sparse(base, [SOURCE], settings, folder=folder, dev=dev)


def late(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """Late interaction: a vector for each token, so that ranks gather many for a text."""
    base = LateInteractionEncoder.from_encoder(tiny_encoder("bert"), dimension=16)
    return train_late_interaction(base, [SOURCE], settings, folder=folder, dev=dev)


def masked(settings: TrainingSettings, folder: Path, dev: Callable[[Any], float]) -> TrainingResult[Any]:
    """Hidden words, guessed by a head of which the encoder knows nothing."""
    base = initialise(TEXTS, vocabulary=300, layers=2, hidden=32, heads=4, max_length=32, dropout=0.1, backbone="bert")
    return pretrain_with_result(base, TEXTS, settings, folder=folder, dev=dev)


JOBS: dict[str, Run] = {run.__name__: run for run in (contrastive, dropped, adapted, reranker, words_reranker, sparse,
                                                      late, masked)}  # fmt: skip
TAKEN: dict[Sharding, Sequence[str]] = {
    "none": ("contrastive", "reranker", "sparse", "late", "masked"),
    "full": tuple(JOBS),
}
RESUMED: dict[Sharding, Sequence[str]] = {"none": ("reranker", "sparse", "masked"), "full": ("dropped", "masked")}


def moved(model: Any) -> float:
    """A score that training raises: how far norms are from 1 and biases from 0. It cannot be asked of a model in
    pieces, which cannot be copied."""
    weights = [value.double() for value in model.copy().module.state_dict().values() if value.ndim == 1]
    return float(sum((value - value.round()).abs().sum() for value in weights))


def tensors(name: str, result: TrainingResult[Any]) -> dict[str, torch.Tensor]:
    """All that ranks are compared by."""
    found = {f"{name}/{key}": value.clone() for key, value in result.encoder.module.state_dict().items()}
    assert result.base_score is not None
    assert result.best_score is not None
    mixed = [mixture.score for mixture in result.mixtures]
    return found | {f"{name}/scores": torch.tensor([result.base_score, result.best_score, *mixed])}


class Stops:
    """A score that cannot be worked out the second time, so that the run ends behind its first checkpoint."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, model: Any) -> float:
        self.calls += 1
        if self.calls == 2:
            raise FileNotFoundError("the development set is gone")
        return moved(model)


def stopped(run: Run, settings: TrainingSettings, folder: Path) -> None:
    """Begin a run that ends after a few steps."""
    try:
        run(settings, folder, Stops())
    except (CosmithError, FileNotFoundError):
        return
    raise AssertionError("it should have ended")


def refused(settings: TrainingSettings, folder: Path) -> str:
    """What is said of a checkpoint that the first rank cannot write."""
    folder.mkdir(exist_ok=True)
    (folder / "checkpoints").write_text("in the way")
    try:
        contrastive(settings, folder, moved)
    except CosmithError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("it should have ended")


def held(joined: Ranks) -> list[int]:
    """How many numbers a rank holds of weights, gradients and optimizer state after a step, and how many one alone."""
    counts = []
    for sharded in (True, False):
        job = prepare(tiny_encoder("qwen3"), [SOURCE], SETTINGS)
        ranks = replace(joined, sharded=sharded)
        if sharded:
            shard(job, ranks)
        optimizer = adamw(job.module, learning_rate=1e-3, weight_decay=0.0)
        add_gradients(job, 0, ranks)
        optimizer.step()
        states = [value for state in optimizer.state.values() for kind, value in state.items() if kind != "step"]
        parameters = list(job.module.parameters())
        kept = [*parameters, *(each.grad for each in parameters if each.grad is not None), *states]
        counts.append(sum((each.to_local() if is_sharded(each) else each).numel() for each in kept))
    return counts


def poisoned(settings: TrainingSettings, folder: Path) -> str:
    """What is said of a weight that is no number, after going back to the checkpoint did not help."""
    base = tiny_encoder("bert")
    divergence._MOST_RESTARTS = 1
    with torch.no_grad():
        base.module.get_parameter("backbone.encoder.layer.1.output.dense.weight")[0, 0] = torch.nan
    try:
        train_with_result(base, [SOURCE], replace(settings, on_divergence="restart"), folder=folder)
    except Diverged as trouble:
        return str(trouble)
    raise AssertionError("it should have ended")


def interrupted(settings: TrainingSettings, folder: Path, rank: int) -> str:
    """What is said when one rank is told to stop, at a moment when it does not share a step."""
    has_ended = running.Run.has_ended

    def signalled(run: Any, progress: Any) -> bool:
        if rank == 1 and progress.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return has_ended(run, progress)

    running.Run.has_ended = signalled  # type: ignore[method-assign]
    try:
        contrastive(settings, folder, moved)
    except Interrupted as error:
        return str(error)
    finally:
        running.Run.has_ended = has_ended  # type: ignore[method-assign]
    raise AssertionError("it should have ended")


def everything(joined: Ranks, sharding: Sharding, place: Path) -> None:
    """All that is compared, into a folder."""
    place.mkdir(exist_ok=True)
    chosen = replace(SETTINGS, sharding=sharding)
    found: dict[str, torch.Tensor] = {}
    for name in TAKEN[sharding]:
        found |= tensors(name, JOBS[name](chosen, place / name, moved))
    for name in RESUMED[sharding]:
        stopped(JOBS[name], chosen, place / f"{name}-stopped")
        found |= tensors(f"resumed {name}", JOBS[name](chosen, place / f"{name}-stopped", moved))
    stopped(contrastive, chosen, place / "left")
    save_file(found, place / f"rank-{joined.rank}.safetensors")
    said = {"refused": refused(chosen, place / "refused"), "poisoned": poisoned(chosen, place / "poisoned")}
    said["interrupted"] = interrupted(chosen, place / "interrupted", joined.rank)
    (place / f"rank-{joined.rank}.json").write_text(json.dumps(said | {"held": held(joined)}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    started, _ = start_ranks(torch.device("cpu"))
    for choice in TAKEN:
        everything(started, choice, Path(sys.argv[1]) / choice)
