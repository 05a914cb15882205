"""Did it help? One honest sentence, whatever the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cosmith.inspection import wording
from cosmith.inspection.run_record import RunRecord

GENERAL = "general-check"

Outcome = Literal["better", "worse", "unclear", "none"]


@dataclass(frozen=True)
class Verdict:
    """What a run has come to.

    Attributes:
        outcome: Whether the interval of the difference lies above zero, below, or holds it; none: nothing was compared.
        sentence: The answer with number and interval.
        remarks: What else must be known to judge it: what was forgotten, that the base was kept.
    """

    outcome: Outcome
    sentence: str
    remarks: tuple[str, ...] = ()


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """Whether a difference is clear of zero, and on which side."""
    return "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "unclear"


def main_row(rows: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The comparison that counts: the first that is not the general check set."""
    return next((row for row in rows if row["task"] != GENERAL), rows[0] if rows else None)


def verdict(run: RunRecord) -> Verdict:
    """The verdict on the run's last comparison."""
    comparisons = run.of_kind("compare")
    row = main_row(list(comparisons[-1].result.get("tasks", []))) if comparisons else None
    if row is None:
        return Verdict("none", _without_comparison(run))
    outcome = outcome_of(row)
    metric, queries = wording.metric_name(row["metric"]), row["wins"] + row["losses"] + row["ties"]
    before, after = wording.score(row["before"]), wording.score(row["after"])
    figures = (
        f"{wording.difference(row['difference'])} {wording.interval(row['low'], row['high'])},"
        f" {wording.probability(row['p_value'])}"
    )
    where = f"On {wording.count(queries)} held-out {row.get('unit', 'queries')}"
    sentence = {
        "better": f"{where} {metric} rose from {before} to {after}: {figures}.",
        "worse": f"{where} {metric} fell from {before} to {after}: {figures}. The tuned model is worse.",
        "unclear": f"{where} {metric} went from {before} to {after}: {figures}. That is no clear difference:"
        f" the interval holds zero.{_would_show(row)}",
    }[outcome]
    remarks = [
        *_kept_base(run),
        *(
            _forgotten(other)
            for other in comparisons[-1].result["tasks"]
            if other["task"] == GENERAL and other is not row
        ),
    ]
    return Verdict(outcome, sentence, tuple(remarks))


def _would_show(row: Mapping[str, Any]) -> str:
    """What so many queries can show; nothing where that is not known."""
    least = row.get("detectable")
    return "" if least is None else f" With so many, true differences of {wording.score(least)} and more show."


def _kept_base(run: RunRecord) -> list[str]:
    return [
        f"On the development set no mixture with the weights of “{stage.name}” beat those it started from,"
        " so these were kept: training did not help."
        for stage in run.of_kind("train")
        if stage.result.get("alpha") == 0
    ]


def _forgotten(row: Mapping[str, Any]) -> str:
    figures = (
        f"{wording.metric_name(row['metric'])} {wording.score(row['before'])} → {wording.score(row['after'])},"
        f" {wording.difference(row['difference'])} {wording.interval(row['low'], row['high'])}"
    )
    said = {
        "worse": "something general was forgotten",
        "unclear": "no clear loss",
        "better": "nothing was lost, it even gained",
    }
    return f"On everyday topics outside the domain: {said[str(outcome_of(row))]} ({figures})."


def _without_comparison(run: RunRecord) -> str:
    scores = [each for stage in run.of_kind("evaluate") for each in stage.result.get("scores", [])]
    if not scores:
        return "This run has measured no model yet."
    best = max(
        (each for each in scores if each["task"] == scores[0]["task"]), key=lambda each: each["values"][each["main"]]
    )
    value = best["values"][best["main"]]
    return (
        f"Nothing was compared in this run; {best['model']} scores {wording.metric_name(best['main'])}"
        f" {wording.score(value)} on {best['task']}."
    )
