"""`cosmith compress plan`: the cheapest form of a model and of its vectors that keeps its quality."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.compare import read_all
from cosmith.cli.contestants import BM25, model_names
from cosmith.cli.manner import manner_of
from cosmith.cli.options import told_by_option
from cosmith.cli.sweeps import lengths_of
from cosmith.cli.texts import require_apart, require_used, task_cut, uses
from cosmith.cli.vectors import CACHE_OPTION, open_vectors, remembering, tell_of_vectors
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.compression import Plan
    from cosmith.evaluation.tasks import EvaluationTask
    from cosmith.models import ReadingEncoder

_OPTIONS = {
    "bytes": "--bytes", "finer_bytes": "--finer-bytes", "latency": "--latency-ms", "memory": "--memory",
    "keep": "--keep", "forms": "--forms", "form": "--forms", "runtimes": "--runtimes", "dims": "--dims",
    "corpus_size": "--corpus-size", "tasks": "--task",
}  # fmt: skip


def plan(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A dense or static model: a folder, a packaged model, a hub id.")],
    tasks: Annotated[
        list[Path], typer.Option("--task", help="A file or folder, as for cosmith evaluate. Several times, if need be.")
    ],
    kept: Annotated[float, typer.Option("--keep", help="The share of the full model's quality to be kept.")] = 0.97,
    document_bytes: Annotated[
        int | None, typer.Option("--bytes", help="The most bytes of a document's vector, in what is searched.")
    ] = None,
    finer_bytes: Annotated[
        int | None,
        typer.Option("--finer-bytes", help="The most bytes of a document's finer copy, on a disk; 0: no rescoring."),
    ] = None,
    latency: Annotated[
        float | None, typer.Option("--latency-ms", help="The most milliseconds to encode a query and search, median.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option("--memory", help="The most megabytes of the model's process and what is searched.")
    ] = None,
    corpus_size: Annotated[
        int, typer.Option("--corpus-size", min=1, help="Documents for which memory and search are told.")
    ] = 1_000_000,
    runtimes: Annotated[
        str | None,
        typer.Option("--runtimes", help="What may run it, e.g. 'torch, onnx int8'. Default: all usual ones here."),
    ] = None,
    forms: Annotated[
        str | None,
        typer.Option("--forms", help="How vectors are stored and searched, with semicolons. Default: some twenty."),
    ] = None,
    dims: Annotated[
        str | None, typer.Option("--dims", help="Shorter lengths of the usual forms, e.g. 256,128. Default: halves.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="What the tasks ask, e.g. sts; auto finds it, and says so.")
    ] = "auto",
    split: Annotated[str, typer.Option("--split", help="Which split of a folder that has several.")] = "test",
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="Queries, pairs or texts of each task to score on; 0: all.")
    ] = 300,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for the report and the recommended model.")
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", help="What stands for {task} in prompts. Default: the folder's cosmith.json."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the sample, the bootstrap, rotations, k-means.")] = 0,
    cache: Annotated[bool, CACHE_OPTION] = True,
) -> None:
    """Find the cheapest way to run a model and store its vectors that keeps its quality on your tasks.

    Runtime, precision, length, form of vectors and search are measured together on this machine: quality with
    intervals, bytes of a document, milliseconds of a query, memory. --output gets the report (HTML, Markdown, JSON) and
    the recommended model, ready to index.

    Example: cosmith compress plan all-MiniLM-L6-v2 --task my-test-set --bytes 64 --latency-ms 20 --output planned
    """
    from cosmith.atomic import require_writable
    from cosmith.compression import Limits
    from cosmith.compression import plan as make_plan
    from cosmith.evaluation.choosing import sampled
    from cosmith.recipes.artefacts import load_encoder
    from cosmith.services import is_address

    manner = manner_of(context)
    if output is not None:
        require_writable(output)
        require_apart(output / "model", model, *tasks)
    lengths = lengths_of(dims)
    with told_by_option(_OPTIONS):
        limits = Limits(
            document_bytes,
            finer_bytes,
            None if latency is None else latency / 1000,
            None if memory is None else memory * 10**6,
            kept,
        )
        read = read_all(tasks, kind, split, instruction, output, manner)
        if model == BM25 or is_address(model):
            raise InputError(f"{model} is no model whose weights are here", field="MODEL",
                             remedy="Name a dense or static model.")  # fmt: skip
        encoder = load_encoder(model, "float32")
        require_used(instruction or "", "query", encoder)
        parts = [sampled(task, sample, seed=seed) for task in read] if sample else read
        vectors = open_vectors(manner) if cache else None
        found = make_plan(
            model, parts, limits=limits, corpus_size=corpus_size, forms=forms, dims=lengths, runtimes=runtimes,
            folder=None if output is None else output / "model", name=model_names([model])[model], seed=seed,
            remembering=None if vectors is None else lambda encoder: remembering(encoder, vectors),
        )  # fmt: skip
    cut = {task.name: task_cut(encoder, task, manner) for task in parts}
    told = [found.table()]
    if sample:
        told.append(f"Scored on at most {sample:,} items of each task; --sample 0 scores on all.")
    value = found.to_dict() | {"sample": sample, "cut": cut} | tell_of_vectors(vectors, manner)
    if output is not None:
        instructions = _instructions(encoder, parts)
        following = None if found.chosen is None else _next(output, found, instructions)
        if following is not None:
            _keep(instructions, output / "model")
        told += _write(output, found, following)
        if following is not None and len(instructions) > 1:
            told.append(f"The tasks have {len(instructions)} instructions; say the one of your own searches.")
        value["next"] = following
    manner.result("\n".join(told), value)


def _instructions(encoder: ReadingEncoder, tasks: Iterable[EvaluationTask]) -> list[str]:
    """What the tasks ask for, each once, where the model's prompt has a place for it."""
    said = dict.fromkeys(task.instruction for task in tasks if task.instruction)
    return [each for each in said if uses(encoder, each, "query")]


def _keep(instructions: Sequence[str], folder: Path) -> None:
    """Write into the recommended model's plan what queries asked for where it was scored."""
    from cosmith.atomic import write_json
    from cosmith.compression.planning import PLAN

    about = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    write_json(folder / PLAN, about | {"instruction": next(iter(instructions), "")})


def _write(output: Path, found: Plan, following: str | None) -> list[str]:
    """The report; where it is and what to do next, in words."""
    from cosmith.inspection import write_plan

    page, _, _ = write_plan(output, found)
    if following is None:
        earlier = [f"{output / 'model'} is what an earlier plan recommended."] if (output / "model").exists() else []
        return [f"The report is {page}.", *earlier]
    return [f"The report is {page}, the model {output / 'model'}. Next:", f"  {following}"]


def _next(output: Path, found: Plan, instructions: Sequence[str]) -> str:
    """The command that makes an index with what is recommended."""
    assert found.chosen is not None
    model = found.chosen.model
    # An exported folder holds the one form; of a model for torch the precision has to be said.
    precision = f" --precision {model.precision}" if model.runtime == "torch" else ""
    asked = f" --instruction {quote(instructions[0])}" if instructions else ""
    return (
        f"cosmith index {quote(str(output / 'model'))} documents.jsonl --form {quote(found.chosen.form)}{precision}"
        f"{asked} --output {quote(str(output / 'index'))}"
    )
