"""Several models on several tasks: one table, and which of the differences in it are more than chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from cosmith.errors import InputError
from cosmith.evaluation.averaging import mean_difference, mean_interval
from cosmith.evaluation.correction import holm
from cosmith.evaluation.scores import Scores, asked
from cosmith.evaluation.significance import Comparison, Interval
from cosmith.evaluation.tables import markdown_table, terminal_table
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.evaluation.tasks.task import EvaluationTask

MACRO = "macro average"
"""What the mean over tasks is called where a task's name stands."""


@dataclass(frozen=True)
class ModelPair:
    """Two models on one task, or on the mean of all.

    Attributes:
        task: The task, or :data:`MACRO`.
        first: A model.
        second: Another one.
        comparison: What the first has over the second on the main metric.
        adjusted_p: Its p-value after Holm's correction over all pairs on all tasks of the table.
        significant: Whether that is at or below the table's level.
    """

    task: str
    first: str
    second: str
    comparison: Comparison
    adjusted_p: float
    significant: bool

    @property
    def better(self) -> str | None:
        """The model that is significantly better; None where neither is."""
        if not self.significant:
            return None
        return self.first if self.comparison.difference > 0 else self.second

    def describe(self) -> str:
        """One line: ``a over b on docs: +0.064 [0.042, 0.085], p = 0.0001, …; after Holm p = 0.0003, significant``."""
        digits = 4 if self.adjusted_p < 0.001 else 3
        verdict = "significant" if self.significant else "not significant"
        return (
            f"{self.first} over {self.second} on {self.task}: {self.comparison.describe()};"
            f" after Holm p = {self.adjusted_p:.{digits}f}, {verdict}"
        )


@dataclass(frozen=True)
class Macro:
    """A model's mean over the tasks.

    Attributes:
        value: The mean of the main metrics.
        interval: Over other queries of the same tasks; None where a task, or a set of one, has one.
    """

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class ModelTable:
    """Models compared.

    Attributes:
        models: Their names, in the order given.
        scores: Task → model → its scores, tasks in the order in which they came.
        macro: Model → its mean over the tasks; empty where there is one task, or a model lacks one.
        pairs: Each two models on each task that both were scored on, and on the mean.
        alpha: At what adjusted p-value a difference counts as significant.
    """

    models: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Scores]]
    macro: Mapping[str, Macro]
    pairs: tuple[ModelPair, ...]
    alpha: float = 0.05

    def beaten(self, model: str, task: str) -> tuple[str, ...]:
        """The models than which this one is significantly better on a task, in the order of the table."""
        return tuple(
            other
            for other in self.models
            for pair in self.pairs
            if pair.task == task and {pair.first, pair.second} == {model, other} and pair.better == model
        )

    def letters(self) -> dict[str, str]:
        """A short sign for each model: a, b, c, …."""
        return {model: _letter(number) for number, model in enumerate(self.models)}

    def table(self) -> str:
        """Tasks down, models across, for a terminal; behind a score the letters of the models it beats clearly."""
        return terminal_table(*self._cells())

    def markdown(self) -> str:
        """The same as a Markdown table, with a line for each pair beneath."""
        title, header, rows, notes = self._cells()
        return markdown_table(title, header, rows, [*notes, *self.lines()])

    def lines(self) -> list[str]:
        """A line for each pair: the difference, whether it is significant, and what the test set can show."""
        return [f"{pair.describe()}; {pair.comparison.describe_detectable()}" for pair in self.pairs]

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold; without the values by query, which the scores' own files have."""
        return {
            "models": list(self.models),
            "alpha": self.alpha,
            "tasks": [
                {
                    "task": task,
                    "scores": [
                        {"model": each.model, "main": each.main, "count": len(each.query_ids), "unit": each.unit,
                         "values": dict(each.values), "better_than": list(self.beaten(model, task)),
                         "intervals": {metric: asdict(found) for metric, found in each.intervals.items()}}
                        for model, each in of_task.items()
                    ],
                }
                for task, of_task in self.scores.items()
            ],
            "macro": [{"model": model, **asdict(macro)} for model, macro in self.macro.items()],
            "pairs": [asdict(pair) | {"comparison": pair.comparison.to_dict()} for pair in self.pairs],
        }  # fmt: skip

    def _cells(self) -> tuple[str, list[str], list[list[str]], list[str]]:
        letters = self.letters()
        several = len(self.models) > 1
        header = ["task", *(f"{letters[model]}: {model}" if several else model for model in self.models)]
        rows = []
        for task, of_task in self.scores.items():
            one = next(iter(of_task.values()))
            cells = [
                self._cell(task, model, of_task[model].value, of_task[model].intervals.get(of_task[model].main))
                if model in of_task
                else "–"
                for model in self.models
            ]
            rows.append([f"{task} ({', '.join(filter(None, (one.main, asked([*of_task.values()]))))})", *cells])
        if self.macro:
            cells = [self._cell(MACRO, model, each.value, each.interval) for model, each in self.macro.items()]
            rows.append([MACRO, *cells])
        return counted(len(self.models), "model"), header, rows, self._notes()

    def _cell(self, task: str, model: str, value: float, interval: Interval | None) -> str:
        letters = self.letters()
        marks = "".join(letters[other] for other in self.beaten(model, task))
        return f"{value:.4f}" + (f" {interval}" if interval else "") + (f" > {marks}" if marks else "")

    def _notes(self) -> list[str]:
        if not self.pairs:
            return []
        return [
            f"> names the models that are beaten with p ≤ {self.alpha:g} after Holm's correction over"
            f" {counted(len(self.pairs), 'comparison')}."
        ]


