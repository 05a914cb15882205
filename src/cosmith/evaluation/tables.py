"""Tables of text: for a terminal, and in Markdown. What stands in the cells is the caller's affair."""

from __future__ import annotations

from collections.abc import Sequence

_WIDTH = 160
"""Characters; wide enough for four models with intervals."""


def terminal_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A table for a terminal.

    Args:
        title: The line above it.
        header: The name of each column; the first stands to the left, the others to the right.
        rows: A cell for each column.
        notes: Lines beneath it.
    """
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    out = StringIO()
    console = Console(file=out, width=_WIDTH, no_color=True, highlight=False, markup=False)
    console.print(table)
    lines = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def markdown_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """The same in Markdown; the notes become a list."""
    lines = [f"**{title}**", "", _markdown_row(header), _markdown_row(["---", *["---:"] * (len(header) - 1)])]
    lines += [_markdown_row(row) for row in rows]
    if notes:
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines)


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
