"""`cosmith compress vocabulary`: a model with the tokens that some texts need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosmith.cli.compress.smaller import (
    ColumnOption,
    ModelArgument,
    OutputOption,
    SeedOption,
    TasksOption,
    make_smaller,
)


def vocabulary(
    context: typer.Context,
    model: ModelArgument,
    texts: Annotated[
        list[Path],
        typer.Option("--texts", help="Texts of all kinds and languages that it will read. Several files, if need be."),
    ],
    output: OutputOption,
    column: ColumnOption = "auto",
    tasks: TasksOption = None,
    seed: SeedOption = 0,
) -> None:
    """Leave out the tokens that none of your texts uses; these texts keep their vectors, exactly.

    Special tokens, single characters and bytes stay, so that other texts can be read, too. How often texts to come will
    be cut otherwise is told by a twentieth of the texts that is held out for it.

    Example: cosmith compress vocabulary multilingual-model --texts german.txt --texts english.txt --output smaller
    """
    stage = {"kind": "prune-vocabulary"}
    make_smaller(context, model, output, stage, texts=texts, column=column, tasks=tasks or [], seed=seed)
