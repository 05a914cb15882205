"""What the commands that evaluate say of training texts that stand in a test set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from cosmith.cli.contestants import BM25, is_run
from cosmith.cli.manner import Manner
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.evaluation import EvaluationTask
    from cosmith.recipes import ModelContamination

STRICT_OPTION = typer.Option(
    "--strict", help="Refuse a Cosmith model that was trained on a test set, or whose training texts are gone."
)


def checked(
    models: Mapping[str, str], tasks: Sequence[EvaluationTask], manner: Manner, *, strict: bool
) -> list[ModelContamination]:
    """Hold the tasks against what each model was trained on, and say once what cannot be known.

    Args:
        models: Model, as it was given → what to call it; BM25 and runs of other systems are passed over.
        tasks: The test sets.
        manner: How to say so.
        strict: Refuse a model that was trained on one.

    Raises:
        InputError: With ``strict``, in this case.
    """
    from cosmith.recipes import check_contamination

    try:
        found = [
            check_contamination(model, tasks, name=name, strict=strict)
            for model, name in models.items()
            if model != BM25 and not is_run(model)
        ]
    except InputError as error:
        raise InputError(error.problem, path=error.path, field="--strict", remedy=error.remedy) from error
    for each in found:
        if (limits := each.limits()) is not None:
            manner.note(limits)
    return found


def lines_of(found: Iterable[ModelContamination], task: str) -> list[str]:
    """What to say beside the scores on a task."""
    return [line for each in found if (line := each.line(task)) is not None]


def contamination_value(found: Iterable[ModelContamination], task: str | None = None) -> dict[str, Any]:
    """The same for machines, of one task or of all."""
    return {"contamination": [each.values(task) for each in found]}
