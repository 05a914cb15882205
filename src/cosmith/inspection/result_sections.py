"""Sections on what came out: scores before and after, training, what was forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cosmith.evaluation import Comparison, Scores, models_by_cut
from cosmith.inspection import charts, wording
from cosmith.inspection.charts import IntervalRow
from cosmith.inspection.dynamics import line_chart
from cosmith.inspection.markup import Markup, element, facts, joined, table
from cosmith.inspection.measurements import Measured, measured, shown_interval
from cosmith.inspection.pictures import figure
from cosmith.inspection.run_record import RunRecord, StageView
from cosmith.inspection.verdict import GENERAL, outcome_of
from cosmith.phrases import counted_as, share, size
from cosmith.training.health.history import read_entries

if TYPE_CHECKING:
    import altair as alt


def baseline_section(run: RunRecord) -> Markup | None:
    """What was measured before the first training: the model as it is, and search by words."""
    names = [stage.name for stage in run.stages]
    first = min((names.index(stage.name) for stage in run.of_kind("train")), default=len(names))
    stages = [stage for stage in run.of_kind("evaluate") if names.index(stage.name) < first]
    if not stages:
        return None
    before = measured(run, stages)
    columns = [
        element("div", _scores_picture(before, task), _scores_table(before, task, {}), *_cut(stages, before, task))
        for task in before.tasks
    ]
    return element("div", *columns, class_="figures")


def result_section(run: RunRecord) -> Markup | None:
    """All models on the tasks of the domain, the difference to before, metric by metric."""
    everything = measured(run)
    tasks = [task for task in everything.tasks if task != GENERAL and everything.after in everything.tasks[task]]
    return joined(_task(run, everything, task) for task in tasks) if tasks else None


def forgotten_section(run: RunRecord) -> Markup | None:
    """The general check set before and after."""
    everything = measured(run)
    if everything.after not in everything.tasks.get(GENERAL, {}):
        return None
    return _task(run, everything, GENERAL)


def _task(run: RunRecord, everything: Measured, task: str) -> Markup:
    scores = next(iter(everything.tasks[task].values()))
    differences = everything.differences(task, list(scores.reported))
    pictures = [_scores_picture(everything, task)]
    if differences:
        rows = [
            IntervalRow(
                wording.metric_name(metric), "difference", each.difference, each.interval.low, each.interval.high
            )
            for metric, each in differences.items()
            if metric in _drawn(differences)
        ]
        pictures.append(figure(charts.difference_chart(rows, title="after − before"), "Difference", "95 % intervals"))
    compared = [row for stage in run.of_kind("compare") for row in stage.result.get("tasks", []) if row["task"] == task]
    return joined(
        [
            _counted(compared[-1]) if compared else None,
            element("div", *pictures, class_="figures"),
            _scores_table(everything, task, differences),
            *_cut(run.of_kind("evaluate"), everything, task),
            _all_metrics(everything, task),
        ]
    )


def _counted(row: Mapping[str, Any]) -> Markup:
    """Queries better, worse and equal, as a sentence and as a bar."""
    total = max(row["wins"] + row["losses"] + row["ties"], 1)
    parts = [("better", row["wins"]), ("equal", row["ties"]), ("worse", row["losses"])]
    told = ", ".join(f"{wording.count(number)} {name}" for name, number in parts)
    pieces = [element("span", class_=name, style=f"width:{100 * number / total:.2f}%") for name, number in parts]
    return element("div", element("p", f"{row.get('unit', 'queries').capitalize()}: {told}."),
                   element("div", *pieces, class_="split", role="img", aria_label=told))  # fmt: skip


def _scores_picture(everything: Measured, task: str) -> Markup:
    rows = [
        IntervalRow(wording.metric_name(metric), everything.names[model], each.values[metric], found.low, found.high)
        for model, each in everything.tasks[task].items()
        for metric in _drawn(each.reported)
        for found in [shown_interval(each, metric)]
    ]
    order = {metric: number for number, metric in enumerate(dict.fromkeys(row.label for row in rows))}
    rows.sort(key=lambda row: order[row.label])
    return figure(charts.interval_chart(rows, everything.roles), f"Scores on {task}", _asked(everything, task))


def _drawn(metrics: Iterable[str]) -> list[str]:
    """The metrics for a picture: precision is far below the others where queries have one answer, and squeezes them."""
    shown = [metric for metric in metrics if not metric.startswith("precision")]
    return shown or list(metrics)


def _asked(everything: Measured, task: str) -> str:
    scores = next(iter(everything.tasks[task].values()))
    asked = f"{counted_as(len(scores.query_ids), scores.unit)}, " if scores.query_ids else ""
    return f"{asked}95 % bootstrap intervals"


def _scores_table(everything: Measured, task: str, differences: Mapping[str, Comparison]) -> Markup:
    models = everything.tasks[task]
    metrics = list(dict.fromkeys(metric for scores in models.values() for metric in scores.reported))
    header: list[object] = ["metric", *(everything.names[model] for model in models)]
    if differences:
        header += ["difference", "p"]
    rows = []
    for metric in metrics:
        row: list[object] = [wording.metric_name(metric), *(_value(scores, metric) for scores in models.values())]
        if differences:
            row += _difference(differences.get(metric))
        rows.append(row)
    return table(header, rows, class_="scores")


def _cut(stages: list[StageView], everything: Measured, task: str) -> list[Markup]:
    """What of a task's texts the models have not read, a sentence for each kind of text."""
    found = [each for stage in stages for each in stage.result.get("cut", []) if each["task"] == task]
    return [
        element("p", f"{', '.join(everything.names[model] for model in models)}: {cut.describe()}.", class_="note")
        for (_, cut), models in models_by_cut(found).items()
    ]


