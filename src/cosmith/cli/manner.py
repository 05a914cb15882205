"""How commands speak: to people, to machines, or hardly at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True)
class Manner:
    """The global options.

    Attributes:
        quiet: Print results only, and warnings.
        json: Print results as JSON lines.
    """

    quiet: bool = False
    json: bool = False

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr; not when quiet or to machines."""
        if not (self.quiet or self.json):
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Say on stderr what nobody may miss, also when quiet; to machines the result must say it."""
        if not self.json:
            print(text, file=sys.stderr, flush=True)

    def result(self, text: str, value: Mapping[str, Any]) -> None:
        """Print a result: ``text`` to people, ``value`` to machines."""
        print(json.dumps(value, ensure_ascii=False) if self.json else text, flush=True)


def manner_of(context: typer.Context) -> Manner:
    """The manner that the global options chose."""
    return context.obj if isinstance(context.obj, Manner) else Manner()


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Rows in aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = []
    for row in [heads, *rows]:
        cells = [cell.ljust(width) if not column else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def first_code_lines(text: str, lines: int = 3, width: int = 100) -> list[str]:
    """The first lines of a text that may be code, each cut to ``width`` characters."""
    return [line[:width] for line in text.splitlines() if line.strip()][:lines]
