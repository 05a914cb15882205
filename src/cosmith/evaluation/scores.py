"""The outcome of an evaluation: what a model scores on a task, query by query, and how sure that is."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.atomic import write_json
from cosmith.errors import InputError, nearest
from cosmith.evaluation.breakdown import Breakdown
from cosmith.evaluation.contributions import metric_range
from cosmith.evaluation.significance import Comparison, Interval, by_set, paired_difference
from cosmith.evaluation.tables import markdown_table, terminal_table
from cosmith.models.fingerprint_parts import EmbeddingFingerprint
from cosmith.phrases import counted_as

_FORMAT = 1


@dataclass(frozen=True)
class PairedValues:
    """What two models score on the queries that both have a value for.

    Attributes:
        query_ids: These queries.
        first: The one's values ``[queries]``.
        second: The other's.
        sets: How many of the queries belong to each set, see :class:`Scores`.
        left_out: How many queries only one of the two has a value for.
    """

    query_ids: tuple[str, ...]
    first: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    sets: tuple[int, ...]
    left_out: int

    def differences(self) -> list[npt.NDArray[np.float64]]:
        """First minus second, for each set; of a task without sets there is one."""
        return by_set(self.first - self.second, self.sets)


@dataclass(frozen=True)
class Scores:
    """What a model scores on a task.

    Attributes:
        task: The name of the test set.
        model: The name of the model.
        main: The metric that counts, e.g. ``"ndcg@10"``.
        values: Metric → value over all queries.
        intervals: Metric → bootstrap interval over queries, for those that a report shows.
        per_query: Metric → float64 ``[queries]``, whose mean is the value; with ``sets``, the mean of the sets' means.
        query_ids: The queries, in the order of ``per_query``.
        unit: What they are called.
        breakdown: The parts that the value is made of, where it has some.
        sets: How many of the queries belong to each set, in order, where each set counts alike, whatever its size.
        resampled: Metric → float64 ``[resamples]``, its values over other queries, of metrics that are no means over
            queries; not written to files.
        fingerprint: Of the vectors, part by part; None where it is not known, or they are none of one model.
        total: How many queries there are, with those that the model cannot answer; None where that is not told.

    Raises:
        InputError: When parts contradict each other, a query is named twice, or a query's value is not finite.
    """

    task: str
    model: str
    main: str
    values: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    per_query: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)
    query_ids: tuple[str, ...] = field(default=(), repr=False)
    unit: str = "queries"
    breakdown: Breakdown | None = field(default=None, repr=False)
    sets: tuple[int, ...] = field(default=(), repr=False)
    resampled: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)
    fingerprint: EmbeddingFingerprint | None = field(default=None, repr=False)
    total: int | None = None

    def __post_init__(self) -> None:
        if self.main not in self.values:
            raise InputError(
                f"the main metric {self.main!r} has no value", field="main", remedy=nearest(self.main, self.values)
            )
        for metric, values in self.per_query.items():
            if values.shape != (len(self.query_ids),):
                raise InputError(
                    f"{metric} has values {values.shape} for {len(self.query_ids)} {self.unit}", field="per_query"
                )
            if not (finite := np.isfinite(values)).all():
                raise InputError(
                    f"{metric} of {self.query_ids[int(finite.argmin())]!r} is not finite", field=f"per_query.{metric}",
                    remedy="Evaluate again.",
                )  # fmt: skip
        if len(set(self.query_ids)) != len(self.query_ids):
            twice = next(name for name, count in Counter(self.query_ids).items() if count > 1)
            raise InputError(
                f"{twice!r} is named twice, so its values cannot be told apart", field="query_ids",
                remedy="Evaluate again.",
            )  # fmt: skip
        if self.sets and (min(self.sets) < 1 or sum(self.sets) != len(self.query_ids)):
            raise InputError(
                f"{len(self.query_ids)} {self.unit} cannot make up sets of {list(self.sets)}", field="sets"
            )

    @property
    def value(self) -> float:
        """The value of the main metric."""
        return self.values[self.main]

    @property
    def reported(self) -> tuple[str, ...]:
        """The metrics that a report shows: the main one, then the others with an interval (without any, all that have
        values by query; without these, all)."""
        shown = self.intervals or self.per_query or self.values
        return (self.main, *(metric for metric in shown if metric != self.main))

    def compare(
        self,
        other: Scores,
        *,
        metric: str | None = None,
        resamples: int = 10_000,
        level: float = 0.95,
        seed: int = 0,
    ) -> Comparison:
        """What this model has over another on the queries that both were scored on; positive where this one is better.

        Args:
            other: Scores on the same task.
            metric: By default the main one.
            resamples: See :func:`paired_difference`.
            level: As there.
            seed: As there.

        Raises:
            InputError: As :meth:`paired`.
        """
        metric = metric or self.main
        pairs = self.paired(other, metric)
        if not pairs.query_ids:  # of words of which neither model knows any
            return Comparison(metric, 0.0, Interval(0.0, 0.0, level), 1.0, 0, 0, 0, self.unit, left_out=pairs.left_out)
        low, high = metric_range(metric, self.values[metric], other.values[metric])
        found = paired_difference(
            pairs.first, pairs.second, sets=pairs.sets, metric=metric, unit=self.unit, greatest=high - low,
            resamples=resamples, level=level, seed=seed,
        )  # fmt: skip
        return replace(found, left_out=pairs.left_out)

    def paired(self, other: Scores, metric: str | None = None) -> PairedValues:
        """The values of this model and another for the queries that both have one for.

        Static models know different words, and are scored on what each knows.

        Args:
            other: Scores on the same task.
            metric: By default the main one.

        Raises:
            InputError: When the tasks or the sets differ, no query is common to both, or one of the two has no values
                by query for the metric.
        """
        metric = metric or self.main
        self.require_same_task(other)
        if len(self.sets) != len(other.sets):
            raise InputError(
                f"{self.model} and {other.model} were evaluated on {len(self.sets)} and {len(other.sets)} sets of"
                f" {self.task}", field="sets", remedy="Evaluate both again on the same test set.",
            )  # fmt: skip
        place = {query: row for row, query in enumerate(other.query_ids)}
        rows = np.array([row for row, query in enumerate(self.query_ids) if query in place], dtype=np.int64)
        if not len(rows) and (self.query_ids or other.query_ids):
            raise InputError(
                f"{self.model} and {other.model} were not evaluated on any common {self.unit} of {self.task}"
                f" ({len(self.query_ids):,} and {len(other.query_ids):,}, e.g."
                f" {next(iter(self.query_ids), None)!r} and {next(iter(other.query_ids), None)!r})",
                field="query_ids",
                remedy="Evaluate both on the same test set.",
            )
        for scores in (self, other):
            if metric not in scores.per_query:
                raise InputError(
                    f"{scores.model} has no values by query for {metric!r}",
                    field="metric",
                    remedy=nearest(metric, scores.per_query) if scores.per_query else "Evaluate it again.",
                )
        theirs = [place[self.query_ids[row]] for row in rows]
        set_of = np.repeat(np.arange(len(self.sets)), self.sets)
        return PairedValues(
            query_ids=tuple(self.query_ids[row] for row in rows),
            first=self.per_query[metric][rows],
            second=other.per_query[metric][theirs],
            # a set of which nothing is shared has no say
            sets=tuple(np.unique(set_of[rows], return_counts=True)[1].tolist()) if self.sets else (),
            left_out=len(self.query_ids) + len(other.query_ids) - 2 * len(rows),
        )

    def can_pair(self, other: Scores) -> bool:
        """Whether :meth:`paired` has something to give for the main metric."""
        return (
            self.task == other.task
            and len(self.sets) == len(other.sets)
            and not {*self.query_ids}.isdisjoint(other.query_ids)
            and all(self.main in scores.per_query for scores in (self, other))
        )

    def by_set(self) -> list[npt.NDArray[np.float64]] | None:
        """The main metric's values by query, for each set; of a task without sets there is one. None without values."""
        return by_set(self.per_query[self.main], self.sets) if self.main in self.per_query else None

    def require_same_task(self, other: Scores) -> None:
        """Refuse scores on another task.

        Raises:
            InputError: Naming both tasks.
        """
        if self.task != other.task:
            raise InputError(
                f"{self.model} was evaluated on {self.task!r}, {other.model} on {other.task!r}",
                field="task",
                remedy="Compare scores on the same task.",
            )

    def table(self, *others: Scores) -> str:
        """Metrics down, this model and others across, for a terminal; differences are to this one.

        Raises:
            InputError: When they are of different tasks.
        """
        return terminal_table(*_tabulated([self, *others]))

    def markdown(self, *others: Scores) -> str:
        """The same as a Markdown table.

        Raises:
            InputError: When they are of different tasks.
        """
        return markdown_table(*_tabulated([self, *others]))

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold."""
        return {
            "format": _FORMAT,
            "task": self.task,
            "model": self.model,
            "main": self.main,
            "unit": self.unit,
            "values": dict(self.values),
            "intervals": {metric: asdict(interval) for metric, interval in self.intervals.items()},
            "query_ids": list(self.query_ids),
            "per_query": {metric: values.tolist() for metric, values in self.per_query.items()},
            "breakdown": None if self.breakdown is None else asdict(self.breakdown),
            "sets": list(self.sets),
            "fingerprint": None if self.fingerprint is None else self.fingerprint.as_json(),
            "total": self.total,
        }

    @classmethod
    def from_dict(cls, about: Mapping[str, Any]) -> Scores:
        """The inverse of :meth:`to_dict`.

        Raises:
            InputError: When a part is missing or makes no sense.
        """
        try:
            if about["format"] != _FORMAT:
                raise InputError(f"is of format {about['format']}; this version reads {_FORMAT}", field="format")
            values = {str(metric): float(value) for metric, value in about["values"].items()}
            if not all(map(math.isfinite, values.values())):
                metric = next(metric for metric, value in values.items() if not math.isfinite(value))
                raise InputError("is not finite", field=f"values.{metric}", remedy="Evaluate again.")
            intervals = {metric: _interval(metric, interval) for metric, interval in about["intervals"].items()}
            scores = cls(
                task=str(about["task"]),
                model=str(about["model"]),
                main=str(about["main"]),
                values=values,
                intervals=intervals,
                per_query={metric: np.array(row, dtype=np.float64) for metric, row in about["per_query"].items()},
                query_ids=tuple(map(str, about["query_ids"])),
                unit=str(about["unit"]),
                breakdown=Breakdown(**about["breakdown"]) if about.get("breakdown") else None,
                sets=tuple(map(int, about.get("sets", ()))),
                fingerprint=EmbeddingFingerprint.from_json(about.get("fingerprint")),
                total=None if about.get("total") is None else int(about["total"]),
            )
            means_known = scores.query_ids and not scores.sets  # of sets each counts alike
            for metric in [metric for metric in values if metric in scores.per_query] if means_known else []:
                if not math.isclose(mean := scores.per_query[metric].mean(), values[metric], abs_tol=1e-6):
                    raise InputError(
                        f"is {values[metric]:.6g}, but the mean of its values by query is {mean:.6g}",
                        field=f"values.{metric}", remedy="Evaluate again.",
                    )  # fmt: skip
            return scores
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"these are not scores ({error!r})", remedy="Evaluate again.") from error

    def to_json(self, path: str | Path) -> None:
        """Write everything, values by query included, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def from_json(cls, path: str | Path) -> Scores:
        """Read what :meth:`to_json` wrote.

        Raises:
            InputError: When the file is missing, is not JSON or does not hold scores.
        """
        try:
            about = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError("there is no such file", path=path) from error
        except ValueError as error:
            raise InputError(f"is not JSON ({error})", path=path, remedy="Evaluate again.") from error
        try:
            return cls.from_dict(about)
        except InputError as error:
            raise InputError(error.problem, path=path, field=error.field, remedy=error.remedy) from error


