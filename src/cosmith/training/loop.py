"""The loop, from top to bottom: plan → assemble → embed → loss → step → log → evaluate → checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from cosmith.atomic import write_json
from cosmith.models import Encoder, Trainable
from cosmith.progress import track
from cosmith.training.checkpoint import BestWeights, Checkpoints, Progress
from cosmith.training.distributed import ALONE, Ranks
from cosmith.training.divergence import diagnosed, treated
from cosmith.training.health import (
    FACTS,
    HEALTH,
    Before,
    Diverged,
    Parameters,
    is_snapshot_step,
    layer_groups,
    take_snapshot,
)
from cosmith.training.interruption import Interrupted, Interruption
from cosmith.training.journal import Journal, Value
from cosmith.training.memory import return_free_memory
from cosmith.training.merging import Mixed, best_interpolation
from cosmith.training.optimisation import adamw, clip_gradients, layer_factors, learning_rate, set_learning_rate
from cosmith.training.remining import MinedRows
from cosmith.training.result import TrainingResult
from cosmith.training.run import Run, Score
from cosmith.training.sharding import Pieces, shard, twin_of
from cosmith.training.step import Job, add_gradients
from cosmith.training.tuning import as_before, trained

Model = TypeVar("Model", bound=Trainable)


def run_job(
    job: Job[Model],
    base: Model,
    identity: Mapping[str, Any],
    *,
    ranks: Ranks = ALONE,
    folder: Path | None = None,
    dev: Score[Model] | None = None,
    general: Score[Model] | None = None,
    used_by_loss: Sequence[torch.nn.Parameter] = (),
    rate_factors: Mapping[str, float] | None = None,
    mined: MinedRows | None = None,
) -> TrainingResult[Model]:
    """Take all steps of a job, whatever its kind, and choose the weights to end with.

    Args:
        job: What is trained, on what; its weights are changed.
        base: The model as it was, one end of the interpolation.
        identity: What a continuation of the run must have in common, as JSON values by part.
        ranks: The processes that share the run.
        folder: As in :func:`train_with_result`.
        dev, general: Likewise.
        used_by_loss: Parameters of the backbone that the job's loss computes with.
        rate_factors: What the learning rate is multiplied with for some parameters of the job, by their names.
        mined: The job's Sources, where they are mined along the way.

    Raises:
        InputError, Interrupted, CosmithError: Likewise.
    """
    settings, place, device = job.settings, folder, job.device
    start, base = base, job.encoder.copy() if settings.adapter else base
    ranks = replace(ranks, sharded=settings.sharding == "full" and ranks.world > 1)
    whole = job
    if ranks.sharded:
        whole = twin_of(job)
        shard(job, ranks, used_by_loss)
    optimizer = _optimizer(job, rate_factors or {})
    pieces = Pieces(job, optimizer, whole, _optimizer(whole, rate_factors or {}) if ranks.sharded else optimizer, ranks)
    checkpoints = Checkpoints(
        place,
        whole.module,
        pieces.whole_optimizer,
        identity,
        every_steps=settings.checkpoint_every_steps,
        every_seconds=settings.checkpoint_every_seconds,
        writes=ranks.is_first,
    )
    generators = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    if place is not None:
        known = {**job.facts, "settings": {**settings.identity(), "interpolate": bool(settings.interpolation_grid)}}
        ranks.together(lambda: write_json(place / HEALTH / FACTS, known) if ranks.is_first else None, device)
    with generators, Interruption() as interruption:
        best = BestWeights(place)
        run = Run(job, optimizer, pieces, dev, general, best, checkpoints, interruption, ranks, place, base, mined)
        try:
            progress = _take_steps(run, run.resume())
            ranks.wait()  # until the first has written the best weights
            result = _finish(run, base, progress)
            as_before(result.encoder, start, settings)
        except KeyboardInterrupt:
            raise Interrupted(
                "training was interrupted" + (f" after step {checkpoints.step} of {job.steps}" if place else ""),
                path=place,
                remedy="Run the same again and it goes on from there." if place else "Without a folder it is lost.",
            ) from None
    if place is not None:
        ranks.together(lambda: result.write(place) if ranks.is_first else None, device)
    return result


def _optimizer(job: Job[Trainable], rate_factors: Mapping[str, float]) -> torch.optim.Optimizer:
    settings, named = job.settings, dict(job.module.named_parameters())
    return adamw(
        job.module,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        factors=layer_factors(job.encoder, settings.layer_decay)
        | {named[name]: factor for name, factor in rate_factors.items()},
    )


def _take_steps(run: Run[Model], progress: Progress) -> Progress:
    """All steps, from where the run stands to its end."""
    clock = time.monotonic() - progress.seconds
    return_free_memory()
    run.job.module.train()
    groups, probe = layer_groups(run.job.module), run.job.probe
    if run.job.settings.on_divergence == "restart":
        run.save(progress)  # there must be something to go back to
    first, device = run.ranks.is_first, run.job.device  # the first speaks and writes
    with (
        # a signal that only some ranks have heard of would leave the others waiting
        run.interruption.deferred() if run.ranks.world > 1 else nullcontext(),
        run.ranks.together(lambda: Journal(run.folder if first else None, progress), device) as journal,
        track("Training", run.job.steps if first else 0, "steps") as bar,
    ):
        bar.advance(progress.step)
        try:
            while True:
                if run.evaluates(progress):
                    progress = _evaluate(run, progress, journal)
                    return_free_memory()
                ended = run.has_ended(progress)
                if probe and run.folder is not None and (ended or is_snapshot_step(progress.step, run.job.steps)):
                    _take_snapshot(run, run.folder, progress)
                progress = replace(progress, seconds=time.monotonic() - clock)
                if ended:
                    break
                if run.checkpoint_is_due(progress):
                    run.save(progress)
                if run.mined is not None and run.mined.is_due(progress.step):
                    progress = _bring_rows(run, run.mined, progress)
                with run.interruption.deferred():
                    before = progress.step
                    try:
                        metrics = _take_step(run, progress, groups)
                    except Diverged as trouble:
                        progress, status = treated(trouble, run, progress, journal)
                    else:
                        progress = replace(progress, step=progress.step + 1, skipped=0)
                        run.ranks.together(partial(journal.write, progress.step, metrics), device)
                        status = _status(metrics, progress)
                bar.advance(progress.step - before, status)
                if run.ranks.any(run.interruption.requested, device):
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            if not run.interruption.torn:  # else the weights are those of no step, and the last checkpoint stands
                run.save(replace(progress, seconds=time.monotonic() - clock))
            raise
    run.save(progress)
    return progress


def _bring_rows(run: Run[Model], mined: MinedRows, progress: Progress) -> Progress:
    """Put the rows in place that the next step is to work on."""
    with run.pieces.scoring() as whole:
        assert isinstance(whole.encoder, Encoder)  # others are given none that are mined along the way
        mined.bring(progress.step, whole.encoder, run.ranks, run.job.device)
    return_free_memory()
    return replace(progress, mined=mined.name)


def _take_step(run: Run[Model], progress: Progress, groups: Parameters) -> dict[str, Value]:
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
    watched = run.watches(progress)
    done = add_gradients(job, step, run.ranks, look=watched)
    before = Before.of(groups) if watched else None
    norm = clip_gradients(module, settings.clip) if math.isfinite(done.loss) else None
    if norm is None or not math.isfinite(norm):
        raise diagnosed(run, progress, done, norm, rate)
    run.optimizer.step()
    seconds = time.monotonic() - started
    metrics: dict[str, Value] = {
        "source": done.source,
        "epoch": done.epoch,
        "loss": done.loss,
        "learning_rate": rate,
        "gradient_norm": norm,
        "pairs_per_second": done.rows / seconds,
        "tokens_per_second": done.tokens / seconds,
        "seconds": seconds,
    }
    return metrics if before is None else metrics | dict(done.figures) | dict(before.figures())


def _evaluate(run: Run[Model], progress: Progress, journal: Journal) -> Progress:
    """Score the weights as they are; keep them if they are the best so far."""
    step, ranks, device = progress.step, run.ranks, run.job.device
    with run.pieces.scoring() as whole:
        value = run.score(whole.encoder)
        scores = {"dev": value}
        if run.general is not None:
            scores["general"] = run.scored(whole.encoder, run.general, "general")
    progress = replace(progress, evaluated=step, score=value)
    if step == 0:
        progress = replace(progress, base_score=value)
    elif progress.best_score is not None and value <= progress.best_score:
        progress = replace(progress, without_gain=progress.without_gain + 1)
    else:
        if run.job.settings.keep_best:
            keeps = ranks.is_first or run.folder is None
            ranks.together(lambda: run.best.keep(whole.module, step) if keeps else None, device)
        progress = replace(progress, best_score=value, best_step=step, without_gain=0)
    ranks.together(lambda: journal.write(step, scores), device)
    return progress


def _take_snapshot(run: Run[Model], folder: Path, progress: Progress) -> None:
    """Write down where the texts that are followed lie now."""

    def write() -> None:
        assert isinstance(whole.encoder, Encoder)  # others have no texts to follow
        with run.job.compute_in():
            take_snapshot(folder, whole.encoder, run.job.probe, progress.step)

    with run.pieces.scoring() as whole:
        run.ranks.together(lambda: write() if run.ranks.is_first else None, run.job.device)


def _finish(run: Run[Model], base: Model, progress: Progress) -> TrainingResult[Model]:
    """Choose the weights to end with."""
    run.pieces.gather_weights()
    settings, whole = run.job.settings, run.pieces.whole
    whole.module.to(run.job.device)
    whole.module.eval()
    tuned = whole.encoder
    mixtures: tuple[Mixed, ...] = ()
    alpha = 1.0
    final_score = progress.best_score if settings.keep_best else progress.score  # the last step is always scored
    if run.dev is not None and progress.best_score is not None and settings.keep_best:
        run.best.put_back(whole.module, progress.best_step)
    base, tuned = trained(base, settings), trained(tuned, settings)
    if run.dev is not None and progress.base_score is not None and progress.best_score is not None:
        known = {0.0: progress.base_score} | ({1.0: progress.best_score} if settings.keep_best else {})
        grid = settings.interpolation_grid or ((0.0, 1.0) if settings.keep_best else ())
        if grid:
            tuned, mixtures = best_interpolation(base, tuned, run.score, grid, known)
            kept = max(mixtures, key=lambda mixed: (mixed.score, -mixed.alpha))
            alpha, final_score = kept.alpha, kept.score
    return TrainingResult(
        encoder=tuned,
        steps=progress.step,
        stopped_early=progress.step < run.job.steps,
        base_score=progress.base_score,
        best_score=progress.best_score,
        best_step=progress.best_step,
        final_score=final_score,
        mixtures=mixtures,
        alpha=alpha,
        seconds=progress.seconds,
    )


def _status(metrics: Mapping[str, Value], progress: Progress) -> str:
    dev = "" if progress.score is None else f"  dev {progress.score:.4f}"
    rate = f"{metrics['pairs_per_second']:,.1f} rows/s"
    return f"loss {metrics['loss']:.3f}  {rate}  lr {metrics['learning_rate']:.1e}{dev}"
