"""A plan as one HTML page that needs nothing else, with the same as Markdown and JSON beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cosmith.compression.planning import COSTS, Candidate, Plan
from cosmith.compression.planning.outcome import stored_of
from cosmith.inspection import wording
from cosmith.inspection.markup import Markup, element, facts, joined, table
from cosmith.inspection.page import page_of_sections, write_in_three_forms
from cosmith.phrases import counted, share, size

_AXES = {"bytes": "bytes a document", "latency": "ms a query", "memory": "MB of memory"}
_UNITS = {"bytes": 1.0, "latency": 1000.0, "memory": 1e-6}
_NOTE = (
    "Filled points are within the limits; the line is the Pareto front, with 95 % intervals of what stands on it; the"
    " ring is what is recommended, or nearest where nothing is."
)


def write_plan(folder: str | Path, plan: Plan) -> tuple[Path, Path, Path]:
    """Write ``report.html``, ``report.md`` and ``report.json``.

    Args:
        folder: Where to; it is made where it is absent.
        plan: What was found.

    Returns:
        The three paths.

    Raises:
        StorageError: When one cannot be written; an older one stands unchanged.
    """
    return write_in_three_forms(folder, "report", page=plan_page(plan), text=plan.markdown(), data=plan.to_dict())


def plan_page(plan: Plan) -> str:
    """The page as text."""
    sections = [
        ("fronts", "Quality and cost", _figures(plan)),
        ("front", "What stands on a front", _table(plan, plan.shown)),
        ("all", "All candidates", _folded(plan)),
        ("measured", "How it was measured", joined(element("p", note) for note in plan.notes)),
    ]
    return page_of_sections(f"{plan.model}: plan", _opening(plan), sections)


def _opening(plan: Plan) -> Markup:
    tasks = ", ".join(each.task for each in plan.full.scores)
    sentence = plan.reasons[0]
    if plan.chosen is not None:
        sentence = (
            f"{plan.chosen.model} with {plan.chosen.form} keeps {share(plan.chosen.kept)} of the quality at"
            f" {stored_of(plan.chosen)} bytes a document and {1000 * plan.chosen.latency:.1f} ms a query."
        )
    named = [("full model", plan.full), ("recommended", plan.chosen), ("nearest", plan.nearest)]
    return element(
        "header",
        element("p", element("span", "Plan"), f" · {plan.model} · {tasks}", class_="over"),
        element("h1", sentence, class_="better" if plan.chosen else "worse"),
        *(element("p", reason, class_="remark") for reason in plan.reasons[0 if plan.chosen else 1 :]),
        *(joined([element("h3", title), _facts(plan, each)]) for title, each in named if each is not None),
    )


def _facts(plan: Plan, each: Candidate) -> Markup:
    low = "" if each.kept_low is None else f", at least {share(each.kept_low)}"
    return facts(
        [
            ("model; vectors", each.name),
            (plan.metric, f"{wording.score(each.quality)} {_interval(each)}"),
            ("kept", share(each.kept) + low),
            ("bytes a document", stored_of(each)),
            ("ms a query, median; 19 of 20 within", f"{1000 * each.latency:.1f}; {1000 * each.slow_latency:.1f}"),
            (f"memory for {counted(each.corpus_size, 'document')}", size(each.memory)),
            ("finer copies, on a disk", size(each.disk)),
            ("documents encoded a second", f"{each.running.documents_per_second:,.0f}"),
        ]
    )


def _figures(plan: Plan) -> Markup:
    from cosmith.inspection.cost_chart import CostPoint, cost_chart
    from cosmith.inspection.pictures import figure

    series = list(dict.fromkeys(str(each.model) for each in [plan.full, *plan.candidates]))
    roles = dict(zip(series, ("base", "tuned", "bm25"), strict=False))
    pictures = []
    for name, cost in COSTS.items():
        points = [
            CostPoint(
                str(each.model),
                _UNITS[name] * cost(each),
                each.quality,
                within=not each.excesses,
                front=name in each.fronts,
                chosen=each is plan.chosen or each is plan.nearest,
                low=each.interval.low if each.interval and name in each.fronts else None,
                high=each.interval.high if each.interval and name in each.fronts else None,
            )
            for each in plan.candidates
        ]
        chart = cost_chart(points, cost=_AXES[name], by_series=False, roles=roles)
        pictures.append(figure(chart, f"{wording.metric_name(plan.metric)} and {_AXES[name]}"))
    return joined([element("div", *pictures, class_="figures"), element("p", _NOTE, class_="note")])


def _folded(plan: Plan) -> Markup:
    title = element("summary", f"{counted(len(plan.candidates), 'candidate')}, the best first")
    return element("details", title, _table(plan, plan.candidates))


def _table(plan: Plan, candidates: Sequence[Candidate]) -> Markup:
    header = ["vectors; model; limits and fronts", plan.metric, "over the full model", "kept", "bytes", "ms a query",
              "memory", "disk", "nearest found", "texts/s"]  # fmt: skip
    return table(header, ([_name(plan, each), *_numbers(each)] for each in candidates), class_="candidates")


def _name(plan: Plan, each: Candidate) -> Markup:
    marks = plan.marks(each)
    return joined([each.form, element("small", each.model), element("small", marks) if marks else None])


def _numbers(each: Candidate) -> list[object]:
    change = each.change_interval
    return [
        joined([wording.score(each.quality), element("small", _interval(each))]),
        joined(
            [
                wording.difference(each.change),
                element("small", wording.interval(change.low, change.high, signed=True)) if change else None,
            ]
        ),
        joined([share(each.kept), element("small", share(each.kept_low)) if each.kept_low is not None else None]),
        stored_of(each),
        joined([f"{1000 * each.latency:.1f}", element("small", f"19 of 20 within {1000 * each.slow_latency:.1f}")]),
        size(each.memory),
        size(each.disk) if each.disk else "",
        "" if each.recall is None else wording.score(each.recall),
        f"{each.running.documents_per_second:,.0f}",
    ]


def _interval(each: Candidate) -> str:
    return "" if each.interval is None else wording.interval(each.interval.low, each.interval.high)
