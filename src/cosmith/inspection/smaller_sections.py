"""The section of smaller models: what each form of one is, and what it loses."""

from __future__ import annotations

from typing import Any

from cosmith.inspection.markup import Markup, element, joined, table
from cosmith.inspection.run_record import RunRecord, StageView
from cosmith.phrases import counted, size

_KINDS = ("drop-layers", "prune-vocabulary", "static")


def smaller_section(run: RunRecord) -> Markup | None:
    """Sizes, nearness to the whole model and changes on test sets, of each stage that made a smaller one."""
    stages = run.of_kind(*_KINDS)
    return joined(_smaller(stage) for stage in stages) if stages else None


def _smaller(stage: StageView) -> Markup:
    forms = stage.result["forms"]
    rows = [
        [each["name"], f"{each['parameters']:,}", size(each["bytes"]), each["dimension"], f"{each['cpu_seconds']:.2f}",
         _number(each["mean"]), _number(each["neighbours"])]
        for each in forms
    ]  # fmt: skip
    changes = [
        [f"{each['name']}, {change['task']}", change["metric"], _number(change["before"]), _number(change["after"]),
         f"{change['difference']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"]
        for each in forms[1:]
        for change in each["tasks"]
    ]  # fmt: skip
    heads = ["model", "weights", "bytes", "dimensions", "CPU s", "cosine to the first", "neighbours kept"]
    told = f"Processor seconds, cosines and nearest neighbours of {counted(forms[0]['texts'], 'text')}."
    return joined(
        [
            element("h3", stage.name),
            element("p", told),
            table(heads, rows, class_="scores"),
            table(["", "metric", "before", "after", "difference, 95 %"], changes, class_="scores") if changes else None,
        ]
    )


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}"
