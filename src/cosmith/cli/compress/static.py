"""`cosmith compress static`: a model without layers, which looks its tokens' vectors up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosmith.cli.compress.smaller import (
    ColumnOption,
    EpochsOption,
    ModelArgument,
    OutputOption,
    SeedOption,
    StepsOption,
    TasksOption,
    make_smaller,
)


def static(
    context: typer.Context,
    model: ModelArgument,
    output: OutputOption,
    texts: Annotated[
        list[Path] | None,
        typer.Option("--texts", help="Texts like yours, to learn the model's vectors on. Several files, if need be."),
    ] = None,
    column: ColumnOption = "auto",
    tasks: TasksOption = None,
    dimension: Annotated[int, typer.Option("--dimension", min=1, help="Numbers of a vector.")] = 256,
    smoothing: Annotated[
        float, typer.Option("--smoothing", help="Smaller: frequent tokens count less at the start.")
    ] = 1e-4,
    steps: StepsOption = None,
    epochs: EpochsOption = None,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Texts a step.")] = 256,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="The highest rate.")] = 3e-3,
    seed: SeedOption = 0,
) -> None:
    """Make a static model of another one: a text's vector is the mean of its tokens'. It needs hardly any time.

    It begins with the vectors that the model gives to single tokens, weighted so that frequent ones count less, and
    learns on your texts what the model thinks of them as a whole; its vectors are shortened last. Without --texts it
    stays as it begins.

    Example: cosmith compress static all-MiniLM-L6-v2 --texts texts.txt --task my-test-set --output static
    """
    stage = {
        "kind": "static", "dimension": dimension, "smoothing": smoothing, "steps": steps, "epochs": epochs,
        "batch_size": batch_size, "learning_rate": learning_rate,
    }  # fmt: skip
    make_smaller(context, model, output, stage, texts=texts or [], column=column, tasks=tasks or [], seed=seed)