def compare_models(
    scores: Sequence[Scores], *, alpha: float = 0.05, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> ModelTable:
    """Compare models by what they score, each two of them on each task by a paired test on the main metric.

    Args:
        scores: Of any number of models on any number of tasks, each of a model and a task once.
        alpha: The chance, over the whole table, that even one difference that is called significant is none.
        resamples: See :func:`~cosmith.evaluation.paired_difference`.
        level: Of the intervals of differences.
        seed: As there.

    Raises:
        InputError: When there are no scores, those of a model and a task are given twice, or two to be compared
            have no query in common or another metric.
    """
    if not scores:
        raise InputError("there are no scores to compare", field="scores")
    if not 0 < alpha < 1:
        raise InputError(f"must lie between 0 and 1, got {alpha}", field="alpha")
    require_comparable(scores)
    models = tuple(dict.fromkeys(each.model for each in scores))
    of_models = {(each.task, each.model): each for each in scores}
    by_task = {
        task: {model: of_models[task, model] for model in models if (task, model) in of_models}
        for task in dict.fromkeys(each.task for each in scores)
    }
    pairs = [
        ModelPair(
            task,
            first,
            second,
            found[first].compare(found[second], resamples=resamples, level=level, seed=seed),
            1.0,
            False,
        )
        for task, found in by_task.items()
        for first, second in combinations(found, 2)
    ]
    macro: dict[str, Macro] = {}
    if len(by_task) > 1 and all(
        model in found and found[model].by_set() is not None for found in by_task.values() for model in models
    ):
        of_model = {model: [found[model] for found in by_task.values()] for model in models}
        for model, each in of_model.items():
            interval = mean_interval(each, resamples=resamples, level=level, seed=seed)
            macro[model] = Macro(sum(one.value for one in each) / len(each), interval)
        for first, second in combinations(models, 2):
            found = mean_difference(of_model[first], of_model[second], resamples=resamples, level=level, seed=seed)
            pairs.append(ModelPair(MACRO, first, second, found, 1.0, False))
    adjusted = holm([pair.comparison.p_value for pair in pairs])
    tested = [
        replace(pair, adjusted_p=p, significant=p <= alpha) for pair, p in zip(pairs, adjusted, strict=True)
    ]  # fmt: skip
    return ModelTable(models, by_task, macro, tuple(tested), alpha)


def require_comparable(scores: Sequence[Scores]) -> None:
    """Refuse scores that :func:`compare_models` could not compare, so that this is known before more are made.

    Args:
        scores: Of any number of models on any number of tasks.

    Raises:
        InputError: When those of a model and a task are given twice, or two to be compared have no query in common or
            another metric.
    """
    seen: dict[str, dict[str, Scores]] = {}
    for each in scores:
        others = seen.setdefault(each.task, {})
        if each.model in others:
            raise _given_twice(each.model, each.task)
        for other in others.values():
            if other.main != each.main:
                raise _other_metric(other.model, other.main, each)
            other.paired(each)
        others[each.model] = each


def require_comparable_on(task: EvaluationTask, models: Iterable[str], scores: Iterable[Scores]) -> None:
    """Refuse scores of before with which those of a task could not be compared, before these are made.

    Args:
        task: On what models will be scored.
        models: What these are called.
        scores: Of before, on any tasks.

    Raises:
        InputError: As :func:`require_comparable`, as far as that can be known: which queries count is known of
            retrieval tasks.
    """
    from cosmith.evaluation.tasks.retrieval import RetrievalTask, judged_queries

    names = list(models)
    for each in scores:
        if each.task != task.name or not names:
            continue
        if each.model in names:
            raise _given_twice(each.model, each.task)
        if each.main != task.main:
            raise _other_metric(names[0], task.main, each)
        if isinstance(task, RetrievalTask) and {*each.query_ids}.isdisjoint(asked := judged_queries(task.data)):
            raise InputError(
                f"the scores of {each.model} on {each.task} are of none of its"
                f" {counted(len(asked), 'query', 'queries')} (e.g. {next(iter(each.query_ids), None)!r},"
                f" not {asked[0]!r})",
                field="scores", remedy="Evaluate it again on this test set.",
            )  # fmt: skip


def _given_twice(model: str, task: str) -> InputError:
    return InputError(
        f"the scores of {model!r} on {task!r} are given twice", field="scores",
        remedy="Leave one of them out, or give the models different names.",
    )  # fmt: skip


def _other_metric(model: str, metric: str, other: Scores) -> InputError:
    return InputError(
        f"{model} has the main metric {metric!r} on {other.task!r}, {other.model} {other.main!r}", field="scores",
        remedy="Evaluate both by the same one.",
    )  # fmt: skip


def _letter(number: int) -> str:
    """a … z, aa, ab, …."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)
