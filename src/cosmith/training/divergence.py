"""What a run does when a step has no finite loss or gradient."""

from __future__ import annotations

from dataclasses import replace

from cosmith.training.checkpoint import Progress
from cosmith.training.health import Case, Diverged, History, diagnose, read_history, write_diagnosis
from cosmith.training.journal import Journal
from cosmith.training.run import Model, Run
from cosmith.training.step import StepCount

_MOST_SKIPPED, _MOST_RESTARTS = 10, 5  # after so many, something is wrong that neither mends


def diagnosed(run: Run[Model], progress: Progress, done: StepCount, norm: float | None, rate: float) -> Diverged:
    """Why a step failed; with a folder it is written there, with all that the step consisted of."""
    what = f"the loss of step {progress.step + 1} (source {done.source!r}) is {done.loss}"
    if norm is not None:
        what = f"the gradient of step {progress.step + 1} (source {done.source!r}) has the norm {norm}"
    pieces = run.pieces
    pieces.gather()
    if not run.ranks.is_first:
        run.ranks.wait()  # a launcher ends all processes with the first that ends
        return Diverged(what, remedy="The first process says why.")
    history = History([], []) if run.folder is None else read_history(run.folder)
    case = Case(pieces.whole, progress.step, run.base, pieces.whole_optimizer, rate, history)
    try:
        diagnosis = diagnose(case, done.loss, norm)
        page = None if run.folder is None else write_diagnosis(run.folder, case, diagnosis, progress)
    finally:
        pieces.drop_state()
        run.ranks.wait()
    found = diagnosis.explanation
    if found is None:
        return Diverged(what, path=page, remedy="No cause could be named.")
    return Diverged(f"{what}; most likely cause: {found.cause}", path=page, remedy=found.remedy)


def treated(trouble: Diverged, run: Run[Model], progress: Progress, journal: Journal) -> tuple[Progress, str]:
    """Go on after a step that failed, as the settings say; what was decided is part of the progress, so that a
    continued run decides alike."""
    settings = run.job.settings
    if settings.on_divergence == "skip" and progress.skipped < _MOST_SKIPPED:
        progress = replace(progress, step=progress.step + 1, skipped=progress.skipped + 1)
        run.ranks.together(lambda: journal.write(progress.step, {"skipped": trouble.problem}), run.job.device)
        return progress, "skipped: no finite loss or gradient"
    if settings.on_divergence == "restart" and run.folder is not None and progress.restarts < _MOST_RESTARTS:
        restarts = progress.restarts + 1
        progress = replace(run.resume(), restarts=restarts, seconds=progress.seconds)
        run.ranks.wait()
        run.save(progress)
        run.ranks.together(lambda: journal.rewind(progress), run.job.device)
        return progress, f"back to step {progress.step} at {0.5**restarts:g} of the rate"
    raise trouble
