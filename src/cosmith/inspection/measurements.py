"""The scores of a run by task and model, and the differences between the two models that it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosmith.evaluation import Comparison, Interval, Scores
from cosmith.inspection.run_record import RunRecord, StageView


@dataclass(frozen=True)
class Measured:
    """What was measured in a run.

    Attributes:
        tasks: Task → model → scores, in the order of the run; a later stage's stand in place of an earlier one's.
        before: The model that others are compared with.
        after: The model whose gain is asked for; empty where there is none.
        names: Model → what the page calls it.
        roles: What the page calls it → role in the palette of the charts.
        compared: Task and metric → the comparison that the run made itself, for it is what its verdict says.
    """

    tasks: dict[str, dict[str, Scores]]
    before: str
    after: str
    names: dict[str, str]
    roles: dict[str, str] = field(default_factory=dict)
    compared: dict[tuple[str, str], Comparison] = field(default_factory=dict)

    def differences(self, task: str, metrics: list[str]) -> dict[str, Comparison]:
        """After minus before by metric; empty where one of the two was not scored on the task."""
        scores = self.tasks.get(task, {})
        if self.before not in scores or self.after not in scores:
            return {}
        before, after = scores[self.before], scores[self.after]
        if not after.can_pair(before):
            return {}
        return {
            metric: self.compared.get((task, metric)) or after.compare(before, metric=metric)
            for metric in metrics
            if metric in before.per_query and metric in after.per_query
        }


def measured(run: RunRecord, stages: list[StageView] | None = None) -> Measured:
    """The scores of all evaluate stages of a run, or of some of them."""
    tasks: dict[str, dict[str, Scores]] = {}
    for stage in run.of_kind("evaluate") if stages is None else stages:
        for given in stage.result.get("scores", []):
            scores = Scores.from_dict(given)
            tasks.setdefault(scores.task, {})[scores.model] = scores
    comparisons, trained = run.of_kind("compare"), [stage.name for stage in run.of_kind("train")]
    last = comparisons[-1].result if comparisons else {}
    before = str(last.get("before") or "base")
    after = str(last.get("after") or (trained[-1] if trained else ""))
    # The two that are compared stand beside each other, the others behind them.
    tasks = {
        task: dict(sorted(scores.items(), key=lambda item: (item[0] != before, item[0] != after)))
        for task, scores in tasks.items()
    }
    models = list(dict.fromkeys(model for scores in tasks.values() for model in scores))
    names = {model: _name(model, trained) for model in models}
    role_of = {after: "tuned", before: "base", "bm25": "bm25"}
    roles = {names[model]: role_of[model] for model in models if model in role_of}
    compared = {(row["task"], row["metric"]): _comparison(row) for row in last.get("tasks", [])}
    return Measured(tasks, before, after, names, roles, compared)


def _comparison(row: Mapping[str, Any]) -> Comparison:
    return Comparison(
        metric=row["metric"],
        difference=row["difference"],
        interval=Interval(row["low"], row["high"], row.get("level", 0.95)),
        p_value=row["p_value"],
        wins=row["wins"],
        losses=row["losses"],
        ties=row["ties"],
        unit=row.get("unit", "queries"),
        left_out=row.get("left_out", 0),
        fewest=row.get("fewest"),
    )


def _name(model: str, trained: list[str]) -> str:
    if model == "bm25":
        return "BM25"
    return "tuned" if [model] == trained else model


def shown_interval(scores: Scores, metric: str) -> Interval:
    """The interval of a metric; the value itself where none was computed."""
    value = scores.values[metric]
    return scores.intervals.get(metric, Interval(value, value))
