"""What a run wrote down, read again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cosmith.errors import InputError
from cosmith.phrases import share

FACTS = "facts.json"
TOO_FAST = 0.05
"""The share of its own size by which no sound step changes a layer."""
USUAL_PACE = 1e-3
"""The share by which a step usually changes a layer of a pre-trained model."""


@dataclass(frozen=True)
class Evaluation:
    """The scores of the weights after so many steps; ``general`` where a general set is watched."""

    step: int
    dev: float
    general: float | None = None


@dataclass(frozen=True)
class Pace:
    """How fast training changes the weights.

    Attributes:
        ratio: By which share of its own size a step changed a layer.
        layer: Which.
        step: The step, from 1.
        learning_rate: Of that step.
    """

    ratio: float
    layer: str
    step: int
    learning_rate: float

    @property
    def amount(self) -> str:
        """The ratio for people: ``12 %``, ``5,904 times their size``."""
        return share(self.ratio) if self.ratio < 10 else f"{self.ratio:,.0f} times their size"

    @property
    def sound_rate(self) -> float:
        """The learning rate that would change the layer as a step usually does: with Adam a step is as long as its
        rate."""
        return self.learning_rate * USUAL_PACE / self.ratio


@dataclass(frozen=True)
class History:
    """A run as its folder tells it.

    Attributes:
        steps: The metrics of each step, in order; ``step`` counts from 1.
        evaluations: In order.
        facts: What was known at the start: ``settings``, and what :attr:`cosmith.training.step.Job.facts` says; empty
            where nothing was.
    """

    steps: Sequence[Mapping[str, Any]]
    evaluations: Sequence[Evaluation]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def watched(self) -> list[Mapping[str, Any]]:
        """The steps that were looked at closely."""
        return [step for step in self.steps if any("/" in name for name in step)]

    def series(self, name: str) -> tuple[list[int], list[float]]:
        """The steps at which a metric is known, and its values there; values that are no finite number are left out."""
        known = [(entry["step"], entry[name]) for entry in self.steps if _is_finite(entry.get(name))]
        return [step for step, _ in known], [value for _, value in known]

    def groups(self, prefix: str) -> list[str]:
        """The names that stand behind a prefix, e.g. the layers behind ``gradient_norm``, in order of appearance."""
        names = [name for entry in self.watched for name in entry if name.startswith(f"{prefix}/")]
        return list(dict.fromkeys(name.removeprefix(f"{prefix}/") for name in names))

    def setting(self, name: str) -> Any:
        """What the user decided, a value of :class:`~cosmith.training.TrainingSettings`; None: not known, or None."""
        return self.facts.get("settings", {}).get(name)

    def fastest(self, looks: int | None = None) -> Pace | None:
        """The step that changed a layer most, of the last so many that were looked at, or of all; None: none was."""
        watched = self.watched[-looks:] if looks else self.watched
        paces = [
            Pace(entry[name], name.removeprefix("update_ratio/"), entry["step"], entry["learning_rate"])
            for entry in watched
            for name in entry
            if name.startswith("update_ratio/") and _is_finite(entry[name]) and "learning_rate" in entry
        ]
        return max(paces, key=lambda pace: pace.ratio, default=None)

    @property
    def is_unbounded(self) -> bool:
        """Whether scores are no cosines: those of sparse vectors, of late interaction, of a reranker."""
        return self.facts.get("scores") == "unbounded"

    def mean(self, name: str, part: slice = slice(None)) -> float | None:
        """The mean of a metric over (some of) the steps where it is known; None: it never is."""
        values = self.series(name)[1][part]
        return float(np.mean(values)) if values else None


def read_history(folder: Path) -> History:
    """What the run in a folder wrote down; a line that a kill tore is passed over.

    Raises:
        InputError: When it holds no ``metrics.jsonl``.
    """
    path = folder / "metrics.jsonl"
    if not path.is_file():
        raise InputError("holds no metrics.jsonl", path=folder, remedy="Give the folder of a training run.")
    entries = read_entries(path)
    facts = folder / "health" / FACTS
    return History(
        steps=[entry for entry in entries if "loss" in entry or "skipped" in entry],
        evaluations=[
            Evaluation(entry["step"], float(entry["dev"]), entry.get("general"))
            for entry in entries
            if _is_finite(entry.get("dev"))
        ],
        facts=json.loads(facts.read_text(encoding="utf-8")) if facts.is_file() else {},
    )


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl``; one that a kill tore is passed over, and a file that is not there has none."""
    entries = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                entries.append(entry)
    return entries


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
