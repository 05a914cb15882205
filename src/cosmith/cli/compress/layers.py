"""`cosmith compress layers`: a model with fewer transformer layers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosmith.cli.compress.smaller import (
    BatchOption,
    ColumnOption,
    EpochsOption,
    LengthOption,
    ModelArgument,
    OutputOption,
    SeedOption,
    StepsOption,
    TasksOption,
    make_smaller,
)
from cosmith.errors import InputError


def layers(
    context: typer.Context,
    model: ModelArgument,
    keep: Annotated[
        str, typer.Option("--keep", help="How many layers stay, spread evenly; or which, from 0, e.g. 0,2,5.")
    ],
    output: OutputOption,
    texts: Annotated[
        list[Path] | None,
        typer.Option("--texts", help="Texts like yours, to learn the model's vectors on. Several files, if need be."),
    ] = None,
    column: ColumnOption = "auto",
    tasks: TasksOption = None,
    steps: StepsOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchOption = 64,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="The highest rate.")] = 5e-4,
    max_length: LengthOption = None,
    seed: SeedOption = 0,
) -> None:
    """Leave out layers of a model, and train what is left to give your texts the vectors that the whole one gave them.

    A twentieth of the texts is held out, and the vectors of both models compared on it before and after the training;
    --task tells the change of a test set's score, with its interval. Checkpoints go to OUTPUT.run; interrupted, the
    same command goes on from there. Without --texts the layers are left out and nothing is trained.

    Example: cosmith compress layers all-MiniLM-L6-v2 --keep 3 --texts texts.txt --task my-test-set --output small
    """
    stage = {
        "kind": "drop-layers", "layers": layers_of(keep), "steps": steps, "epochs": epochs, "batch_size": batch_size,
        "learning_rate": learning_rate, "max_document_length": max_length,
    }  # fmt: skip
    make_smaller(context, model, output, stage, texts=texts or [], column=column, tasks=tasks or [], seed=seed)


def layers_of(keep: str) -> int | list[int]:
    """``6`` as how many; ``0,2,5``, or ``3,`` of a single one, as which.

    Raises:
        InputError: It is neither.
    """
    try:
        numbers = [int(part) for part in keep.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0 or ("," not in keep and numbers == [0]):
        raise InputError(f"{keep!r} says no layers", field="--keep",
                         remedy="Say how many, e.g. 6, or which, counted from 0, e.g. 0,2,5.")  # fmt: skip
    return numbers if "," in keep else numbers[0]
