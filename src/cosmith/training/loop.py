"""Training, from top to bottom: plan → assemble → embed → loss → step → log → evaluate → checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from cosmith.data import Source
from cosmith.errors import CosmithError
from cosmith.models import Encoder
from cosmith.progress import track
from cosmith.training.checkpoint import BestWeights, Checkpoints, Progress
from cosmith.training.contrastive import prepare
from cosmith.training.distributed import ALONE, Ranks, start_ranks
from cosmith.training.health import Case, Diverged, diagnose, write_diagnosis
from cosmith.training.interruption import Interrupted, Interruption
from cosmith.training.journal import Journal
from cosmith.training.merging import Mixed, best_interpolation
from cosmith.training.optimisation import adamw, clip_gradients, learning_rate, set_learning_rate
from cosmith.training.result import TrainingResult
from cosmith.training.settings import TrainingSettings
from cosmith.training.step import Job, StepCount, add_gradients

Dev = Callable[[Encoder], float]

_MOST_SKIPPED, _MOST_RESTARTS = 10, 5  # after so many, something is wrong that neither mends


def train(
    encoder: Encoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    folder: str | Path | None = None,
    dev: Dev | None = None,
) -> Encoder:
    """Fine-tune an encoder; :func:`train_with_result` without the story.

    Example::

        tuned = train(Encoder.load("all-MiniLM-L6-v2"), [source], TrainingSettings(epochs=1), folder="runs/first")
    """
    return train_with_result(encoder, sources, settings, folder=folder, dev=dev).encoder


def train_with_result(
    encoder: Encoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    folder: str | Path | None = None,
    dev: Dev | None = None,
) -> TrainingResult:
    """Fine-tune an encoder and tell what came of it.

    Args:
        encoder: Where to start; it is left as it is.
        sources: The rows. Each step takes its rows from one of them.
        settings: How to train.
        folder: Where checkpoints and metrics go. If it holds a checkpoint of the same run, training goes on there
            and ends with the weights of an undisturbed run. None: nothing is written.
        dev: The score of an encoder on a development set, higher is better. Called before the first step, along the
            way and at the end; by its scores the best weights are chosen.

    Returns:
        The new encoder in evaluation mode, and how it came to be.

    Raises:
        InputError: When settings and sources do not fit, or the folder holds another run.
        Interrupted: On Ctrl-C or termination, after a checkpoint was written.
        CosmithError: When the loss, the gradient or a score is not a finite number.
    """
    settings = settings or TrainingSettings()
    place = None if folder is None else Path(folder)
    ranks, device = start_ranks(encoder.device)
    tuned = encoder.copy().to(device)
    job = prepare(tuned, sources, settings, place)
    identity = {
        "settings": settings.identity(),
        # by place: the plan draws by the number of a source, so another order is another run
        "sources": {f"{place}. {source.name}": source.fingerprint() for place, source in enumerate(sources, start=1)},
        "model": encoder.fingerprint(),
    }
    ranks.check_same("model, sources and settings", repr(identity), device)
    return run_job(job, encoder, identity, ranks=ranks, folder=place, dev=dev)


def run_job(
    job: Job,
    base: Encoder,
    identity: Mapping[str, Any],
    *,
    ranks: Ranks = ALONE,
    folder: Path | None = None,
    dev: Dev | None = None,
) -> TrainingResult:
    """Take all steps of a job, whatever its kind, and choose the weights to end with.

    Args:
        job: What is trained, on what; its weights are changed.
        base: The encoder as it was, one end of the interpolation.
        identity: What a continuation of the run must have in common, as JSON values by part.
        ranks: The processes that share the run.
        folder: As in :func:`train_with_result`.
        dev: Likewise.

    Raises:
        InputError, Interrupted, CosmithError: Likewise.
    """
    settings, place, device = job.settings, folder, job.device
    optimizer = adamw(job.module, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)
    checkpoints = Checkpoints(
        place,
        job.module,
        optimizer,
        identity,
        every_steps=settings.checkpoint_every_steps,
        every_seconds=settings.checkpoint_every_seconds,
        writes=ranks.is_first,
    )
    generators = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with generators, Interruption() as interruption:
        run = _Run(job, optimizer, dev, BestWeights(place), checkpoints, interruption, ranks, place, base)
        try:
            progress = _take_steps(run, checkpoints.resume())
            ranks.wait()  # until the first has written the best weights
            result = _finish(run, base, progress)
        except KeyboardInterrupt:
            raise Interrupted(
                "training was interrupted" + (f" after step {checkpoints.step} of {job.steps}" if place else ""),
                path=place,
                remedy="Run the same again and it goes on from there." if place else "Without a folder it is lost.",
            ) from None
    if place is not None and ranks.is_first:
        result.write(place)
    return result


@dataclass(frozen=True)
class _Run:
    """What the steps of a run share."""

    job: Job
    optimizer: torch.optim.Optimizer
    dev: Dev | None
    best: BestWeights
    checkpoints: Checkpoints
    interruption: Interruption
    ranks: Ranks
    folder: Path | None
    base: Encoder

    def evaluates(self, progress: Progress) -> bool:
        """Whether the weights are to be scored before the next step."""
        every = self.job.settings.evaluate_every or max(1, self.job.steps // 10)
        due = progress.step % every == 0 or progress.step == self.job.steps
        return self.dev is not None and due and progress.evaluated != progress.step

    def has_ended(self, progress: Progress) -> bool:
        """Whether all steps are done, or patience has run out."""
        patience = self.job.settings.patience
        return progress.step == self.job.steps or (patience is not None and progress.without_gain >= patience)

    def score(self, encoder: Encoder) -> float:
        """The development score; with several ranks the first one's, on all of them.

        Raises:
            CosmithError: When it is not a finite number, or the first rank could not work it out.
        """
        value, failure = 0.0, None
        if self.ranks.is_first and self.dev is not None:
            # No other rank may be left waiting: with several of them a signal has to wait for the evaluation, and so
            # has an error until they know of it.
            with self.interruption.deferred() if self.ranks.world > 1 else nullcontext():
                try:
                    value = float(self.dev(encoder))
                except Exception as error:
                    failure = error
        if self.ranks.any(failure is not None, self.job.device):
            raise failure or CosmithError("the first process could not score the development set", field="dev",
                                          remedy="It says why.")  # fmt: skip
        value = self.ranks.from_first(value, self.job.device)
        if not math.isfinite(value):
            raise CosmithError(f"the development score is {value}", field="dev",
                               remedy="It must be a finite number, higher for a better encoder.")  # fmt: skip
        return value

    def save(self, progress: Progress) -> None:
        """Write a checkpoint; a signal waits until it stands."""
        with self.interruption.deferred():
            self.checkpoints.save(progress)


def _take_steps(run: _Run, progress: Progress) -> Progress:
    """All steps, from where the run stands to its end."""
    clock = time.monotonic() - progress.seconds
    run.job.module.train()
    if run.job.settings.on_divergence == "restart":
        run.save(progress)  # there must be something to go back to
    first = run.ranks.is_first  # who speaks and writes
    with (
        Journal(run.folder if first else None, progress) as journal,
        track("Training", run.job.steps if first else 0, "steps") as bar,
    ):
        bar.advance(progress.step)
        try:
            while True:
                if run.evaluates(progress):
                    progress = _evaluate(run, progress, journal)
                progress = replace(progress, seconds=time.monotonic() - clock)
                if run.has_ended(progress):
                    break
                if run.checkpoints.are_due(progress):
                    run.save(progress)
                with run.interruption.deferred():
                    before = progress.step
                    try:
                        metrics = _take_step(run, progress)
                    except Diverged as trouble:
                        progress, status = _treat(trouble, run, progress, journal)
                    else:
                        progress = replace(progress, step=progress.step + 1, skipped=0)
                        journal.write(progress.step, metrics)
                        status = _status(metrics, progress)
                bar.advance(progress.step - before, status)
                if run.ranks.any(run.interruption.requested, run.job.device):
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            if not run.interruption.torn:  # else the weights are those of no step, and the last checkpoint stands
                run.save(replace(progress, seconds=time.monotonic() - clock))
            raise
    run.save(progress)
    return progress


def _take_step(run: _Run, progress: Progress) -> dict[str, float | str]:
    """Do the next step and say how it went.

    Raises:
        Diverged: When its loss or gradient is not finite; the weights are those before it.
    """
    started = time.monotonic()
    job, settings, module, step = run.job, run.job.settings, run.job.module, progress.step
    rate = learning_rate(
        step,
        peak=settings.learning_rate,
        schedule=settings.schedule,
        steps=job.steps,
        warmup=round(settings.warmup * job.steps),
        decay=round(settings.decay * job.steps),
    )
    rate *= 0.5**progress.restarts
    set_learning_rate(run.optimizer, rate)
    run.optimizer.zero_grad(set_to_none=True)
    done = add_gradients(job, step, run.ranks)
    norm = clip_gradients(module, settings.clip) if math.isfinite(done.loss) else None
    if norm is None or not math.isfinite(norm):
        raise _diagnosed(run, progress, done, norm, rate)
    run.optimizer.step()
    seconds = time.monotonic() - started
    return {
        "source": done.source,
        "epoch": done.epoch,
        "loss": done.loss,
        "learning_rate": rate,
        "gradient_norm": norm,
        "pairs_per_second": done.rows / seconds,
        "tokens_per_second": done.tokens / seconds,
        "seconds": seconds,
    }


def _diagnosed(run: _Run, progress: Progress, done: StepCount, norm: float | None, rate: float) -> Diverged:
    """Why a step failed; with a folder it is written there, with all that the step consisted of."""
    what = f"the loss of step {progress.step + 1} (source {done.source!r}) is {done.loss}"
    if norm is not None:
        what = f"the gradient of step {progress.step + 1} (source {done.source!r}) has the norm {norm}"
    if not run.ranks.is_first:
        run.ranks.wait()  # a launcher ends all processes with the first that ends
        return Diverged(what, remedy="The first process says why.")
    case = Case(run.job, progress.step, run.base, run.optimizer, rate)
    try:
        diagnosis = diagnose(case, done.loss, norm)
        page = None if run.folder is None else write_diagnosis(run.folder, case, diagnosis, progress)
    finally:
        run.ranks.wait()
    found = diagnosis.explanation
    if found is None:
        return Diverged(what, path=page, remedy="No cause could be named.")
    return Diverged(f"{what}; most likely cause: {found.cause}", path=page, remedy=found.remedy)


def _treat(trouble: Diverged, run: _Run, progress: Progress, journal: Journal) -> tuple[Progress, str]:
    """Go on after a step that failed, as the settings say; what was decided is part of the progress, so that a
    continued run decides alike."""
    settings = run.job.settings
    if settings.on_divergence == "skip" and progress.skipped < _MOST_SKIPPED:
        progress = replace(progress, step=progress.step + 1, skipped=progress.skipped + 1)
        journal.write(progress.step, {"skipped": trouble.problem})
        return progress, "skipped: no finite loss or gradient"
    if settings.on_divergence == "restart" and run.folder is not None and progress.restarts < _MOST_RESTARTS:
        restarts = progress.restarts + 1
        progress = replace(run.checkpoints.resume(), restarts=restarts, seconds=progress.seconds)
        run.ranks.wait()
        run.checkpoints.save(progress)
        journal.rewind(progress)
        return progress, f"back to step {progress.step} at {0.5**restarts:g} of the rate"
    raise trouble


def _evaluate(run: _Run, progress: Progress, journal: Journal) -> Progress:
    """Score the weights as they are; keep them if they are the best so far."""
    step, module = progress.step, run.job.module
    module.eval()
    value = run.score(run.job.encoder)
    module.train()
    progress = replace(progress, evaluated=step, score=value)
    if step == 0:
        progress = replace(progress, base_score=value)
    elif progress.best_score is not None and value <= progress.best_score:
        progress = replace(progress, without_gain=progress.without_gain + 1)
    else:
        if run.job.settings.keep_best and (run.ranks.is_first or run.folder is None):
            run.best.keep(module, step)
        progress = replace(progress, best_score=value, best_step=step, without_gain=0)
    journal.write(step, {"dev": value})
    return progress


def _finish(run: _Run, base: Encoder, progress: Progress) -> TrainingResult:
    """Choose the weights to end with."""
    settings, tuned = run.job.settings, run.job.encoder
    run.job.module.eval()
    mixtures: tuple[Mixed, ...] = ()
    alpha = 1.0
    if run.dev is not None and progress.base_score is not None and progress.best_score is not None:
        known = {0.0: progress.base_score}
        if settings.keep_best:
            run.best.put_back(run.job.module, progress.best_step)
            known[1.0] = progress.best_score
        grid = settings.interpolation_grid or ((0.0, 1.0) if settings.keep_best else ())
        if grid:
            tuned, mixtures = best_interpolation(base, tuned, run.score, grid, known)
            alpha = max(mixtures, key=lambda mixed: (mixed.score, -mixed.alpha)).alpha
    return TrainingResult(
        encoder=tuned,
        steps=progress.step,
        stopped_early=progress.step < run.job.steps,
        base_score=progress.base_score,
        best_score=progress.best_score,
        best_step=progress.best_step,
        mixtures=mixtures,
        alpha=alpha,
        seconds=progress.seconds,
    )


def _status(metrics: Mapping[str, float | str], progress: Progress) -> str:
    dev = "" if progress.score is None else f"  dev {progress.score:.4f}"
    rate = f"{metrics['pairs_per_second']:,.1f} rows/s"
    return f"loss {metrics['loss']:.3f}  {rate}  lr {metrics['learning_rate']:.1e}{dev}"
