"""Scores as tables: metrics down, models across, and what the main metric's difference is worth."""

from __future__ import annotations

from collections.abc import Sequence

from cosmith.errors import InputError
from cosmith.evaluation.scores import Scores

_WIDTH = 160
"""Characters; wide enough for four models with intervals."""


def terminal_table(scores: Sequence[Scores]) -> str:
    """A table for a terminal; the first of ``scores`` is the baseline of the differences beneath it.

    Raises:
        InputError: When they are of different tasks.
    """
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    header, rows = _cells(scores)
    table = Table(title=_title(scores[0]), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    out = StringIO()
    console = Console(file=out, width=_WIDTH, no_color=True, highlight=False, markup=False)
    console.print(table)
    lines = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    differences = _differences(scores)
    return "\n".join([*lines, *([""] if differences else []), *differences])


def markdown_table(scores: Sequence[Scores]) -> str:
    """The same in Markdown.

    Raises:
        InputError: When they are of different tasks.
    """
    header, rows = _cells(scores)
    lines = [f"**{_title(scores[0])}**", "", _markdown_row(header), _markdown_row(["---", *["---:"] * len(scores)])]
    lines += [_markdown_row(row) for row in rows]
    if differences := _differences(scores):
        lines += ["", *(f"- {line}" for line in differences)]
    return "\n".join(lines)


def _title(scores: Scores) -> str:
    return f"{scores.task}, {len(scores.query_ids):,} {scores.unit}" if scores.query_ids else scores.task


def _cells(scores: Sequence[Scores]) -> tuple[list[str], list[list[str]]]:
    for other in scores[1:]:
        scores[0].require_same_task(other)
    metrics = [metric for metric in scores[0].reported if all(metric in each.values for each in scores)]
    if not metrics:
        raise InputError(f"the scores on {scores[0].task!r} have no metric in common", field="values")
    rows = [[metric, *(_cell(each, metric) for each in scores)] for metric in metrics]
    return ["metric", *(each.model for each in scores)], rows


def _cell(scores: Scores, metric: str) -> str:
    interval = scores.intervals.get(metric)
    return f"{scores.values[metric]:.4f}" + (f" {interval}" if interval else "")


def _differences(scores: Sequence[Scores]) -> list[str]:
    """A line for each model that was evaluated on the same queries as the first."""
    first = scores[0]
    return [
        f"{other.model} over {first.model}, {first.main}: {other.compare(first, metric=first.main).describe()}"
        for other in scores[1:]
        if other.query_ids == first.query_ids and first.main in first.per_query and first.main in other.per_query
    ]


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
