"""The stage that leaves out what is there twice, in another language, too short, about nothing, or in the test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from cosmith.atomic import write_json_lines
from cosmith.data.cleaning import Example, Fault, Step, clean_records, clean_rows, dropped_rows
from cosmith.data.cleaning.filters import describe_steps
from cosmith.data.cleaning.lengths import Tokenize
from cosmith.errors import InputError
from cosmith.evaluation.contamination import overlap_with_task
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.cleaning_schemas import CleanStage
from cosmith.recipes.stages.data import examples_of

_DROPPED = "dropped.jsonl"


def clean(stage: CleanStage, context: StageContext) -> dict[str, Any]:
    """Clean rows or texts."""
    try:
        return _rows(stage, context) if stage.source is not None else _texts(stage, context)
    except InputError as error:
        raise context.of_stage(error) from error


def _rows(stage: CleanStage, context: StageContext) -> dict[str, Any]:
    assert stage.source is not None
    source = replace(context.artefacts.source(stage.source), name=stage.source)
    cleaned = clean_rows(source, stage.filters(), part=stage.part, tokenize=_tokenize(stage, context))
    left, dropped, steps = cleaned.source, dict(cleaned.dropped), list(cleaned.steps)
    numbers, overlaps = cleaned.numbers, []
    for task in stage.without:
        overlap = overlap_with_task(left, context.artefacts.task(task))
        keep = np.ones(len(left), dtype=np.bool_)
        keep[overlap.rows] = False
        reason = f"trains on {task}"
        counts = {reason: len(overlap.rows)} if overlap.trained else {}
        examples = tuple(Example(each.train, reason, each.how) for each in overlap.examples)
        steps.append(Step(f"contamination by {task}", len(left), int(keep.sum()), counts, examples=examples))
        dropped |= dict.fromkeys(numbers[~keep].tolist(), Fault(reason))
        if not keep.any():
            raise InputError(f"every row trains on {task}", field="without", remedy="Train on other rows.")
        left, numbers = left.select(np.flatnonzero(keep)), numbers[keep]
        overlaps.append(overlap.values())
    left.save(context.artefacts.folder(context.name))
    write_json_lines(context.folder / _DROPPED, dropped_rows(source, dropped))
    return _told(len(source), len(left), steps, "row", dropped, context) | {
        "overlaps": overlaps,
        "examples": examples_of(left),
    }


def _texts(stage: CleanStage, context: StageContext) -> dict[str, Any]:
    """Texts keep what stands beside them: ids, titles, sections, links."""
    assert stage.texts is not None
    with (context.artefacts.folder(stage.texts) / "texts.jsonl").open(encoding="utf-8") as lines:
        records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    cleaned, left = clean_records(records, stage.filters(), tokenize=_tokenize(stage, context))
    write_json_lines(context.artefacts.folder(context.name) / "texts.jsonl", left)
    dropped = ({**records[number], **asdict(fault)} for number, fault in cleaned.dropped.items())
    write_json_lines(context.folder / _DROPPED, dropped)
    return _told(len(records), len(cleaned.texts), cleaned.steps, "text", cleaned.dropped, context)


def _told(
    before: int, after: int, steps: Sequence[Step], noun: str, dropped: Mapping[int, Fault], context: StageContext
) -> dict[str, Any]:
    return {
        f"{noun}s": before,
        "kept": after,
        "steps": [asdict(step) for step in steps],
        "dropped_file": str(context.folder / _DROPPED) if dropped else None,
        "told": describe_steps(steps, noun),
    }


def _tokenize(stage: CleanStage, context: StageContext) -> Tokenize | None:
    if stage.least_tokens is None and stage.most_tokens is None:
        return None
    return context.artefacts.encoder(stage.model).tokenize
