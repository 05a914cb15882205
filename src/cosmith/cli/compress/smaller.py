"""What the commands share that make a smaller model: each runs the stage of a recipe that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from cosmith.cli.manner import manner_of
from cosmith.cli.run import run_loaded, same_command
from cosmith.cli.texts import beside, require_apart
from cosmith.cli.train import as_document, copy_model, told_of_recipe
from cosmith.errors import InputError

STAGE = "model"
_OPTIONS = {"path": "--texts", "max_document_length": "--max-length", "layers": "--keep", "base": "MODEL",
            "model": "MODEL"}  # fmt: skip

ModelArgument = Annotated[
    str, typer.Argument(help="A dense model: a folder, a packaged model's name, a Hugging Face id.")
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="The folder of the smaller model.")]
ColumnOption = Annotated[str, typer.Option("--column", help="The column of the texts; auto: found by its name.")]
TasksOption = Annotated[
    list[Path] | None,
    typer.Option("--task", help="A test set on which to tell the loss, as for cosmith evaluate. Several, if need be."),
]
StepsOption = Annotated[int | None, typer.Option("--steps", help="Steps of training on the texts, or --epochs.")]
EpochsOption = Annotated[float | None, typer.Option("--epochs", help="How often each text is taken. Default: once.")]
BatchOption = Annotated[int, typer.Option("--batch-size", help="Texts a step.")]
LengthOption = Annotated[
    int | None, typer.Option("--max-length", help="Tokens at which texts are cut in training; default: the model's.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the order of texts and of what is held out.")]


def make_smaller(
    context: typer.Context,
    model: str,
    output: Path,
    stage: Mapping[str, Any],
    *,
    texts: Sequence[Path],
    column: str,
    tasks: Sequence[Path],
    seed: int,
) -> None:
    """Run a stage that makes a smaller model, in a run beside the output, and copy the model there.

    Args:
        context: Of the command.
        model: What to make it of.
        output: Where to.
        stage: The stage's settings, without texts and tasks.
        texts, column: What it reads, and in which column.
        tasks: Test sets.
        seed: Of the recipe.
    """
    from cosmith.recipes import is_follower, load_recipe
    from cosmith.recipes.trained_on import CARD

    run = beside(output, ".run")
    for place in (output, run):
        require_apart(place, model, *texts, *tasks)
    if output.exists() and not (output.is_dir() and (not any(output.iterdir()) or (output / CARD).is_file())):
        raise InputError(
            "exists and is not a model that Cosmith made", path=output, field="--output",
            remedy="Choose another folder; this one would be replaced.",
        )  # fmt: skip
    stages: dict[str, Any] = {}
    read, measured = [], []
    for number, path in enumerate(texts, start=1):
        read.append(f"texts-{number}")
        stages[read[-1]] = {"kind": "texts", "path": str(path), "column": column}
    for path, name in zip(tasks, _names_of(tasks), strict=True):
        measured.append(name)
        stages[name] = {"kind": "task", "path": str(path)}
    stages[STAGE] = dict(stage) | {"texts": read, "tasks": measured}
    recipe = {"name": "compress", "base": model, "seed": seed, "stages": stages}
    manner = manner_of(context)
    with told_of_recipe(_OPTIONS):
        run_loaded(load_recipe(as_document(recipe)), run, manner, again=same_command())
    if is_follower():
        return
    copy_model(run / STAGE / "model", output)
    text = (
        f"The model is in {output}, how it came about in {run}. How good is it: cosmith evaluate"
        f" {quote(str(output))} --against {quote(model)} --task my-test-set"
    )
    manner.result(text, {"model": str(output)})


def _names_of(tasks: Sequence[Path]) -> list[str]:
    """A name for the stage of each test set, the one of its file or folder as far as a stage can be called so."""
    names: list[str] = []
    for path in tasks:
        stem = path.resolve().name.partition(".")[0]
        plain = "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "-" for each in stem)
        name = plain.strip("-_") or "task"
        while name in (*names, STAGE) or name.startswith("texts-"):
            name += "-task"
        names.append(name)
    return names
