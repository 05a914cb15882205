"""The stage that has a language model write training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cosmith.data import Source, SourceSettings
from cosmith.errors import InputError
from cosmith.mining.synthesis import (
    TASKS,
    Passage,
    Synthesis,
    SyntheticRow,
    Template,
    counts_by_sort,
    load_personas,
    passages_of,
    samples_by_sort,
    synthesise,
    write_rejected_answers,
    write_synthetic_rows,
)
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.pair_splits import split_source
from cosmith.recipes.stages.data import examples_of, keep_split, whole_rows
from cosmith.recipes.synthesis_schemas import SynthesiseStage
from cosmith.recipes.text_names import name_among

ANSWERS = ".answers.sqlite"
"""The file of answers in a run's folder: it outlives the stage, whose folder is made anew when its settings change."""


def synthesise_rows(stage: SynthesiseStage, context: StageContext) -> dict[str, Any]:
    """Rows that a language model writes about texts, parted into training rows, a development and a test set."""
    passages = drawn(_passages(stage, context), stage.most_texts, context.seed)
    cache = context.run / ANSWERS if stage.cache is None else Path(stage.cache)
    settings = stage.wanted(context.seed)
    try:
        made = synthesise(
            passages, stage.asked_of(), settings, cache=cache, budget=stage.budget(),
            encoder=context.artefacts.encoder(stage.encoder) if stage.make == "queries" else None,
            personas=None if stage.personas is None else load_personas(stage.personas),
            engine=stage.made_by(),
        )  # fmt: skip
        told = described(made, settings.templates(), stage.llm)
        rejected_file = context.folder / "rejected.jsonl"
        write_rejected_answers(rejected_file, made.rejected)
        if not made.rows:
            raise InputError(
                f"the budget ended before the first row ({made.describe()})",
                field=f"most_{made.stopped_by}",
                remedy="Raise it; what was answered is kept.",
            )
        write_synthetic_rows(context.folder / "rows.jsonl", made.rows)
        source_settings = SourceSettings(task=TASKS[stage.make], instruction=stage.instruction)
        with whole_rows(context) as place:
            whole = Source.write(place, "whole", (each.row for each in made.rows), source_settings)
            split = split_source(whole, dev=stage.dev, test=stage.test, seed=context.seed)
            splits = keep_split(whole, split, context.folder, near=stage.near)
    except InputError as error:
        raise context.of_stage(error) from error
    return told | {
        "rejected_file": str(rejected_file) if made.rejected else None,
        "rows_file": str(context.folder / "rows.jsonl"),
        "splits": splits,
        "examples": examples_of(Source.load(context.folder / "train")),
    }


def drawn(passages: Sequence[Passage], most: int | None, seed: int) -> list[Passage]:
    """At most ``most`` of the passages, by chance, in their order."""
    if most is None or len(passages) <= most:
        return list(passages)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(passages))[:most])
    return [passages[number] for number in chosen]


def described(made: Synthesis, templates: Sequence[Template], model: str) -> dict[str, Any]:
    """What came of a synthesis, as plain values."""
    usage = asdict(made.usage) | {"money": round(made.usage.money, 6)}
    return {
        "told": made.describe(),
        "pairs": len(made.rows),
        "passages": made.passages,
        "passages_finished": made.finished,
        "stopped_by": made.stopped_by,
        "model": model,
        "templates": {each.name: each.fingerprint() for each in templates},
        **usage,
        "dropped": made.reasons,
        "by_sort": counts_by_sort(made.rows),
        "samples": {sort: [_shown(each) for each in rows] for sort, rows in samples_by_sort(made.rows).items()},
    }


def _shown(made: SyntheticRow) -> Mapping[str, str]:
    return {"query": made.row.query, "document": made.row.positives[0], "made_from": made.passage,
            **{key: value for key, value in asdict(made.assignment).items() if value}}  # fmt: skip


def _passages(stage: SynthesiseStage, context: StageContext) -> list[Passage]:
    """The texts of all inputs; where there are several, an id says which it is from."""
    found: list[Passage] = []
    for name in stage.texts:
        texts = context.artefacts.passages(name)
        found += passages_of({name_among(stage.texts, name, each): text for each, text in texts.items()})
    return found
