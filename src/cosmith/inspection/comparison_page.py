"""A comparison of models as one HTML page that needs nothing else, with the same as Markdown and JSON beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cosmith.evaluation.comparing import MACRO, ModelPair, ModelTable
from cosmith.evaluation.comparison_markdown import comparison_as_markdown
from cosmith.evaluation.comparison_report import ComparisonReport, ItemChange, WonAndLost
from cosmith.evaluation.significance import Interval
from cosmith.inspection import wording
from cosmith.inspection.error_sections import errors_section, unlabelled_section
from cosmith.inspection.markup import Markup, element, joined, table
from cosmith.inspection.page import page_of_sections, write_in_three_forms
from cosmith.inspection.passages import passage
from cosmith.phrases import counted

_WOULD_SHOW = (
    "The last column is the true difference that this test set would show with a power of 80 %: smaller ones may be"
    " there and not be seen."
)
_WHAT_ITEMS_ADD = "The numbers are what an item adds to the metric: the mean over all items is the score."


def write_comparison(folder: str | Path, report: ComparisonReport) -> tuple[Path, Path, Path]:
    """Write ``comparison.html``, ``comparison.md`` and ``comparison.json``.

    Args:
        folder: Where to; it is made where it is absent.
        report: What was found.

    Returns:
        The three paths.

    Raises:
        StorageError: When one cannot be written; an older one stands unchanged.
    """
    return write_in_three_forms(
        folder, "comparison", page=comparison_page(report), text=comparison_as_markdown(report), data=report.to_dict()
    )


def comparison_page(report: ComparisonReport) -> str:
    """The page as text."""
    compared = report.table
    sections: list[tuple[str, str, Markup | None]] = [
        ("scores", "Scores", _scores(compared)),
        ("differences", "Differences", _differences(compared)),
        ("changes", "Won and lost", _changes(report.changes)),
    ]
    for number, task in enumerate(dict.fromkeys(each.task for each in report.analyses)):
        analyses = [each for each in report.analyses if each.task == task]
        sections.append((f"errors-{number}", f"Errors on {task}", errors_section(analyses, roles_of(compared.models))))
        found = report.unlabelled.get(task, ())
        sections.append((f"unlabelled-{number}", f"{task}: likely relevant, never judged", unlabelled_section(found)))
    return page_of_sections(f"{' and '.join(compared.models)}: comparison", _opening(compared), sections)


def roles_of(models: Sequence[str]) -> dict[str, str]:
    """The colours of models: the first is what the others are measured by."""
    roles = dict(zip(models, ("base", "tuned"), strict=False))
    return roles | {model: "bm25" for model in models if model.lower() == "bm25"}


def _opening(compared: ModelTable) -> Markup:
    return element(
        "header",
        element("p", element("span", "Comparison"), f" · {', '.join(compared.scores)}", class_="over"),
        element("h1", _verdict(compared)),
        *(element("p", f"{_of(pair.task)}: {pair.comparison.describe_detectable()}.", class_="note")
          for pair in [pair for pair in compared.pairs if pair.task == _judged_on(compared)][:1]),
    )  # fmt: skip


def _verdict(compared: ModelTable) -> str:
    """The answer in one sentence: on the mean where there is one, else on the first task."""
    if not compared.pairs:
        model, task = compared.models[0], next(iter(compared.scores))
        scores = next(iter(compared.scores[task].values()))
        return f"{model} scores {wording.metric_name(scores.main)} {wording.score(scores.value)} on {task}."
    where = _judged_on(compared)
    place = f"on the mean of {counted(len(compared.scores), 'task')}" if where == MACRO else f"on {where}"
    pairs = [pair for pair in compared.pairs if pair.task == where]
    return f"{_said(pairs[0])} {place}." if len(pairs) == 1 else f"{_said_of_the_best(compared, where, place)}."


def _of(task: str) -> str:
    return "On the macro average" if task == MACRO else f"On {task}"


def _judged_on(compared: ModelTable) -> str:
    """What the sentence at the top is about."""
    return MACRO if compared.macro else next(iter(compared.scores))


def _said(pair: ModelPair) -> str:
    size = wording.difference(abs(pair.comparison.difference))
    if pair.better is None:
        return f"{pair.first} and {pair.second} are not clearly different ({size})"
    other = pair.second if pair.better == pair.first else pair.first
    return f"{pair.better} is better than {other} by {size.lstrip('+')}"


def _said_of_the_best(compared: ModelTable, where: str, place: str) -> str:
    """Of several models the one with the highest score, and what that is worth against the others."""
    values = {model: each.value for model, each in (compared.macro or compared.scores[where]).items()}
    best = max(values, key=values.__getitem__)
    beaten = compared.beaten(best, where)
    level = [
        other
        for other in compared.models
        if other not in beaten and any(pair.task == where and {pair.first, pair.second} == {best, other}
                                       for pair in compared.pairs)
    ]  # fmt: skip
    said = [f"better than {' and '.join(beaten)}"] if beaten else []
    said += [f"not clearly different from {' and '.join(level)}"] if level else []
    return f"{best} scores highest {place}, {wording.score(values[best])}: {', '.join(said)}"


def _scores(compared: ModelTable) -> Markup:
    from cosmith.inspection.charts import IntervalRow, interval_chart
    from cosmith.inspection.pictures import figure

    def row(task: str, model: str, value: float, interval: Interval | None) -> IntervalRow:
        low, high = (interval.low, interval.high) if interval else (value, value)
        return IntervalRow(task, model, value, low, high)

    rows = [
        row(task, model, each.value, each.intervals.get(each.main))
        for task, of_task in compared.scores.items()
        for model, each in of_task.items()
    ]
    rows += [row(MACRO, model, each.value, each.interval) for model, each in compared.macro.items()]
    picture = figure(
        interval_chart(rows, roles_of(compared.models)), "Main metric of each task", "95 % bootstrap intervals"
    )
    letters = compared.letters()
    header = ["task", *(f"{letters[model]}: {model}" if len(letters) > 1 else model for model in compared.models)]
    cells: list[list[object]] = [
        [
            joined([task, element("small", f" {wording.metric_name(next(iter(of_task.values())).main)}")]),
            *(_cell(compared, task, model) for model in compared.models),
        ]
        for task, of_task in compared.scores.items()
    ]
    if compared.macro:
        cells.append([MACRO, *(_cell(compared, MACRO, model) for model in compared.models)])
    note = f"≻ names the models that are beaten at p ≤ {compared.alpha:g}, after Holm's correction over all pairs."
    return joined(
        [
            element("div", picture, class_="figures"),
            table(header, cells, class_="scores"),
            element("p", note, class_="note") if compared.pairs else None,
        ]
    )


def _cell(compared: ModelTable, task: str, model: str) -> Markup:
    interval: Interval | None
    if task == MACRO:
        value, interval = compared.macro[model].value, compared.macro[model].interval
    elif model in compared.scores[task]:
        each = compared.scores[task][model]
        value, interval = each.value, each.intervals.get(each.main)
    else:
        return element("span", "–")
    letters = compared.letters()
    beaten = "".join(letters[other] for other in compared.beaten(model, task))
    told = wording.score(value) + (f" ≻ {beaten}" if beaten else "")
    return joined(
        [
            element("span", told, class_="better" if beaten else None),
            element("small", wording.interval(interval.low, interval.high)) if interval else None,
        ]
    )


def _differences(compared: ModelTable) -> Markup | None:
    from cosmith.inspection.charts import IntervalRow, difference_chart
    from cosmith.inspection.pictures import figure

    if not compared.pairs:
        return None
    letters = compared.letters()
    named = {id(pair): f"{pair.task}: {letters[pair.first]} − {letters[pair.second]}" for pair in compared.pairs}

    def row(pair: ModelPair) -> IntervalRow:
        found = pair.comparison
        interval = found.interval if found.has_interval else Interval(found.difference, found.difference)
        return IntervalRow(named[id(pair)], "difference", found.difference, interval.low, interval.high)

    rows = [row(pair) for pair in compared.pairs]
    picture = figure(difference_chart(rows), "Differences", "95 % intervals, each by itself")
    header = ["", "difference", "p", "p after Holm", "better, equal, worse", "would show from"]
    cells = [[named[id(pair)], *_numbers(pair)] for pair in compared.pairs]
    return joined(
        [
            element("div", picture, class_="figures"),
            table(header, cells, class_="scores"),
            element("p", _WOULD_SHOW, class_="note"),
        ]
    )


def _numbers(pair: ModelPair) -> list[object]:
    found = pair.comparison
    told = joined(
        [
            wording.difference(found.difference),
            element("small", wording.interval(found.interval.low, found.interval.high, signed=True))
            if found.has_interval
            else element("small", "no interval"),
        ]
    )
    sign = ("better" if found.difference > 0 else "worse") if pair.significant else None
    return [
        element("span", told, class_=sign),
        _bare(found.p_value),
        _bare(pair.adjusted_p),
        joined([f"{found.wins:,}, {found.ties:,}, {found.losses:,}", element("small", found.unit)]),
        "–" if found.detectable is None else wording.score(found.detectable),
    ]


def _bare(p: float) -> str:
    return wording.probability(p).removeprefix("p").strip().removeprefix("=").strip()


def _changes(changes: Sequence[WonAndLost]) -> Markup | None:
    there = [each for each in changes if each.won or each.lost]
    if not there:
        return None
    return joined(_pair_changes(each, is_open=number == 0) for number, each in enumerate(there))


def _pair_changes(each: WonAndLost, *, is_open: bool) -> Markup:
    pair = each.pair
    lists = [
        joined(
            [
                element("h3", f"{pair.first} {verb}"),
                element("ul", *(_change(change, pair.first, pair.second) for change in found), class_="plain"),
            ]
        )
        for verb, found in (("wins", each.won), ("loses", each.lost))
        if found
    ]
    title = element("summary", f"{pair.task}: {pair.first} against {pair.second}")
    searched = all(change.found is not None for change in (*each.won, *each.lost))
    note = [] if searched else [element("p", _WHAT_ITEMS_ADD, class_="note")]
    return element("details", title, *note, *lists, open=is_open)


def _change(change: ItemChange, first: str, second: str) -> Markup:
    scored = f"{first} {wording.score(change.first)}, {second} {wording.score(change.second)}"
    found = change.found
    if found is None:
        return element("li", element("p", change.text, class_="query"), element("p", scored, class_="note"))
    tops = ((first, found.rank_after, found.top_after), (second, found.rank_before, found.top_before))
    columns = [
        element("div", element("p", "right answer", class_="tag good"), passage(found.answer.text)),
        *(element("div", element("p", f"on top with {model}", class_="tag"), passage(top.text))
          for model, rank, top in tops if rank != 1 and top is not None),
    ]  # fmt: skip
    ranks = ", ".join(f"{rank_of(rank)} with {model}" for model, rank, _ in tops)
    return element(
        "li",
        element("p", change.text, class_="query"),
        element("p", f"{scored}; first right answer: {ranks}", class_="note"),
        element("div", *columns, class_="columns"),
    )


def rank_of(rank: int | None) -> str:
    """A rank in words."""
    return "not found" if rank is None else f"rank {rank:,}"
