"""`cosmith compare`: several models on several tasks, what of it is more than chance, and where each of them errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.averages import kind_averages_told
from cosmith.cli.contamination import STRICT_OPTION, checked, contamination_value, lines_of
from cosmith.cli.contestants import (
    CandidatesOption,
    KeyVariableOption,
    Loaded,
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
from cosmith.cli.evaluate import read_task, read_tasks
from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.runtimes import RuntimeOption
from cosmith.cli.texts import require_used, warn_of_cut
from cosmith.cli.vectors import CACHE_OPTION, open_vectors, tell_of_vectors
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.evaluation import ModelTable, Scores
    from cosmith.evaluation.tasks import EvaluationTask


def compare(
    context: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(
            help="Models of any kind (folders, packaged models' names, Hugging Face ids, files of word vectors,"
            " services as https://HOST/v1#MODEL), bm25, TREC run files, and files of scores that cosmith evaluate"
            " --output wrote."
        ),
    ],
    tasks: Annotated[
        list[Path] | None,
        typer.Option("--task", help="A file, a folder, or a tasks.yaml that names several. Several times, if need be."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="What the tasks ask, e.g. sts; auto finds it by the columns, and says so.")
    ] = "auto",
    split: Annotated[str, typer.Option("--split", help="Which split of a folder that has several.")] = "test",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A folder for the report (comparison.html, .md, .json), scores and TREC runs."
        ),
    ] = None,
    examples: Annotated[int, typer.Option("--examples", min=0, help="Queries and answers to show of each kind.")] = 5,
    alpha: Annotated[float, typer.Option("--alpha", help="The level of significance, after Holm's correction.")] = 0.05,
    dim: Annotated[int | None, typer.Option("--dim", help="Compare the first DIM numbers only.")] = None,
    candidates: CandidatesOption = None,
    reads: ReadOption = None,
    key_variable: KeyVariableOption = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", help="What stands for {task} in prompts. Default: the folder's cosmith.json."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 0,
    precision: Annotated[
        str, typer.Option("--precision", help="In what models compute: auto, float32, bf16.")
    ] = "auto",
    runtime: RuntimeOption = "auto",
    cache: Annotated[bool, CACHE_OPTION] = True,
    strict: Annotated[bool, STRICT_OPTION] = False,
) -> None:
    """Compare models: scores with intervals, paired tests corrected for their number, queries won and lost.

    With --output also where each model errs: by length, by rank, wrong answers, documents that are likely relevant but
    were never judged, and what is lost where texts are cut. One model alone is analysed.

    Example: cosmith compare all-MiniLM-L6-v2 tuned bm25 --task my-test-set --output comparison
    """
    from cosmith.atomic import require_writable
    from cosmith.evaluation import (
        TaskFound,
        changes_lines,
        compare_models,
        explain_comparison,
        require_comparable,
        require_comparable_on,
    )
    from cosmith.inspection import write_comparison

    manner = manner_of(context)
    if output is not None:
        require_writable(output)
    given = Given.of(models)
    require_comparable(given.scores)
    if given.to_score and not tasks:
        raise InputError("there is nothing to score it on", path=given.to_score[0], field="--task",
                         remedy="Give a --task; only files of scores need none.")  # fmt: skip
    require_one_host(given.to_score, key_variable)
    read = read_all(tasks or [], kind, split, instruction, output, manner)
    for task in read:
        require_comparable_on(task, given.names.values(), given.scores)
    trained = checked(given.names, read, manner, strict=strict)
    vectors = open_vectors(manner) if cache and any_vectors(given.to_score) else None
    how = Loading(precision, dim, key_variable, candidates, reads, vectors, runtime=runtime)
    loaded = given.load(how)
    require_used_settings(loaded, how)
    encoders = [each.encoder for each in loaded if each.encoder is not None]
    if len(encoders) == len(loaded):
        require_used(instruction or "", "query", *encoders)
    for task in read:
        for one in loaded:
            one.contestant.require_scorable(task)
    scores, found = list(given.scores), {}
    for task in read:
        of_task = []
        for one in loaded:
            of_task.append(one.contestant.score(task, seed=seed))
            scores.append(of_task[-1][0])
            require_comparable([each for each in scores if each.task == task.name])
        hits = {of_model.model: found_by for of_model, found_by in of_task if found_by is not None}
        found[task.name] = TaskFound.of(task, hits)
    table = compare_models(scores, alpha=alpha, seed=seed)
    by_name = {encoder.name: encoder for encoder in encoders}
    report = explain_comparison(table, found, encoders=by_name, examples=examples, seed=seed)
    for analysis in report.analyses:
        if analysis.truncation is not None:
            warn_of_cut(by_name[analysis.model], analysis.truncation.cuts(), manner)
    told = [table.table(), *table.lines()]
    averages, by_kind = _by_kind(table, read)
    told += averages
    told += [f"{task.name}: {line}" for task in read for line in lines_of(trained, task.name)]
    told += changes_lines(report.changes)
    value = report.to_dict() | by_kind | contamination_value(trained) | tell_of_vectors(vectors, manner)
    if output is not None:
        page, *_ = write_comparison(output, report)
        searched = {task.name for task in read if task.kind == "retrieval"}
        for each in scores:
            each.to_json(output / f"{file_name(each)}.json")
            if each.task in searched and each.model in found[each.task].hits:
                write_run(output, each, found[each.task].hits[each.model])
        told.append(f"The report is {page}.")
        value["report"] = str(page)
    manner.result("\n".join(told), value)


@dataclass(frozen=True)
class Given:
    """What is to be compared.

    Attributes:
        to_score: Models, runs and BM25, as they were given.
        names: What to call each of them.
        scores: What was scored before.
    """

    to_score: tuple[str, ...]
    names: Mapping[str, str]
    scores: tuple[Scores, ...]

    @classmethod
    def of(cls, models: Sequence[str]) -> Given:
        """Tell files of scores from what is to be scored.

        Raises:
            InputError: When something is given twice, or a file holds no scores.
        """
        from cosmith.evaluation import Scores

        twice = next((model for model in models if models.count(model) > 1), None)
        if twice is not None:
            raise InputError("is given twice", path=twice, remedy="Leave one of them out.")
        files = [model for model in models if model.endswith(".json") and Path(model).is_file()]
        to_score = tuple(model for model in models if model not in files)
        return cls(to_score, model_names(to_score), tuple(Scores.from_json(file) for file in files))

    def load(self, how: Loading) -> list[Loaded]:
        """What is to be scored, ready for it."""
        return [load(model, self.names[model], how) for model in self.to_score]


def read_all(
    paths: Sequence[Path], kind: str, split: str, instruction: str | None, output: Path | None, manner: Manner
) -> list[EvaluationTask]:
    """All tasks, those of files that name several among them.

    Raises:
        InputError: When a task cannot be read, or two have one name.
    """
    from cosmith.evaluation.task_files import is_benchmark

    read: list[EvaluationTask] = []
    for path in paths:
        several = is_benchmark(path)
        found = (
            read_tasks(path, kind, split, instruction, output, manner).tasks
            if several
            else [read_task(path, kind, split, output, manner, instruction)]
        )
        for each in found:
            overrule = "kind: KIND there" if several else "--kind KIND"
            manner.note(each.describe() + (f"; {overrule} says otherwise" if each.guessed else ""))
        read += [each.task for each in found]
    names = [task.name for task in read]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two tasks are called {twice!r}", field="--task", remedy="Rename one of them.")
    return read


def _by_kind(table: ModelTable, tasks: Sequence[EvaluationTask]) -> tuple[list[str], dict[str, object]]:
    """The averages by kind, in lines and for machines; nothing where all tasks are of one, or a model lacks a task."""
    kinds = {task.name: task.kind for task in tasks}
    if not table.macro or len(set(kinds.values())) < 2 or kinds.keys() != table.scores.keys():
        return [], {}
    found = [(kinds[task], list(of_models.values())) for task, of_models in table.scores.items()]
    told, value = kind_averages_told(found, table.models)
    return [told], {"averages": value["models"]}
