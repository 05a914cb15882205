"""`cosmith choose`: which model, at which length and precision of its vectors, is worth what it costs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.compare import read_all
from cosmith.cli.contamination import STRICT_OPTION, checked, contamination_value, lines_of
from cosmith.cli.contestants import BM25, is_run, model_names
from cosmith.cli.manner import manner_of
from cosmith.cli.sweeps import lengths_of, listed
from cosmith.cli.vectors import CACHE_OPTION, open_vectors, remembering, tell_of_vectors
from cosmith.errors import InputError
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.evaluation.choosing import Choice


def choose(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Model folders, packaged models' names, Hugging Face ids, files of word vectors. Default:"
            " all-MiniLM-L6-v2, and a static model made from it."
        ),
    ] = None,
    tasks: Annotated[
        list[Path] | None,
        typer.Option("--task", help="A file, a folder, or a tasks.yaml that names several. Several times, if need be."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="What the tasks ask, e.g. sts; auto finds it by the columns, and says so.")
    ] = "auto",
    split: Annotated[str, typer.Option("--split", help="Which split of a folder that has several.")] = "test",
    static: Annotated[
        bool, typer.Option("--static", help="Also try a static model made from the first one: fast, blind to order.")
    ] = False,
    dims: Annotated[
        str | None, typer.Option("--dims", help="Lengths to try, e.g. 384,128. Default: the full one and its halves.")
    ] = None,
    precisions: Annotated[
        str, typer.Option("--precisions", help="Forms of the stored vectors to try: float32, int8, binary.")
    ] = "float32,int8,binary",
    vector_bytes: Annotated[int | None, typer.Option("--bytes", help="The most bytes of a vector.")] = None,
    memory: Annotated[
        float | None, typer.Option("--memory", help="The most megabytes of the process that runs the model.")
    ] = None,
    latency: Annotated[
        float | None, typer.Option("--latency-ms", help="The most milliseconds for one query, in the median.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option("--languages", help="What it has to read, e.g. en,de: says which no task tests.")
    ] = None,
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="Queries, pairs or texts of each task to score on; 0: all.")
    ] = 300,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for choice.md, .json, .svg and the static model.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the sample and the bootstrap.")] = 0,
    precision: Annotated[
        str, typer.Option("--precision", help="In what models compute: auto, float32 or bf16.")
    ] = "auto",
    cache: Annotated[bool, CACHE_OPTION] = True,
    strict: Annotated[bool, STRICT_OPTION] = False,
) -> None:
    """Score models on a sample of your tasks at several lengths and precisions of their vectors, measure what they
    cost on this machine, and recommend the cheapest that is not significantly worse than the best within your budget.

    Example: cosmith choose all-MiniLM-L6-v2 tuned --static --task my-test-set --bytes 200 --latency-ms 20
    """
    from cosmith.atomic import require_writable
    from cosmith.evaluation.choosing import DEFAULT_MODEL, Budget, sampled
    from cosmith.evaluation.choosing import choose as choose_model
    from cosmith.recipes.artefacts import load_encoder

    manner = manner_of(context)
    if not tasks:
        raise InputError("there is nothing to score models on", field="--task", remedy="Give a --task.")
    if output is not None:
        require_writable(output)
    budget = Budget(
        vector_bytes, None if memory is None else int(memory * 10**6), None if latency is None else latency / 1000
    )
    lengths = lengths_of(dims)
    read = read_all(tasks, kind, split, None, output, manner)
    given = models or [DEFAULT_MODEL]
    _require_run_here(given)
    trained = checked(model_names(given), read, manner, strict=strict)
    parts = [sampled(task, sample, seed=seed) for task in read] if sample else read
    vectors = open_vectors(manner) if cache else None
    with ExitStack() as stack:
        below = (output or Path(stack.enter_context(TemporaryDirectory()))) if static or not models else None
        choice = choose_model(
            {name: model for model, name in model_names(given).items()}, parts, budget=budget, dims=lengths,
            precisions=listed(precisions), languages=listed(languages), static_in=below,
            load=lambda place, name: load_encoder(place, precision, name), precision=precision, seed=seed,
            remembering=None if vectors is None else lambda encoder: remembering(encoder, vectors),
        )  # fmt: skip
    told = [choice.table(), *(f"{task.name}: {line}" for task in read for line in lines_of(trained, task.name))]
    if sample:
        told.append(f"Scored on at most {counted(sample, 'item')} of each task; cosmith evaluate scores on all.")
    value = choice.to_dict() | {"sample": sample} | contamination_value(trained) | tell_of_vectors(vectors, manner)
    if output is not None:
        _write(output, choice, value)
        told.append(f"Table and picture are in {output}.")
    manner.result("\n".join(told), value)


def _require_run_here(models: list[str]) -> None:
    """Refuse what runs elsewhere or makes no vectors: its cost cannot be measured.

    Raises:
        InputError: Naming it.
    """
    from cosmith.services import is_address

    for model in models:
        if model == BM25 or is_run(model) or is_address(model):
            raise InputError(
                "is no model that runs here and makes vectors, so its cost cannot be measured", path=model,
                field="MODELS", remedy="Leave it out; `cosmith compare` scores it beside models.",
            )  # fmt: skip


def _write(output: Path, choice: Choice, value: dict[str, object]) -> None:
    from cosmith.atomic import atomic_file, write_json
    from cosmith.inspection.choice_chart import choice_chart
    from cosmith.inspection.pictures import svg_of

    write_json(output / "choice.json", value)
    for name, text in (("choice.md", choice.markdown()), ("choice.svg", svg_of(choice_chart(choice)))):
        with atomic_file(output / name) as handle:
            handle.write(text)