def _value(scores: Scores, metric: str) -> Markup:
    if metric not in scores.values:
        return element("span", "–")
    known = scores.intervals.get(metric)
    return joined(
        [
            wording.score(scores.values[metric]),
            element("small", wording.interval(known.low, known.high)) if known else None,
        ]
    )


def _difference(found: Comparison | None) -> list[object]:
    if found is None:
        return ["–", "–"]
    low, high = found.interval.low, found.interval.high
    sign = outcome_of({"low": low, "high": high})
    told = joined([wording.difference(found.difference), element("small", wording.interval(low, high, signed=True))])
    return [
        element("span", told, class_=sign),
        _bare(wording.probability(found.p_value)),
    ]


def _bare(probability: str) -> str:
    """``0.012`` or ``< 0.0001``, for a column that is headed ``p``."""
    return probability.removeprefix("p").strip().removeprefix("=").strip()


def _all_metrics(everything: Measured, task: str) -> Markup | None:
    models = everything.tasks[task]
    shown = {metric for scores in models.values() for metric in scores.reported}
    others = [metric for metric in next(iter(models.values())).values if metric not in shown]
    if not others:
        return None
    rows = [
        [
            wording.metric_name(metric),
            *(wording.score(scores.values[metric]) if metric in scores.values else "–" for scores in models.values()),
        ]
        for metric in others
    ]
    header = ["metric", *(everything.names[model] for model in models)]
    return element("details", element("summary", "All other metrics"), table(header, rows, class_="scores"))


def training_section(run: RunRecord) -> Markup | None:
    """Loss, development score and learning rate over the steps, and the mixture with the base that won."""
    stages = run.of_kind("adapt", "train", "train-reranker", "train-sparse", "train-late-interaction")
    return joined(_training(stage, len(stages) > 1) for stage in stages) if stages else None


def _training(stage: StageView, titled: bool) -> Markup:
    result = stage.result
    known = [
        ("steps", result.get("steps"), wording.count),
        ("pairs", result.get("pairs"), wording.count),
        ("pairs a second", result.get("pairs_per_second"), wording.count),
        ("time", result.get("seconds"), wording.duration),
        ("peak memory", result.get("peak_bytes"), size),
        ("best step", result.get("best_step"), wording.count),
    ]
    pictures = [picture for picture in (*_curves(stage), _mixtures(result)) if picture is not None]
    return joined(
        [
            element("h3", stage.name) if titled else None,
            element("p", _told(result)),
            facts((name, write(value)) for name, value, write in known if value is not None),
            element("div", *pictures, class_="figures") if pictures else None,
        ]
    )


