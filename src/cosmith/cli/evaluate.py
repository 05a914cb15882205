"""`cosmith evaluate`: how good a model is on a test set, and whether it is better than another."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.averages import averages_told
from cosmith.cli.contamination import STRICT_OPTION, checked, contamination_value, lines_of
from cosmith.cli.contestants import (
    CandidatesOption,
    KeyVariableOption,
    Loading,
    ReadOption,
    any_vectors,
    file_name,
    load,
    model_names,
    require_one_host,
    require_used_settings,
    write_run,
)
from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.options import options_of, told_by_option
from cosmith.cli.runtimes import RuntimeOption
from cosmith.cli.sweeps import Swept
from cosmith.cli.texts import rejected_value, require_used, task_cut, warn_of_rejected
from cosmith.cli.vectors import CACHE_OPTION, open_vectors, tell_of_vectors
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.evaluation import Scores
    from cosmith.evaluation.task_files import Benchmark, TaskRead


_OTHERWISE = "cosmith evaluate --output FOLDER writes them down"


def evaluate(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A model of any kind (a folder, a packaged model's name, a Hugging Face id, a file of word vectors, a"
            " service as https://HOST/v1#MODEL), bm25, or a TREC run file of another system."
        ),
    ],
    tasks: Annotated[
        list[Path],
        typer.Option("--task", help="A file, a folder, or a tasks.yaml that names several. Several times, if need be."),
    ],
    kind: Annotated[
        str, typer.Option("--kind", help="What the tasks ask, e.g. sts; auto finds it by the columns, and says so.")
    ] = "auto",
    split: Annotated[str, typer.Option("--split", help="Which split of a folder that has several.")] = "test",
    against: Annotated[str | None, typer.Option("--against", help="A model to compare with, query by query.")] = None,
    bm25: Annotated[
        bool, typer.Option("--bm25", help="Show BM25 beside it, on retrieval and reranking tasks.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A folder for the scores as JSON.")] = None,
    dim: Annotated[int | None, typer.Option("--dim", help="Compare the first DIM numbers only.")] = None,
    dims: Annotated[
        str | None, typer.Option("--dims", help="Score MODEL's vectors cut to each of these lengths, e.g. 384,256,128.")
    ] = None,
    precisions: Annotated[
        str | None,
        typer.Option("--precisions", help="Score MODEL's vectors stored in each of these: float32, int8, binary."),
    ] = None,
    query_prompt: Annotated[
        str | None, typer.Option("--query-prompt", help="What MODEL reads before queries, in place of its own prompt.")
    ] = None,
    document_prompt: Annotated[
        str | None, typer.Option("--document-prompt", help="What MODEL reads before documents, likewise.")
    ] = None,
    candidates: CandidatesOption = None,
    reads: ReadOption = None,
    key_variable: KeyVariableOption = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", help="What stands for {task} in prompts. Default: the folder's cosmith.json."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 0,
    precision: Annotated[
        str, typer.Option("--precision", help="In what models compute: auto, float32 or bf16.")
    ] = "auto",
    runtime: RuntimeOption = "auto",
    cache: Annotated[bool, CACHE_OPTION] = True,
    runs: Annotated[
        bool, typer.Option("--runs", help="With --output: also what was found, as TREC run files.")
    ] = False,
    strict: Annotated[bool, STRICT_OPTION] = False,
) -> None:
    """Score a model, with bootstrap intervals over the queries, pairs or texts.

    Example: cosmith evaluate runs/python-docs/train/model --against all-MiniLM-L6-v2 --task runs/python-docs/data/test
    """
    from cosmith.atomic import require_writable
    from cosmith.evaluation import Contestant
    from cosmith.evaluation.task_files import is_benchmark

    manner = manner_of(context)
    _require_two(model, against)
    require_one_host([each for each in (model, against) if each is not None], key_variable)
    swept = Swept.of(dims, precisions, {"--dim": dim is not None, "--against": against is not None, "--bm25": bm25,
                                        "--runs": runs})  # fmt: skip
    _require_different([path.resolve().name for path in tasks], output)
    if output is not None:
        require_writable(output)
    elif runs:
        raise InputError("there is no folder to write them to", field="--runs", remedy="Give an --output.")
    benchmarks = {
        path: read_tasks(path, kind, split, instruction, output, manner) for path in tasks if is_benchmark(path)
    }
    read = [  # all, before any work is done
        (path, each)
        for path in tasks
        for each in (
            benchmarks[path].tasks if path in benchmarks
            else [read_task(path, kind, split, output, manner, instruction)]
        )
    ]  # fmt: skip
    _require_different([each.task.name for _, each in read], output)
    by_words = Contestant.bm25(name="BM25")
    if bm25 and not any(by_words.can_score(each.task) for _, each in read):
        raise InputError(
            "BM25 can be scored on retrieval and reranking tasks only", path=read[0][0], field="--bm25",
            remedy="Leave it out.",
        )  # fmt: skip
    for path, each in read:
        overrule = "kind: KIND there" if path in benchmarks else "--kind KIND"
        manner.note(each.describe() + (f"; {overrule} says otherwise" if each.guessed else ""))
    names = model_names([each for each in (against, model) if each is not None])
    trained = checked(names, [each.task for _, each in read], manner, strict=strict)
    vectors = open_vectors(manner) if cache and any_vectors(names) else None
    how = Loading(precision, dim, key_variable, candidates, reads, vectors, runtime=runtime)
    prompts = {"query": query_prompt, "document": document_prompt}
    own = replace(how, prompts={part: text for part, text in prompts.items() if text is not None})
    loaded = {each: load(each, name, own if each == model else how) for each, name in names.items()}
    require_used_settings(loaded.values(), how)
    encoders = [each.encoder for each in loaded.values() if each.encoder is not None]
    if len(encoders) == len(loaded):
        require_used(instruction or "", "query", *encoders)
    if swept is not None:
        swept.show(loaded[model], [each.task for _, each in read], manner, seed=seed, output=output, trained=trained)
        tell_of_vectors(vectors, manner)
        return
    for _, each in read:
        for one in loaded.values():
            one.contestant.require_scorable(each.task)
    found: dict[Path, list[tuple[str, list[Scores]]]] = {}
    for path, each in read:
        task = each.task
        scored = [one.contestant.score(task, seed=seed) for one in loaded.values()]
        scores = [of_model for of_model, _ in scored]
        cut = [of_model for encoder in encoders for of_model in task_cut(encoder, task, manner)]
        found.setdefault(path, []).append((task.kind, list(scores)))
        if bm25 and by_words.can_score(task):
            scores.append(by_words.score(task, seed=seed)[0])
        if output is not None:
            for of_model in scores:
                of_model.to_json(output / f"{file_name(of_model)}.json")
            for of_model, hits in scored if runs else ():
                if hits is not None and task.kind == "retrieval":
                    write_run(output, of_model, hits)
        value = (
            {"task": str(path), "name": task.name, "kind": task.kind, "because": each.because}
            | _as_json(scores)
            | {"cut": cut}
            | contamination_value(trained, task.name)
            | rejected_value(task.rejected, rejected_file(task.name, output))
        )
        beside = "".join(f"{line}\n" for line in lines_of(trained, task.name))
        manner.result(scores[0].table(*scores[1:]) + "\n" + "".join(map(_breakdown, scores)) + beside, value)
    for path, benchmark in benchmarks.items():
        told, value = averages_told(benchmark.name, found[path], list(names.values()))
        manner.result(told, {"benchmark": benchmark.name} | value)
    if len(tasks) > 1:
        every = list(chain.from_iterable(found.values()))
        told, value = averages_told(f"{len(every)} tasks", every, list(names.values()))
        manner.result(told, {"tasks": [scores[0].task for _, scores in every]} | value)
    tell_of_vectors(vectors, manner)


def read_task(
    path: Path, kind: str, split: str, output: Path | None, manner: Manner, instruction: str | None = None
) -> TaskRead:
    """A task; says how many of its rows cannot be used."""
    from cosmith.evaluation.task_files import read_task as read_files

    put_aside = rejected_file(path.resolve().name, output)
    with told_by_option(options_of("kind", "split")):
        read = read_files(path, kind=kind, split=split, instruction=instruction, rejected=put_aside)
    warn_of_rejected(read.task.rejected, put_aside, manner, otherwise=_OTHERWISE)
    return read


def read_tasks(
    path: Path, kind: str, split: str, instruction: str | None, output: Path | None, manner: Manner
) -> Benchmark:
    """The tasks of a file that names several; it says itself of which kinds and splits they are."""
    from cosmith.evaluation.task_files import read_benchmark

    said = {"--kind": kind != "auto", "--split": split != "test", "--instruction": instruction is not None}
    if field := next((option for option, given in said.items() if given), None):
        raise InputError(
            f"says its tasks' {field[2:]} itself", path=path, field=field, remedy="Write it beside the path there."
        )
    benchmark = read_benchmark(path, rejected=output)
    for each in benchmark.tasks:
        put_aside = rejected_file(each.task.name, output)
        warn_of_rejected(each.task.rejected, put_aside, manner, otherwise=_OTHERWISE)
    return benchmark


def rejected_file(name: str, output: Path | None) -> Path | None:
    """Where the rows of a task that cannot be used are written down; nowhere without a folder for the scores."""
    return None if output is None else output / f"{name}.rejected.jsonl"


def _breakdown(scores: Scores) -> str:
    """The parts of a score as a table of its own."""
    return "" if scores.breakdown is None else scores.breakdown.table(f"{scores.task}, {scores.model}") + "\n\n"


def _require_two(model: str, against: str | None) -> None:
    """Refuse to compare a model with itself, which would say nothing."""
    if against is not None and (
        model == against or (Path(model).is_dir() and Path(model).resolve() == Path(against).resolve())
    ):
        raise InputError("is the model itself", path=against, field="--against", remedy="Name another model.")


def _require_different(names: list[str], output: Path | None) -> None:
    """Refuse tasks whose scores would take each other's place."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if output is not None and twice is not None:
        remedy = "Rename one of them, or give each a command and a folder of its own."
        raise InputError(f"two tasks are called {twice!r}", field="--task", remedy=remedy)


def _as_json(scores: list[Scores]) -> dict[str, object]:
    models = [
        {
            "model": each.model,
            "main": each.main,
            "values": dict(each.values),
            "intervals": {metric: [interval.low, interval.high] for metric, interval in each.intervals.items()},
            "breakdown": None if each.breakdown is None else dict(each.breakdown.rows),
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
    return {"models": models, "differences": differences}
