"""The section on documents: what was read of a folder, and how it was cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmith.inspection import wording
from cosmith.inspection.data_sections import dropped_table
from cosmith.inspection.markup import Markup, element, facts, joined, table
from cosmith.inspection.passages import passage
from cosmith.inspection.run_record import RunRecord, StageView


def documents_section(run: RunRecord) -> Markup | None:
    """Documents by format, what was passed over or cannot be read; chunks with their lengths and examples."""
    stages = run.of_kind("documents", "chunks")
    if not stages:
        return None
    return joined((_read if stage.kind == "documents" else _cut)(stage, len(stages) > 1) for stage in stages)


def _read(stage: StageView, titled: bool) -> Markup:
    result = stage.result
    known = [(name, wording.count(result[name])) for name in ("documents", "titles", "sections", "characters")]
    formats: Mapping[str, int] = result["formats"]
    return joined(
        [
            element("h3", stage.name) if titled else None,
            element("p", f"From {stage.config['path']}") if stage.config.get("path") else None,
            facts(known),
            table(["format", "documents"], [[name, wording.count(count)] for name, count in formats.items()]),
            dropped_table(result["passed_over"], "files passed over"),
            dropped_table(result["dropped"], "files that cannot be read"),
        ]
    )


def _cut(stage: StageView, titled: bool) -> Markup:
    result = stage.result
    tokens: Mapping[str, Any] = result["tokens"]
    known = [
        ("texts", wording.count(result["texts"])),
        ("chunks", wording.count(result["chunks"])),
        ("tokens of a chunk, on average", f"{tokens['mean']:g}"),
        ("of the longest one", wording.count(tokens["most"])),
        ("the limit", wording.count(tokens["limit"])),
    ]
    examples: Sequence[Mapping[str, str]] = result["examples"]
    rows = [[each["id"], each["headings"], passage(each["text"], characters=220, lines=5)] for each in examples[:3]]
    return joined(
        [
            element("h3", stage.name) if titled else None,
            facts(known),
            table(["chunk", "under the headings", "text"], rows) if rows else None,
        ]
    )
