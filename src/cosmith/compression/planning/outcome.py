"""A plan: what was measured, what is recommended, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cosmith.compression.planning.candidate import Candidate, with_fronts
from cosmith.compression.planning.limits import Limits, broken, described
from cosmith.compression.planning.quality import ENOUGH_ITEMS
from cosmith.errors import InputError
from cosmith.evaluation.averaging import fewest_items
from cosmith.evaluation.significance import Interval
from cosmith.evaluation.tables import markdown_table, terminal_table
from cosmith.phrases import counted, share, size


@dataclass(frozen=True)
class Plan:
    """What was measured, and what is recommended.

    Attributes:
        model: What the model is called.
        limits: What may be spent, and what has to be kept.
        candidates: All that could be recommended, the best first.
        full: The whole model in float32 with whole vectors in float32, with which all others are compared; one of them
            unless other forms were asked for.
        chosen: What is recommended: the cheapest within the limits; None where nothing is.
        nearest: Where nothing is: what comes nearest to the limits; else None.
        sure: Whether what is kept counts at the lower end of its interval.
        reasons: Why, in plain words.
        notes: What else there is to know.
    """

    model: str
    limits: Limits
    candidates: tuple[Candidate, ...]
    full: Candidate
    chosen: Candidate | None
    nearest: Candidate | None
    sure: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> list[Candidate]:
        """What a table shows: what stands on a front, the full model, and what is recommended or nearest."""
        named = (self.full, self.chosen, self.nearest)
        found = [each for each in self.candidates if each.fronts or any(each is other for other in named)]
        return found if any(each is self.full for each in found) else [self.full, *found]

    def table(self) -> str:
        """The fronts and the reasons, for a terminal."""
        return "\n".join([terminal_table(*self._cells()), "", *self.reasons, *self.notes])

    def markdown(self) -> str:
        """The same as Markdown."""
        return markdown_table(*self._cells(), [*self.reasons, *self.notes]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold; without the values by item."""
        named = {"full": self.full, "chosen": self.chosen, "nearest": self.nearest}
        return {
            "model": self.model,
            "corpus_size": self.full.corpus_size,
            "limits": self.limits.to_dict(),
            **{name: None if each is None else each.to_dict() for name, each in named.items()},
            "kept_by": "lower end of the interval" if self.sure else "value",
            "candidates": [each.to_dict() for each in self.candidates],
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }

    @property
    def metric(self) -> str:
        """What quality is."""
        return self.full.scores[0].main if len(self.full.scores) == 1 else "mean of main metrics"

    def marks(self, each: Candidate) -> str:
        """What a table says of a candidate: whether it is recommended, else its limits and fronts."""
        named = ((self.chosen, "chosen"), (self.nearest, "nearest"), (self.full, "full"))
        told = [word for other, word in named if each is other]
        told += [broken(name, self.limits.given()[name]) for name in each.excesses]
        return ", ".join(told + (["front: " + " ".join(each.fronts)] if each.fronts else []))

    def _standing(self, each: Candidate) -> str:
        named = ((self.chosen, "chosen"), (self.nearest, "nearest"), (self.full, "full"))
        words = [word for other, word in named if each is other]
        return ", ".join([*words, *([_short(each.fronts)] if each.fronts else [])])

    def _cells(self) -> tuple[str, list[str], list[list[str]]]:
        tasks = ", ".join(each.task for each in self.full.scores)
        shown = self.shown
        offered = sum(any(each is other for other in self.candidates) for each in shown)
        beside = " and the full model" if offered < len(shown) else ""
        title = (
            f"{self.model} on {tasks}: {offered:,} of {counted(len(self.candidates), 'candidate')}{beside};"
            f" memory for {counted(self.full.corpus_size, 'document')}"
        )
        rows = [
            [each.name, f"{each.quality:.4f}", kept_of(each), stored_of(each),
             f"{_milliseconds(each.latency)}, {_milliseconds(each.slow_latency)}", size(each.memory),
             f"{each.running.documents_per_second:,.0f}", _short(each.excesses), self._standing(each)]
            for each in shown
        ]  # fmt: skip
        header = ["model; vectors", self.metric, "kept", "bytes", "ms p50, p95", "memory", "texts/s", "breaks", "front"]
        return title, header, rows


def kept_of(each: Candidate) -> str:
    """The share that is kept, with the lower end of its interval: ``98.2 % (96.9 %)``."""
    return share(each.kept) + ("" if each.kept_low is None else f" ({share(each.kept_low)})")


def stored_of(each: Candidate) -> str:
    """Bytes of a document: ``48 + 384``."""
    return f"{each.bytes:,.0f}" + (f" + {each.finer_bytes:,.0f}" if each.finer_bytes else "")


_SHORT = {"latency": "ms", "finer_bytes": "finer", "keep": "kept"}


def _short(names: Iterable[str]) -> str:
    """Limits or costs by the names of their columns."""
    return " ".join(_SHORT.get(name, name) for name in names)


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f}" if seconds >= 0.1 else f"{1000 * seconds:.1f}"


