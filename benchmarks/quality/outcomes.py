"""What long runs keep beside their table, so that a stop loses nothing, and tables of differences with intervals."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from cosmith import Scores
from cosmith.atomic import atomic_file
from cosmith.evaluation import bootstrap_interval, paired_difference

Values = Mapping[str, Sequence[float]]
"""Measure → a value for each query."""

_NO_MATTER = ("output", "data", "seeds", "contestants")  # options that no value depends on


@dataclass(frozen=True)
class Outcomes:
    """The values of all that was measured so far, in a JSON file beside the table.

    Attributes:
        path: The file; None: nothing is kept.
        about: What the values depend on; those of another run are refused. More seeds can be added to a run.
        rows: What was measured → its values.
        days: What was measured → the day, e.g. ``2026-11-21``; what an older file has not written down is absent.
    """

    path: Path | None
    about: Mapping[str, Any]
    rows: dict[str, Values]
    days: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, table: Path | None, given: argparse.Namespace) -> Outcomes:
        """Those that stand beside a table that is to be written, or none yet."""
        about = {name: str(value) for name, value in vars(given).items() if name not in _NO_MATTER}
        path = table and table.with_suffix(".json")
        if path is None or not path.is_file():
            return cls(path, about, {})
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["about"] != about:
            raise SystemExit(
                f"{path} holds values of another run, with {stored['about']}; remove it or use its options"
            )
        return cls(path, about, stored["rows"], stored.get("days", {}))

    def take(self, name: str, measure: Callable[[], Values]) -> Values:
        """The values of ``name``, measured where they are not kept yet."""
        if name not in self.rows:
            self.rows[name] = measure()
            self.days[name] = f"{datetime.now(UTC):%Y-%m-%d}"
            if self.path is not None:
                with atomic_file(self.path) as handle:
                    json.dump({"about": self.about, "rows": self.rows, "days": self.days}, handle)
            print(
                f"{name}: " + ", ".join(f"{key} {np.mean(each):.4f}" for key, each in self.rows[name].items()),
                flush=True,
            )
        return self.rows[name]


def values_of(scores: Scores, measure: str | None = None) -> dict[str, list[float]]:
    """The main metric of each query, under its own name or another."""
    return {measure or scores.main: [float(value) for value in scores.per_query[scores.main]]}


def differences(rows: Mapping[str, Values], measure: str, against: Sequence[str]) -> str:
    """A Markdown table: the mean of each row with its interval, and what it has over each of the rows ``against``."""
    lines = [
        f"| | {measure} | " + " | ".join(f"over {name}" for name in against) + " |",
        "|---" * (2 + len(against)) + "|",
    ]
    for name, values in rows.items():
        ours = values[measure]
        cells = [f"{np.mean(ours):.4f} {bootstrap_interval(ours)}"]
        cells += ["" if name == other else difference(ours, rows[other][measure]) for other in against]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def difference(first: Sequence[float], second: Sequence[float]) -> str:
    """``+0.0123 [0.004, 0.021], p = 0.0021``: paired by query."""
    found = paired_difference(first, second)
    return f"{found.difference:+.4f} {found.interval}, p = {found.p_value:.4f}"


def runs_of(rows: Mapping[str, Values], name: str) -> list[Values]:
    """What was measured under ``NAME, seed 0``, ``NAME, seed 1`` and so on, or once for all as ``NAME``."""
    return [values for key, values in rows.items() if key == name or key.startswith(f"{name}, seed ")]


def over_seeds(rows: Mapping[str, Values], name: str, measure: str) -> list[float]:
    """What each query has under one contestant, mean over the seeds measured so far."""
    mean: list[float] = np.mean([run[measure] for run in runs_of(rows, name)], axis=0).tolist()
    return mean


def options(given: argparse.Namespace) -> list[str]:
    """The options of a command as they are written, the folder of the data by its name; None is not said."""
    shown = {name: value for name, value in vars(given).items() if name != "output" and value is not None}
    return [f"--{name.replace('_', '-')} {_written(value)}" for name, value in shown.items()]


def _written(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(quote(str(each)) for each in value)
    return value.name if isinstance(value, Path) else quote(str(value))
