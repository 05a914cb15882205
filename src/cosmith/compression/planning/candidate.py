"""A model in one form with its vectors in one form: what it scores, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from cosmith.compression.planning.model_forms import ModelForm
from cosmith.compression.planning.search_time import SearchTime
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.significance import Interval
from cosmith.models.running_cost import RunningCost

DISK_PRICE = 0.1
"""What a byte of a finer copy, which may stay on a disk, counts of one in memory."""


@dataclass(frozen=True)
class Candidate:
    """A model in one form with its vectors in one form.

    Attributes:
        model: What runs the model, and in what numbers.
        form: How vectors are stored and searched, as :func:`~cosmith.retrieval.compressed.parse_form` reads it.
        bytes: Of a document, in what is searched.
        finer_bytes: Of a document, in what only candidates are looked up in.
        corpus_size: For how many documents memory and search are told.
        running: What the model costs to run.
        search: How long a search takes; None where no task searches.
        scores: On each task.
        quality: The mean over the kinds of task of the mean over the tasks of the main metrics.
        interval: Of that; None where scores are not known by item.
        change: What it has over the full model.
        change_interval: Of that, item by item; None for the full model itself, and where they cannot be paired.
        kept: The share of the full model's quality.
        kept_low: The same at the lower end of the change's interval; None where that is not known.
        recall: The share of the full vectors' nearest documents that is found; None where nothing is searched.
        excesses: The limits that are broken → how far, as a ratio.
        fronts: The costs on whose Pareto front it stands: ``bytes``, ``latency``, ``memory``.
    """

    model: ModelForm
    form: str
    bytes: float
    finer_bytes: float
    corpus_size: int
    running: RunningCost
    search: SearchTime | None
    scores: tuple[Scores, ...]
    quality: float
    interval: Interval | None
    change: float
    change_interval: Interval | None
    kept: float
    kept_low: float | None
    recall: float | None = None
    excesses: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    fronts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.model}; {self.form}"

    @property
    def query_seconds(self) -> tuple[float, ...]:
        """To encode each query and search with it."""
        searched = (0.0,) * len(self.running.query_seconds) if self.search is None else self.search.seconds
        return tuple(sum(both) for both in zip(self.running.query_seconds, searched, strict=True))

    @property
    def latency(self) -> float:
        """The median of that, in seconds."""
        return float(np.median(self.query_seconds))

    @property
    def slow_latency(self) -> float:
        """Its 95th percentile."""
        return float(np.quantile(self.query_seconds, 0.95))

    @property
    def memory(self) -> float:
        """Bytes of the process with the model, and of what is searched of the stated corpus."""
        return self.running.process + self.corpus_size * self.bytes

    @property
    def disk(self) -> float:
        """Bytes of the finer copies of the stated corpus."""
        return self.corpus_size * self.finer_bytes

    @property
    def expense(self) -> float:
        """One number for its costs: latency × (memory and a tenth of the disk), so that halving one counts as much as
        halving the other."""
        return self.latency * (self.memory + DISK_PRICE * self.disk)

    def taken(self, *, sure: bool) -> dict[str, float]:
        """What limits are set to: their names → what is taken; what is kept at the lower end of its interval if
        ``sure`` and it is known."""
        kept = self.kept_low if sure and self.kept_low is not None else self.kept
        return {"bytes": self.bytes, "finer_bytes": self.finer_bytes, "latency": self.latency, "memory": self.memory,
                "keep": kept}  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold; without the values by item."""

        def ends(interval: Interval | None) -> list[float] | None:
            return None if interval is None else [interval.low, interval.high]

        running = self.running
        return {
            "runtime": self.model.runtime, "precision": self.model.precision, "form": self.form, "bytes": self.bytes,
            "finer_bytes": self.finer_bytes, "quality": self.quality, "interval": ends(self.interval),
            "change": self.change, "change_interval": ends(self.change_interval), "kept": self.kept,
            "kept_low": self.kept_low, "recall": self.recall,
            "tasks": [{"task": each.task, "main": each.main, "value": each.value} for each in self.scores],
            "latency": self.latency, "latency_p95": self.slow_latency,
            "encode_seconds": float(np.median(running.query_seconds)),
            "encode_cpu_seconds": running.query_cpu_seconds,
            "search_seconds": None if self.search is None else float(np.median(self.search.seconds)),
            "search_measured_on": None if self.search is None else self.search.measured_on,
            "memory": self.memory, "process": running.process, "disk": self.disk,
            "documents_per_second": running.documents_per_second,
            "documents_per_cpu_second": running.documents_per_cpu_second,
            "threads": running.threads, "processor": running.processor,
            "over": sorted(self.excesses), "fronts": list(self.fronts),
        }  # fmt: skip


COSTS: Mapping[str, Callable[[Candidate], float]] = MappingProxyType(
    {"bytes": lambda each: each.bytes, "latency": lambda each: each.latency, "memory": lambda each: each.memory}
)
"""What quality is drawn against."""


def with_fronts(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same, each with the fronts on which it stands: nothing else is as good and as cheap, and better in one."""
    on = {name: set(front([(each.quality, cost(each)) for each in candidates])) for name, cost in COSTS.items()}
    return [
        replace(each, fronts=tuple(name for name in COSTS if number in on[name]))
        for number, each in enumerate(candidates)
    ]


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The numbers of those (quality, cost) that no other beats: as good and as cheap, and better in one of these."""
    order = sorted(range(len(points)), key=lambda number: (points[number][1], -points[number][0]))
    kept: list[int] = []
    best = float("-inf")
    last: tuple[float, float] | None = None
    for number in order:
        if points[number][0] > best or points[number] == last:
            kept.append(number)
            best, last = points[number][0], points[number]
    return sorted(kept)
