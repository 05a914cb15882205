"""Stages that make training rows of something else than pairs."""

from __future__ import annotations

from typing import Any

from cosmith.data import (
    SourceSettings,
    example_pairs,
    label_pairs,
    read_classes,
    read_sts,
    reasons,
    self_pairs,
)
from cosmith.errors import InputError
from cosmith.mining import graded_rows
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.row_schemas import ClassesStage, GradedPairsStage, SelfPairsStage
from cosmith.recipes.stages.data import columns_by_key, examples_of
from cosmith.recipes.stages.pretraining import all_texts


def classes(stage: ClassesStage, context: StageContext) -> dict[str, Any]:
    """Rows of texts with texts of their class, or with its name, and with those of other classes."""
    rejected_file = context.folder / "rejected.jsonl"
    with columns_by_key(stage, context):
        read = read_classes(stage.path, text=stage.text, label=stage.label, rejected=rejected_file)
    settings = SourceSettings(task=stage.task, instruction=stage.instruction, loss=stage.loss)
    try:
        if stage.form == "examples":
            source = example_pairs(
                context.name, read.texts, read.labels, positives=stage.positives, negatives=stage.negatives,
                seed=context.seed, settings=settings,
            )  # fmt: skip
        else:
            source = label_pairs(
                context.name, read.texts, read.labels, negatives=stage.negatives, seed=context.seed, settings=settings
            )
    except InputError as error:
        raise InputError(error.problem, path=read.path, field=f"stages.{context.name}", remedy=error.remedy) from error
    source.save(context.artefacts.folder(context.name))
    return {
        "pairs": len(source),
        "classes": len(set(read.labels)),
        "columns": dict(read.columns),
        "dropped": reasons(read.rejected),
        "rejected_file": str(rejected_file) if read.rejected else None,
        "examples": examples_of(source),
    }


def pairs_of_selves(stage: SelfPairsStage, context: StageContext) -> dict[str, Any]:
    """Rows of each text with itself."""
    source = self_pairs(context.name, all_texts(stage.texts, context))
    source.save(context.artefacts.folder(context.name))
    return {"pairs": len(source)}


def rows_of_grades(stage: GradedPairsStage, context: StageContext) -> dict[str, Any]:
    """Rows of the pairs that are alike, in both directions, with texts that share words as negatives."""
    rejected_file = context.folder / "rejected.jsonl"
    pairs = read_sts(stage.path, rejected=rejected_file)
    settings = SourceSettings(task="sts", instruction=stage.instruction, loss=stage.loss)
    try:
        made = graded_rows(
            context.name, pairs, least=stage.least, unlike=stage.unlike, negatives=stage.negatives,
            language=stage.language, seed=context.seed, settings=settings,
        )  # fmt: skip
    except InputError as error:
        raise context.of_stage(error) from error
    made.source.save(context.artefacts.folder(context.name))
    return {
        "pairs": len(made.source),
        "graded_pairs": made.pairs,
        "alike": made.alike,
        "negatives_by_words": made.found,
        "negatives_drawn": made.drawn,
        "dropped": reasons(pairs.rejected),
        "rejected_file": str(rejected_file) if pairs.rejected else None,
        "examples": examples_of(made.source),
    }
