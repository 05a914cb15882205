"""What the commands that score several tasks print at their end: the averages by kind and over all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosmith.evaluation import Scores, Sweep
    from cosmith.evaluation.task_files import Average


def averages_told(
    title: str, found: Sequence[tuple[str, Sequence[Scores]]], names: Sequence[str]
) -> tuple[str, dict[str, object]]:
    """The averages over several tasks, for people and for machines: tasks down, models across.

    Args:
        title: What the tasks are together.
        found: The kind of each task, and the scores of each model there.
        names: What the models are called; scores of others behind theirs are left out.
    """
    rows = [
        [f"{scores[0].task}, {scores[0].main}", *(f"{of_model.value:.4f}" for of_model in scores[: len(names)])]
        for _, scores in found
    ]
    return _told(title, rows, found, names)


def kind_averages_told(
    found: Sequence[tuple[str, Sequence[Scores]]], names: Sequence[str]
) -> tuple[str, dict[str, object]]:
    """The same without the tasks themselves, for where these stand in a table already."""
    return _told(f"{len(found)} tasks", [], found, names)


def _told(
    title: str, rows: Sequence[list[str]], found: Sequence[tuple[str, Sequence[Scores]]], names: Sequence[str]
) -> tuple[str, dict[str, object]]:
    from cosmith.evaluation.tables import terminal_table

    each = _averages(found, len(names))
    rows = [*rows, *([label, *values] for label, values in _means(each))]
    models = [{"model": name, **_plain(average)} for name, average in zip(names, each, strict=True)]
    return terminal_table(title, ["main metrics", *names], rows) + "\n", {"models": models}


def sweep_averages_told(found: Sequence[tuple[str, Sweep]]) -> tuple[str, dict[str, object]]:
    """The same of a model's forms: forms down.

    Args:
        found: The kind of each task, and the model's scores there, in the same forms on all.
    """
    from cosmith.evaluation.tables import terminal_table

    forms = [form.name for form in found[0][1].forms]
    each = _averages([(kind, [form.scores for form in sweep.forms]) for kind, sweep in found], len(forms))
    means = _means(each)
    rows = [[name, *(values[number] for _, values in means)] for number, name in enumerate(forms)]
    title = f"{len(found)} tasks, {found[0][1].model}, main metrics"
    told = [{"name": name, **_plain(average)} for name, average in zip(forms, each, strict=True)]
    table = terminal_table(title, ["vectors", *(label for label, _ in means)], rows)
    return table + "\n", {"tasks": [sweep.task for _, sweep in found], "model": found[0][1].model, "forms": told}


def _averages(found: Sequence[tuple[str, Sequence[Scores]]], columns: int) -> list[Average]:
    from cosmith.evaluation.task_files import averages

    return [averages([(kind, scores[number]) for kind, scores in found]) for number in range(columns)]


def _means(each: Sequence[Average]) -> list[tuple[str, list[str]]]:
    """What an average is of, and the values of all; of tasks that are all of one kind there is one only."""
    told = [("mean of all tasks", [f"{average.of_tasks:.4f}" for average in each])]
    if len(each[0].by_kind) < 2:
        return told
    by_kind = [
        (f"mean of {kind}", [f"{average.by_kind[kind]:.4f}" for average in each]) for kind in each[0].by_kind
    ]  # fmt: skip
    return [*by_kind, *told, ("mean of the kinds", [f"{average.of_kinds:.4f}" for average in each])]


def _plain(average: Average) -> dict[str, object]:
    return {
        "mean_of_tasks": average.of_tasks, "mean_of_kinds": average.of_kinds, "by_kind": dict(average.by_kind),
    }  # fmt: skip
