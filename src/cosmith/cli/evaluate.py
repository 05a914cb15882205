"""`cosmith evaluate`: how good a model is on a test set, and whether it is better than another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.texts import rejected_value, require_used, task_cut, warn_of_rejected
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.data import Collection, StsPairs
    from cosmith.evaluation import Scores
    from cosmith.models import Encoder


def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model folder, a packaged model's name, or a Hugging Face id.")],
    tasks: Annotated[
        list[Path],
        typer.Option("--task", help="A BEIR folder, or a file of scored text pairs. May be given several times."),
    ],
    split: Annotated[str, typer.Option("--split", help="Which qrels/SPLIT.tsv of a BEIR folder.")] = "test",
    against: Annotated[str | None, typer.Option("--against", help="A model to compare with, query by query.")] = None,
    bm25: Annotated[bool, typer.Option("--bm25", help="Show BM25 beside it.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A folder for the scores as JSON.")] = None,
    dim: Annotated[int | None, typer.Option("--dim", help="Compare the first DIM numbers only.")] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", help="What stands for {task} in prompts. Default: the folder's cosmith.json."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 0,
    precision: Annotated[str, typer.Option("--precision", help="auto, float32 or bf16.")] = "auto",
) -> None:
    """Score a model, with bootstrap intervals over the queries.

    Example: cosmith evaluate runs/python-docs/train/model --against all-MiniLM-L6-v2 --task runs/python-docs/data/test
    """
    from cosmith.atomic import require_writable
    from cosmith.data import Collection
    from cosmith.evaluation import evaluate_bm25, evaluate_retrieval, evaluate_sts
    from cosmith.recipes.artefacts import load_encoder

    manner = manner_of(context)
    _require_two(model, against)
    _require_different(tasks, output)
    if output is not None:
        require_writable(output)
    read = {path: read_task(path, split, output, manner) for path in tasks}  # all, before any work is done
    if instruction is not None:
        read = {path: replace(task, instruction=instruction) for path, task in read.items()}
    pairs = next((path for path, task in read.items() if not isinstance(task, Collection)), None)
    if bm25 and pairs is not None:
        raise InputError("BM25 cannot be scored on text pairs", path=pairs, remedy="Leave --bm25 out.")
    names = _names([each for each in (against, model) if each is not None])
    encoders = {each: load_encoder(each, precision, name) for each, name in names.items()}
    require_used(instruction or "", "query", *encoders.values())

    def score(encoder: Encoder, task: Collection | StsPairs, name: str) -> Scores:
        if isinstance(task, Collection):
            return evaluate_retrieval(encoder, task, dim=dim, seed=seed)
        return evaluate_sts(encoder, task, name=name, dim=dim, seed=seed)

    for path, task in read.items():
        name = path.resolve().name
        scores = [score(encoder, task, name) for encoder in encoders.values()]
        cut = [each for encoder in encoders.values() for each in task_cut(encoder, task, manner)]
        if bm25 and isinstance(task, Collection):
            scores.append(evaluate_bm25(task, seed=seed))
        if output is not None:
            for each in scores:
                each.to_json(output / f"{name}--{each.model.replace('/', '-')}.json")
        value = _as_json(path, scores) | {"cut": cut} | rejected_value(task.rejected, rejected_file(path, output))
        manner.result(scores[0].table(*scores[1:]) + "\n", value)


def read_task(path: Path, split: str, output: Path | None, manner: Manner) -> Collection | StsPairs:
    """A task by what it looks like: a folder is a collection, a file holds scored pairs."""
    from cosmith.data import Collection, read_sts

    put_aside = rejected_file(path, output)
    task: Collection | StsPairs
    if path.is_dir():
        task = Collection.read_beir(path, split=split, rejected=put_aside)
    else:
        task = read_sts(path, rejected=put_aside)
    warn_of_rejected(task.rejected, put_aside, manner, otherwise="cosmith evaluate --output FOLDER writes them down")
    return task


def rejected_file(path: Path, output: Path | None) -> Path | None:
    """Where the rows of a task that cannot be used are written down; nowhere without a folder for the scores."""
    return None if output is None else output / f"{path.resolve().name}.rejected.jsonl"


def _require_two(model: str, against: str | None) -> None:
    """Refuse to compare a model with itself, which would say nothing."""
    if against is not None and (
        model == against or (Path(model).is_dir() and Path(model).resolve() == Path(against).resolve())
    ):
        raise InputError("is the model itself", path=against, field="--against", remedy="Name another model.")


def _require_different(tasks: list[Path], output: Path | None) -> None:
    """Refuse tasks whose scores would take each other's place."""
    names = [path.resolve().name for path in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if output is not None and twice is not None:
        remedy = "Rename one of them, or give each a command and a folder of its own."
        raise InputError(f"two tasks are called {twice!r}", field="--task", remedy=remedy)


def _names(models: list[str]) -> dict[str, str]:
    """What to call each model: its short name, or the whole one where the short ones are the same."""
    short = {model: _short(model) for model in models}
    return short if len(set(short.values())) == len(short) else {model: model for model in models}


def _short(name: str) -> str:
    """A model's name in tables: of a folder called `model` the folder above it, too."""
    path = Path(name)
    return "/".join(path.parts[-2:]) if path.name == "model" else path.name


def _as_json(path: Path, scores: list[Scores]) -> dict[str, object]:
    models = [
        {
            "model": each.model,
            "main": each.main,
            "values": dict(each.values),
            "intervals": {metric: [interval.low, interval.high] for metric, interval in each.intervals.items()},
        }
        for each in scores
    ]
    differences = []
    for other in scores[1:]:
        found = other.compare(scores[0])
        differences.append(
            {"model": other.model, "over": scores[0].model, "metric": found.metric, "difference": found.difference,
             "low": found.interval.low, "high": found.interval.high, "p_value": found.p_value}
        )  # fmt: skip
    return {"task": str(path), "models": models, "differences": differences}
