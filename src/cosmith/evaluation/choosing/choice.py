"""Which model, at which length and in which form of its vectors: the Pareto table, a recommendation and its reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.averaging import fewest_items, mean_difference, mean_interval
from cosmith.evaluation.choosing.cost import ModelCost
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.significance import Comparison, Interval
from cosmith.evaluation.tables import markdown_table, terminal_table
from cosmith.phrases import counted, size
from cosmith.retrieval.vector_forms import VectorForm

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Budget:
    """What may be spent; None: any amount.

    Attributes:
        bytes: Of a vector.
        memory: Bytes of the process that runs the model.
        latency: Seconds, the median for one query.
    """

    bytes: int | None = None
    memory: int | None = None
    latency: float | None = None

    def __post_init__(self) -> None:
        for name in ("bytes", "memory", "latency"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"must be above 0, got {value:g}", field=name)

    def broken_by(self, stored: int, cost: ModelCost) -> tuple[str, ...]:
        """In words, what a model with vectors of this size takes too much of."""
        broken = []
        if self.bytes is not None and stored > self.bytes:
            broken.append(f"over {self.bytes:,} bytes")
        if self.latency is not None and cost.latency > self.latency:
            broken.append(f"over {1000 * self.latency:g} ms")
        if self.memory is not None and cost.process > self.memory:
            broken.append(f"over {size(self.memory)} of memory")
        return tuple(broken)


@dataclass(frozen=True)
class Option:
    """A model at one length and in one form of its vectors.

    Attributes:
        model: The model.
        dimension: Numbers of a vector.
        form: How each is stored.
        bytes: Of a vector.
        cost: What the model costs.
        scores: On each task.
        quality: The mean over the tasks of their main metrics.
        interval: Of that, over other queries of the same tasks; None where scores are not known by query, or a task,
            or a set of one, has one item.
        broken: What of the budget it breaks, in words.
        front: Whether no other option is at least as good, as fast and as small, and better in one of these.
    """

    model: str
    dimension: int
    form: VectorForm
    bytes: int
    cost: ModelCost
    scores: tuple[Scores, ...]
    quality: float
    interval: Interval | None
    broken: tuple[str, ...] = ()
    front: bool = False

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.model}, {self.dimension} {self.form}"

    def expense(self) -> float:
        """One number for three costs: latency × bytes of a vector × memory, so that halving one counts as much as
        halving another."""
        return self.cost.latency * self.bytes * self.cost.process


@dataclass(frozen=True)
class Choice:
    """What was measured, and what is recommended.

    Attributes:
        options: All, the best first.
        budget: What may be spent.
        best: The best within the budget; None where nothing is.
        chosen: What is recommended: the cheapest that is not significantly worse; None likewise.
        behind: What the chosen one has over the best; None where they are the same.
        reasons: Why, in plain words.
        notes: What else there is to know.
    """

    options: tuple[Option, ...]
    budget: Budget
    best: Option | None
    chosen: Option | None
    behind: Comparison | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def table(self) -> str:
        """The options and the reasons, for a terminal."""
        return "\n".join([terminal_table(*self._cells()), "", *self.reasons, *self.notes])

    def markdown(self) -> str:
        """The same as Markdown."""
        return markdown_table(*self._cells(), [*self.reasons, *self.notes]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold; without the values by item."""

        def told(option: Option) -> dict[str, Any]:
            interval = option.interval
            return {
                "model": option.model, "dim": option.dimension, "precision": option.form, "bytes": option.bytes,
                "quality": option.quality, "interval": None if interval is None else [interval.low, interval.high],
                "tasks": [{"task": each.task, "main": each.main, "value": each.value} for each in option.scores],
                "cost": asdict(option.cost), "over_budget": list(option.broken), "front": option.front,
            }  # fmt: skip

        return {
            "options": [told(option) for option in self.options],
            "budget": asdict(self.budget),
            "best": None if self.best is None else self.best.name,
            "chosen": None if self.chosen is None else told(self.chosen),
            "behind": None if self.behind is None else self.behind.to_dict(),
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }

    def _cells(self) -> tuple[str, list[str], list[list[str]]]:
        tasks = self.options[0].scores
        title = f"{counted(len(self.options), 'option')} on {', '.join(each.task for each in tasks)}"
        quality = tasks[0].main if len(tasks) == 1 else "mean of main metrics"
        rows = []
        for each in self.options:
            cost = each.cost
            marks = ["chosen"] if each is self.chosen else []
            marks += [*each.broken, *(["front"] if each.front else [])]
            rows.append([
                each.name, f"{each.quality:.4f}" + (f" {each.interval}" if each.interval else ""),
                f"{1000 * cost.latency:.2f} [{1000 * cost.low:.2f}, {1000 * cost.high:.2f}]", f"{each.bytes:,}",
                size(cost.process), size(cost.weights), ", ".join(marks),
            ])  # fmt: skip
        return title, ["model, vectors", quality, "ms a query", "bytes", "memory", "weights", ""], rows


def option_of(
    model: str, dimension: int, form: VectorForm, stored: int, cost: ModelCost, scores: Sequence[Scores], *,
    resamples: int = 10_000, seed: int = 0,
) -> Option:  # fmt: skip
    """An option with its quality and the interval of it."""
    interval = mean_interval(scores, resamples=resamples, seed=seed)
    quality = float(np.mean([each.value for each in scores]))
    return Option(model, dimension, form, stored, cost, tuple(scores), quality, interval)