def _told(result: Mapping[str, Any]) -> str:
    """What became of it on the development set, in words."""
    base, alpha = result.get("base_dev"), result.get("alpha")
    final = result.get("final_dev", result.get("best_dev"))
    said = []
    if base is not None and final is not None:
        said.append(
            f"On the development set the score went from {wording.score(base)} to {wording.score(final)}"
            f" ({wording.difference(final - base)})."
        )
        best = result.get("best_dev")
        if best is not None and final < best and not result.get("interpolation"):
            said.append(
                f"The last weights were kept, as the recipe asks; the best ones, of step"
                f" {wording.count(result['best_step'])}, had {wording.score(best)}."
            )
    if alpha is not None and result.get("interpolation"):
        if alpha == 0:
            said.append("No mixture with the tuned weights beat those it started from; these were kept.")
        elif alpha == 1:
            said.append("The tuned weights as they are beat every mixture with those it started from.")
        else:
            said.append(
                f"The best mixture has {share(alpha)} of the tuned weights and {share(1 - alpha)} of"
                " those it started from."
            )
    if result.get("stopped_early"):
        said.append("Training stopped early, as the development score rose no more.")
    return " ".join(said)


def _curves(stage: StageView) -> list[Markup]:
    entries = read_entries(stage.folder / "metrics.jsonl")
    losses = [(entry["step"], entry["loss"]) for entry in entries if _is_number(entry.get("loss"))]
    devs = [(entry["step"], entry["dev"]) for entry in entries if _is_number(entry.get("dev"))]
    pictures = []
    if len(losses) > 1:
        steps, values = zip(*losses, strict=True)
        pictures.append(
            figure(charts.loss_curve(steps, values), "Loss", "faint: each step; bold: their running average")
        )
    if devs:
        steps, values = zip(*devs, strict=True)
        chart = charts.dev_curve(
            steps, values, start=stage.result.get("base_dev"), best_step=stage.result.get("best_step")
        )
        pictures.append(figure(chart, "Score on the development set", "circled: the best"))
    rates = [(entry["step"], entry["learning_rate"]) for entry in entries if _is_number(entry.get("learning_rate"))]
    if len(rates) > 1:
        steps, values = zip(*rates, strict=True)
        pictures.append(figure(line_chart({"learning rate": (steps, values)}), "Learning rate", "of each step"))
    return pictures


def _mixtures(result: Mapping[str, Any]) -> Markup | None:
    points = result.get("interpolation") or []
    if len(points) < 2:
        return None
    chart = charts.interpolation_chart(
        [point["alpha"] for point in points], [point["dev"] for point in points], chosen=result.get("alpha")
    )
    return figure(chart, "Between base and tuned model", "score on the development set; the large dot was chosen")


def merging_section(run: RunRecord) -> Markup | None:
    """What models and their mixtures score in the domain and in general, and which was taken."""
    stages = run.of_kind("merge")
    return joined(_merging(stage, len(stages) > 1) for stage in stages) if stages else None


def merge_chart(result: Mapping[str, Any]) -> alt.LayerChart | None:
    """What a merge wins in the domain and costs in general, as its stage tells of it; None where that is not known."""
    chosen = result["chosen"]["name"]
    points = [
        charts.ParetoPoint(each["name"], each["dev"], each["general"], each["front"], each["name"] == chosen)
        for each in result["candidates"]
        if each["general"] is not None
    ]
    return charts.pareto_chart(points) if points else None


def _merging(stage: StageView, titled: bool) -> Markup:
    result = stage.result
    chosen, candidates = result["chosen"]["name"], result["candidates"]
    told = f"{result['method']} of {', '.join(result['models'])}." + (f" The result: {chosen}." if candidates else "")
    if (better := result.get("better")) is not None:
        told += f" {better['name']} by itself is better on the development set: merging has not helped there."
    chart = merge_chart(result)
    note = "filled: beaten by none in both; circled: the result"
    rows = [
        [each["name"], wording.score(each["dev"]), "–" if each["general"] is None else wording.score(each["general"])]
        for each in sorted(candidates, key=lambda each: -each["dev"])
    ]
    return joined(
        [
            element("h3", stage.name) if titled else None,
            element("p", told),
            figure(chart, "What is won and what it costs", note) if chart else None,
            table(["model", "development set", "general set"], rows, class_="scores") if rows else None,
        ]
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and value == value and abs(value) != float("inf")
