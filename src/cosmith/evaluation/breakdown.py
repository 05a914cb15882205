"""The parts that a score is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cosmith.evaluation.tables import markdown_table, terminal_table


@dataclass(frozen=True)
class Breakdown:
    """The parts that a score is made of: languages, classes, categories.

    Attributes:
        by: What a part is.
        rows: Part → metric → value, in the order in which they are shown.
    """

    by: str
    rows: Mapping[str, Mapping[str, float]]

    def table(self, title: str) -> str:
        """Parts down, metrics across, for a terminal."""
        return terminal_table(title, *self._cells())

    def markdown(self, title: str) -> str:
        """The same as a Markdown table."""
        return markdown_table(title, *self._cells())

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        metrics = list(dict.fromkeys(metric for row in self.rows.values() for metric in row))
        rows = [
            [part, *(f"{row[metric]:.4g}" if metric in row else "" for metric in metrics)]
            for part, row in self.rows.items()
        ]
        return [self.by, *metrics], rows