def _interval(metric: str, about: Mapping[str, float]) -> Interval:
    """An interval of a file."""
    interval = Interval(**about)
    # not a number is neither less nor more
    if not (-math.inf < interval.low <= interval.high < math.inf and 0 < interval.level < 1):
        raise InputError(
            f"is no interval: {interval} at a level of {interval.level}", field=f"intervals.{metric}",
            remedy="Evaluate again.",
        )  # fmt: skip
    return interval


def asked(scores: Sequence[Scores]) -> str:
    """How many queries scores on one task are of: ``400 queries``; of words how many are known, ``23 of 30 pairs``, by
    several models ``23 to 28 of 30 pairs``; empty where that is not told."""
    known = sorted({len(each.query_ids) if each.values.get("coverage", 1.0) > 0 else 0 for each in scores})
    told = f"{known[0]:,} to {known[-1]:,}" if len(known) > 1 else f"{known[0]:,}"
    # The coverage of a task of several sets is the mean of theirs, which the breakdown has.
    totals = [each.total for each in scores if each.total is not None] or [
        round(len(each.query_ids) / coverage)
        for each in scores
        if (coverage := each.values.get("coverage", 0.0)) > 0 and not each.sets
    ]
    if totals:
        return f"{told} of {counted_as(max(totals), scores[0].unit)}"
    if not any(each.query_ids for each in scores):
        return ""
    return counted_as(known[0], scores[0].unit) if len(known) == 1 else f"{told} {scores[0].unit}"


