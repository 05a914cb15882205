"""`cosmith train`: a file of pairs in, a better model out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from types import MappingProxyType
from typing import Annotated, Any

import typer

from cosmith.cli.manner import manner_of
from cosmith.cli.run import run_loaded, same_command
from cosmith.cli.texts import beside, require_apart, require_used
from cosmith.errors import ColumnError, InputError

_OPTIONS = {"path": "--pairs", "base": "--model", "max_document_length": "--max-length", "ratio": "--negatives"}
"""The options of the recipe's keys, where they are called otherwise."""
_REMEDIES = {"--negatives": "Train without them: --negatives 0."}
"""What to do, where the recipe's remedy names keys that have no option."""
_WITHOUT_STAGE = ("base", "seed", "max_document_length")
"""Keys that errors name by themselves."""


def train(
    context: typer.Context,
    pairs: Annotated[
        Path, typer.Option("--pairs", help="A query and its answer a row: a file, a folder, hf:OWNER/NAME.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the new model.")],
    model: Annotated[
        str, typer.Option("--model", help="Where to start: a folder, a packaged model's name, a Hugging Face id.")
    ] = "all-MiniLM-L6-v2",
    query: Annotated[str, typer.Option("--query", help="The column of the queries.")] = "auto",
    positive: Annotated[str, typer.Option("--positive", help="The column of the answers.")] = "auto",
    instruction: Annotated[
        str, typer.Option("--instruction", help="What the queries ask for: stands for {task} in the model's prompts.")
    ] = "",
    epochs: Annotated[float, typer.Option("--epochs", help="How often each row is taken.")] = 1.0,
    steps: Annotated[int | None, typer.Option("--steps", help="How many steps, in place of epochs.")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Rows a step.")] = 64,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="The highest rate.")] = 2e-5,
    max_length: Annotated[
        int | None, typer.Option("--max-length", help="Tokens at which answers are cut; default: the model's.")
    ] = None,
    negatives: Annotated[int, typer.Option("--negatives", min=0, help="Hard negatives a row to mine.")] = 1,
    dev: Annotated[float, typer.Option("--dev", help="Share of the queries to watch; 0 for none.")] = 0.1,
    seed: Annotated[int, typer.Option("--seed", help="Of the split, the order and the dropout.")] = 0,
) -> None:
    """Fine-tune on your pairs. On the queries held out for it, the result is never worse than the model it began with.

    Checkpoints, metrics and mined negatives go to OUTPUT.run; interrupted, the same command goes on from there.
    `cosmith run pairs` does the same with a test set, comparison, index and report.

    Example: cosmith train --pairs pairs.jsonl --model all-MiniLM-L6-v2 --output tuned
    """
    from cosmith.recipes import is_follower, load_recipe
    from cosmith.recipes.artefacts import load_encoder

    run = beside(output, ".run")
    for place in (output, run):
        require_apart(place, model, pairs)
    if output.exists() and not (output.is_dir() and (not any(output.iterdir()) or (output / "lineage.json").is_file())):
        raise InputError(
            "exists and is not a model that Cosmith trained", path=output, field="--output",
            remedy="Choose another folder; this one would be replaced.",
        )  # fmt: skip
    length = {"steps": steps} if steps is not None else {"epochs": epochs}
    stages: dict[str, Any] = {
        "data": {
            "kind": "source",
            "path": str(pairs),
            "query": query,
            "positive": positive,
            "instruction": instruction,
            "dev": dev,
            "test": 0.0,
        }
    }
    if negatives:
        stages["mined"] = {"kind": "mine", "source": "data.train", "negatives": negatives}
    stages["estimate"] = {"kind": "estimate", "train": "train"}
    stages["train"] = {
        "kind": "train", "sources": "mined" if negatives else "data.train", "dev": ["data.dev"] if dev else [],
        "batch_size": batch_size, "learning_rate": learning_rate, "max_document_length": max_length, **length,
    }  # fmt: skip
    recipe = {"name": "train", "base": model, "seed": seed, "stages": stages}
    manner = manner_of(context)
    with told_of_recipe():
        if instruction:
            require_used(instruction, "query", load_encoder(model, "auto"))
        run_loaded(load_recipe(as_document(recipe)), run, manner, again=same_command())
    if is_follower():
        return
    copy_model(run / "train" / "model", output)
    text = (
        f"The model is in {output}, how it came about in {run}. Make documents searchable with it: cosmith index"
        f" {quote(str(output))} documents.jsonl --output documents.index"
    )
    manner.result(text, {"model": str(output)})


@contextmanager
def told_of_recipe(options: Mapping[str, str] = MappingProxyType(_OPTIONS)) -> Iterator[None]:
    """Tell what is wrong in the recipe behind a command by the option that says it.

    Args:
        options: A recipe's key → the option, where it is called otherwise.
    """
    try:
        yield
    except InputError as error:
        stage, _, key = (error.field or "").rpartition(".")
        if not stage.startswith("stages.") and key not in _WITHOUT_STAGE:
            raise
        option = options.get(key, f"--{key.replace('_', '-')}")
        if isinstance(error, ColumnError):
            if key in ("query", "positive"):
                raise error.told_as(option, f"{option} ") from error
            remedy = f"Call the right one {key!r}, which goes before the others."
            raise InputError(error.problem, path=error.path, remedy=remedy) from error
        told = _REMEDIES.get(option, error.remedy) if stage == "stages.mined" else error.remedy
        raise InputError(error.problem, path=error.path, field=option, remedy=told) from error


def as_document(recipe: dict[str, Any]) -> Any:
    """A recipe made in memory, as the text that a user could have written."""
    import yaml

    from cosmith.recipes import parse_document

    return parse_document(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True))


def copy_model(source: Path, target: Path) -> None:
    """Copy a model folder as a whole or not at all."""
    from cosmith.atomic import atomic_folder

    with atomic_folder(target) as place:
        shutil.copytree(source, place, dirs_exist_ok=True)
