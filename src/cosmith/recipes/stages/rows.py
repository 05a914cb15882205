"""Stages that make training rows of something else than pairs."""

from __future__ import annotations

from typing import Any

from cosmith.data import SourceSettings, example_pairs, label_pairs, read_classes, reasons
from cosmith.errors import InputError
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.row_schemas import ClassesStage
from cosmith.recipes.stages.data import columns_by_key, examples_of


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
        "examples": examples_of(list(source.rows())),
    }
