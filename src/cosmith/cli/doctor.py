"""`cosmith doctor`: what the figures of a run say, and why a step of it failed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cosmith.cli.manner import manner_of
from cosmith.errors import InputError


def doctor(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="The folder of a run, of one of its training stages, or of a model.")],
) -> None:
    """Say whether training went well, and if not, why: read from what the run wrote down.

    Example: cosmith doctor runs/python-docs
    """
    from cosmith.phrases import counted
    from cosmith.training.health import advise, read_history

    told, found = [], []
    for folder in training_folders(run):
        history, pages = read_history(folder), sorted((folder / "health").glob("step-*.md"), key=_step)
        advice = advise(history)
        head = f"{folder}: {counted(len(history.steps), 'step')}, {counted(len(history.evaluations), 'evaluation')}"
        told += [head, *(f"  - {each.describe()}" for each in advice)]
        if not advice and not pages:
            told.append(f"  Nothing speaks against it ({counted(len(history.watched), 'step')} looked at closely).")
        for page in pages:
            told += ["", f"{page}:", *("  " + line for line in page.read_text(encoding="utf-8").splitlines())]
        found.append(
            {"folder": str(folder), "steps": len(history.steps), "advice": [asdict(each) for each in advice],
             "diagnoses": [str(page) for page in pages]}
        )  # fmt: skip
    manner_of(context).result("\n".join(told), {"runs": found})


def training_folders(run: Path) -> list[Path]:
    """The folders of a run that training wrote its metrics into, in the order in which they were written.

    Raises:
        InputError: When there is none.
    """
    for place in (run, run.with_name(f"{run.name}.run")):  # `cosmith train` puts the run beside the model
        found = (
            [place] if (place / "metrics.jsonl").is_file() else [each.parent for each in place.glob("*/metrics.jsonl")]
        )
        if found:
            return sorted(found, key=lambda folder: (folder / "metrics.jsonl").stat().st_mtime)
    raise InputError("no training has written metrics here", path=run,
                     remedy="Give the folder of a run that trains, runs/NAME, or of one of its stages.")  # fmt: skip


def _step(page: Path) -> int:
    return int(page.stem.removeprefix("step-"))