def _tabulated(scores: Sequence[Scores]) -> tuple[str, list[str], list[list[str]], list[str]]:
    """Title, header, rows and notes of a table; the notes compare the main metric of each model with the first's."""
    first = scores[0]
    for other in scores[1:]:
        first.require_same_task(other)
    shown = dict.fromkeys([*first.reported, "coverage"])
    metrics = [metric for metric in shown if all(metric in each.values for each in scores)]
    if not metrics:
        raise InputError(f"the scores on {first.task!r} have no metric in common", field="values")
    title = ", ".join(filter(None, (first.task, asked(scores))))
    rows = [[metric, *(_cell(each, metric) for each in scores)] for metric in metrics]
    notes = [
        f"{other.model} over {first.model}, {first.main}: {other.compare(first, metric=first.main).describe()}"
        for other in scores[1:]
        if first.can_pair(other)
    ]
    fewest = min(first.sets or (len(first.query_ids),))
    if fewest == 1:
        where = "a set of " if first.sets else ""
        notes.insert(0, f"{where}{counted_as(1, first.unit)}: no interval, since one says nothing of how others score")
    elif not fewest and "coverage" in metrics:
        notes.insert(0, f"{counted_as(0, first.unit)} of which {first.model} knows the words: no interval")
    return title, ["metric", *(each.model for each in scores)], rows, notes


def _cell(scores: Scores, metric: str) -> str:
    interval = scores.intervals.get(metric)
    return f"{scores.values[metric]:.4f}" + (f" {interval}" if interval else "")