def decide(
    options: Sequence[Option],
    budget: Budget,
    *,
    alpha: float = 0.05,
    notes: Sequence[str] = (),
    resamples: int = 10_000,
    seed: int = 0,
) -> Choice:
    """Recommend the cheapest option within the budget that is not significantly worse than the best within it.

    Each is compared with the best by a paired test over the tasks' items (:func:`mean_difference`), uncorrected for
    how many there are: a correction would let worse ones pass. The cheapest is that of the least
    :meth:`Option.expense`.

    Args:
        options: At least one, all scored on the same tasks.
        budget: What may be spent.
        alpha: From which p-value on a difference is taken for chance.
        notes: What else there is to know.
        resamples: Of the paired tests.
        seed: Of them.

    Raises:
        InputError: When there is no option.
    """
    if not options:
        raise InputError("there is nothing to choose from", field="models")
    ordered = sorted(options, key=lambda each: (-each.quality, each.expense()))
    marked = [
        replace(each, broken=budget.broken_by(each.bytes, each.cost), front=_on_front(each, ordered))
        for each in ordered
    ]
    within = [each for each in marked if not each.broken]
    over = _told_over(marked)
    if not within:
        nearest = min(marked, key=lambda each: (len(each.broken), each.expense()))
        told = f"Nothing fits the budget; the nearest is {nearest.name}, which is {' and '.join(nearest.broken)}."
        return Choice(tuple(marked), budget, None, None, None, (told, *over), tuple(notes))
    best = within[0]
    compared = {each.name: _over(each, best, resamples, seed) for each in within[1:]}
    passing = [best] + [
        each
        for each in within[1:]
        if (found := compared[each.name]) is not None and (found.difference >= 0 or found.p_value > alpha)
    ]
    chosen = min(passing, key=lambda each: (each.expense(), -each.quality))
    behind = compared.get(chosen.name)
    cheaper = [each for each in within if each.expense() < chosen.expense()]
    known = all(compared.get(each.name) for each in cheaper)
    reasons = _reasons(chosen, best, behind, _told_cheaper(len(cheaper), known=known))
    return Choice(tuple(marked), budget, best, chosen, behind, (*reasons, *_told_few(best), *over), tuple(notes))


def _on_front(option: Option, others: Sequence[Option]) -> bool:
    def costs(each: Option) -> tuple[float, float, float]:
        return -each.quality, each.cost.latency, each.bytes

    mine = costs(option)
    return not any(
        all(theirs <= ours for theirs, ours in zip(costs(other), mine, strict=True)) and costs(other) != mine
        for other in others
    )


def _over(one: Option, other: Option, resamples: int, seed: int) -> Comparison | None:
    """What an option has over another by items that both have a value for; None where there are none."""
    if not all(first.can_pair(second) for first, second in zip(one.scores, other.scores, strict=True)):
        return None
    return mean_difference(one.scores, other.scores, metric="quality", resamples=resamples, seed=seed)


def _told_cheaper(count: int, *, known: bool) -> str:
    """What is said of the options that are cheaper than the best, where that one is recommended."""
    if not count:
        return "nothing else within it that was measured is cheaper"
    if not known:
        return "what is cheaper could not be compared with it item by item"
    return "whatever is cheaper is significantly worse"


def _told_few(best: Option) -> list[str]:
    if fewest_items(best.scores) > 1:
        return []
    return [
        "These are too few items to choose by: a task, or a set of one, has at most one, which says nothing of how"
        " others score."
    ]


def _reasons(chosen: Option, best: Option, behind: Comparison | None, cheaper: str) -> list[str]:
    told = (
        f"Recommended: {chosen.name}. It scores {chosen.quality:.4f} at {1000 * chosen.cost.latency:.2f} ms a query,"
        f" {chosen.bytes:,} bytes a vector and {size(chosen.cost.process)} of memory."
    )
    if behind is None:
        return [told, f"It is the best within the budget, and {cheaper}."]
    spread = f"({behind.few}: no interval)" if behind.few else str(behind.interval)
    verdict = (
        f"The best within the budget, {best.name}, scores {best.quality:.4f}; the difference of"
        f" {behind.difference:+.4f} {spread} is not significant (p = {behind.p_value:.2g})."
    )
    if behind.detectable is not None:
        verdict += f" With these items differences of {behind.detectable:.3f} and more show; smaller ones may be there."
    pairs = (
        ("the time", chosen.cost.latency, best.cost.latency), ("the bytes", chosen.bytes, best.bytes),
        ("the memory", chosen.cost.process, best.cost.process),
    )  # fmt: skip
    shares = [f"{_ratio(ours / theirs)} {what}" for what, ours, theirs in pairs if not math.isclose(ours, theirs)]
    return [told, verdict, f"Of the best it takes {', '.join(shares)}."]


def _ratio(value: float) -> str:
    return f"{100 * value:.0f} % of" if value >= 0.01 else f"{100 * value:.2f} % of"


def _told_over(options: Sequence[Option]) -> list[str]:
    broken = [reason for each in options for reason in each.broken]
    if not broken:
        return []
    by_reason = [f"{broken.count(reason)} {reason}" for reason in dict.fromkeys(broken)]
    over = sum(bool(each.broken) for each in options)
    return [f"{over} of {counted(len(options), 'option')} are out of the budget: {', '.join(by_reason)}."]
