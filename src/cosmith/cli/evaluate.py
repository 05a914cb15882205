"""`cosmith evaluate`: how good a model is on a test set, and whether it is better than another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.manner import Manner, manner_of
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
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap.")] = 0,
    precision: Annotated[str, typer.Option("--precision", help="auto, float32 or bf16.")] = "auto",
) -> None:
    """Score a model, with bootstrap intervals over the queries.

    Example: cosmith evaluate runs/python-docs/train/model --against all-MiniLM-L6-v2 --task runs/python-docs/data/test
    """
    from cosmith.evaluation import evaluate_bm25, evaluate_retrieval, evaluate_sts
    from cosmith.recipes.artefacts import load_encoder

    manner = manner_of(context)
    read = {path: _read(path, split, output, manner) for path in tasks}  # all, before any work is done
    encoders = {name: load_encoder(name, precision, _short(name)) for name in [against, model] if name is not None}

    def score(encoder: Encoder, task: Collection | StsPairs, name: str) -> Scores:
        from cosmith.data import Collection

        if isinstance(task, Collection):
            return evaluate_retrieval(encoder, task, dim=dim, seed=seed)
        return evaluate_sts(encoder, task, name=name, dim=dim, seed=seed)

    for path, task in read.items():
        name = path.resolve().name
        scores = [score(encoder, task, name) for encoder in encoders.values()]
        if bm25:
            from cosmith.data import Collection

            if not isinstance(task, Collection):
                raise InputError("BM25 cannot be scored on text pairs", path=path, remedy="Leave --bm25 out.")
            scores.append(evaluate_bm25(task, seed=seed))
        if output is not None:
            for each in scores:
                each.to_json(output / f"{name}--{each.model.replace('/', '-')}.json")
        manner.result(scores[0].table(*scores[1:]) + "\n", _as_json(path, scores))


def _read(path: Path, split: str, output: Path | None, manner: Manner) -> Collection | StsPairs:
    """A task by what it looks like: a folder is a collection, a file holds scored pairs."""
    from cosmith.data import Collection, read_sts

    put_aside = None if output is None else output / f"{path.resolve().name}.rejected.jsonl"
    task: Collection | StsPairs
    if path.is_dir():
        task = Collection.read_beir(path, split=split, rejected=put_aside)
    else:
        task = read_sts(path, rejected=put_aside)
    if task.rejected:
        first = task.rejected[0]
        where = f"; they are in {put_aside}" if put_aside else "; --output FOLDER writes them down"
        manner.note(f"{len(task.rejected):,} rows could not be used, e.g. {first.path}:{first.line}: "
                    f"{first.reason}{where}")  # fmt: skip
    return task


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