def decide(
    candidates: Sequence[Candidate], full: Candidate, limits: Limits, *, model: str, notes: Sequence[str] = ()
) -> Plan:
    """Recommend the cheapest candidate within the limits.

    What is kept counts at the lower end of the interval of the paired difference to the full model, where every task
    has 30 items or more. The cheapest is that of the least :attr:`Candidate.expense`.

    Args:
        candidates: All that may be recommended, at least one.
        full: The full model with full vectors, which may be among them.
        limits: What may be spent, and what has to be kept.
        model: What to call the model.
        notes: What else there is to know.

    Raises:
        InputError: When there is no candidate, or the full model scores nothing, of which no share could be kept.
    """
    if not candidates:
        raise InputError("there is nothing to choose from", field="runtimes", remedy="Name others.")
    require_useful(full.quality, model)
    sure = fewest_items(full.scores) >= ENOUGH_ITEMS and full.interval is not None
    judged = [
        replace(each, excesses=limits.excesses(each.taken(sure=sure)))
        for each in sorted(with_fronts(candidates), key=lambda each: (-each.quality, each.expense))
    ]
    whole = next((each for each in judged if (each.model, each.form) == (full.model, full.form)), full)
    within = [each for each in judged if not each.excesses]
    if within:
        chosen = min(within, key=lambda each: (each.expense, -each.quality))
        reasons = _reasons(chosen, whole, limits, sure, len(within), len(judged))
        return Plan(model, limits, tuple(judged), whole, chosen, None, sure, tuple(reasons), tuple(notes))
    nearest = min(judged, key=lambda each: (len(each.excesses), max(each.excesses.values()), each.expense))
    reasons = _nearly(judged, nearest, limits, sure)
    return Plan(model, limits, tuple(judged), whole, None, nearest, sure, tuple(reasons), tuple(notes))


def require_useful(quality: float, model: str) -> None:
    """Refuse a model that scores nothing.

    Raises:
        InputError: In this case: no share of it could be kept.
    """
    if not quality > 0:
        raise InputError(f"{model} scores {quality:.4f} in float32, of which no share can be kept", field="tasks",
                         remedy="Give a task on which the model is of use.")  # fmt: skip


def _reasons(chosen: Candidate, full: Candidate, limits: Limits, sure: bool, within: int, of: int) -> list[str]:
    """Why this one."""
    itself = chosen is full
    named = f"Recommended: {chosen.model} with vectors as {chosen.form!r}."
    told = [
        f"{named} That is the full model itself: nothing that was tried costs less within the limits. It scores"
        f" {chosen.quality:.4f}{_interval(chosen.interval)}."
        if itself
        else f"{named} It keeps {share(chosen.kept)} of the full model's {full.quality:.4f}:"
        f" {chosen.quality:.4f}{_interval(chosen.interval)}, a difference of"
        f" {chosen.change:+.4f}{_interval(chosen.change_interval)}.",
        f"It takes {stored_of(chosen)} bytes a document, {1000 * chosen.latency:.1f} ms a query (19 of 20 within"
        f" {1000 * chosen.slow_latency:.1f}) and {size(chosen.memory)} of memory"
        + (f" and {size(chosen.disk)} of disk" if chosen.disk else "")
        + f" for {counted(chosen.corpus_size, 'document')}"
        + ("." if itself else f"; the full model {stored_of(full)}, {1000 * full.latency:.1f} ms and"
           f" {size(full.memory)}."),
        f"{within:,} of {counted(of, 'candidate')} {'is' if within == 1 else 'are'} within the limits"
        f" ({_limits(limits)}); it is the one with the least latency × (memory + a tenth of the disk).",
    ]  # fmt: skip
    return [*told, _basis(sure)] if limits.keep is not None else told


def _nearly(candidates: Sequence[Candidate], nearest: Candidate, limits: Limits, sure: bool) -> list[str]:
    """Which limit is nearest to being met, and by what."""
    told = [
        f"Nothing is within the limits ({_limits(limits)}).",
        f"The nearest is {nearest.name}: {_over(nearest, limits, sure)}.",
    ]
    for name in limits.given():
        alone = [each for each in candidates if set(each.excesses) == {name} and each is not nearest]
        if alone and set(nearest.excesses) != {name}:
            best = min(alone, key=lambda each: each.excesses[name])
            told.append(f"But for one limit all are met by {best.name}: {_over(best, limits, sure)}.")
    return [*told, _basis(sure)] if limits.keep is not None else told


def _over(each: Candidate, limits: Limits, sure: bool) -> str:
    taken, given = each.taken(sure=sure), limits.given()
    surely = "surely " if sure else ""
    return " and ".join(
        f"it {surely}keeps {described(name, taken[name])}, not {described(name, given[name])}"
        if name == "keep"
        else f"it takes {described(name, taken[name])}{' of finer copies' if name == 'finer_bytes' else ''}"
        f" where {described(name, given[name])} are allowed"
        for name in each.excesses
    )


def _limits(limits: Limits) -> str:
    words = {"bytes": "at most {}", "finer_bytes": "finer copies of at most {}", "latency": "at most {}",
             "memory": "at most {} of memory", "keep": "at least {} kept"}  # fmt: skip
    return ", ".join(words[name].format(described(name, value)) for name, value in limits.given().items()) or "none"


def _basis(sure: bool) -> str:
    if sure:
        return (
            "What is kept counts at the lower end of the 95 % interval of the paired difference to the full model, the"
            " number beside it."
        )
    return (
        f"What is kept counts by its value: a task has fewer than {ENOUGH_ITEMS} items, or none that are scored by"
        " themselves, so how sure it is cannot be said."
    )


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f" {interval}"
