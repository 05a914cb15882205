"""What the stages of a recipe do, by kind."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmith.recipes.artefacts import StageContext
    from cosmith.recipes.schema import Stage

# Imported when a stage of the kind runs: some need torch, and the report needs none of it.
STAGE_FUNCTIONS: Mapping[str, str] = {
    "python-functions": "cosmith.recipes.stages.data:python_functions",
    "source": "cosmith.recipes.stages.data:source",
    "collection": "cosmith.recipes.stages.data:collection",
    "sts": "cosmith.recipes.stages.data:sts",
    "task": "cosmith.recipes.stages.measuring:bring_task",
    "classes": "cosmith.recipes.stages.rows:classes",
    "graded-pairs": "cosmith.recipes.stages.rows:rows_of_grades",
    "weak-pairs": "cosmith.recipes.stages.weak_pairs:pairs_of_documents",
    "self-pairs": "cosmith.recipes.stages.rows:pairs_of_selves",
    "synthesise": "cosmith.recipes.stages.synthesis:synthesise_rows",
    "documents": "cosmith.recipes.stages.documents:documents",
    "chunks": "cosmith.recipes.stages.documents:chunks",
    "texts": "cosmith.recipes.stages.pretraining:texts",
    "model": "cosmith.recipes.stages.pretraining:bring_model",
    "initialise": "cosmith.recipes.stages.pretraining:initialise_model",
    "rebuild": "cosmith.recipes.stages.rebuilding:rebuild",
    "static": "cosmith.recipes.stages.shrinking:make_static",
    "drop-layers": "cosmith.recipes.stages.shrinking:drop",
    "prune-vocabulary": "cosmith.recipes.stages.shrinking:prune",
    "adapt": "cosmith.recipes.stages.pretraining:adapt",
    "estimate": "cosmith.recipes.stages.training:estimate_cost",
    "mine": "cosmith.recipes.stages.mining:mine",
    "score": "cosmith.recipes.stages.judging:score",
    "filter": "cosmith.recipes.stages.judging:filter_rows",
    "round-trip": "cosmith.recipes.stages.judging:keep_found_again",
    "clean": "cosmith.recipes.stages.cleaning:clean",
    "train": "cosmith.recipes.stages.training:train_model",
    "train-reranker": "cosmith.recipes.stages.reranking:train",
    "train-sparse": "cosmith.recipes.stages.sparse:train",
    "train-late-interaction": "cosmith.recipes.stages.late_interaction:train",
    "merge": "cosmith.recipes.stages.merging:merge_models",
    "evaluate": "cosmith.recipes.stages.measuring:evaluate",
    "compare": "cosmith.recipes.stages.measuring:compare",
    "index": "cosmith.recipes.stages.searching:index",
    "report": "cosmith.recipes.stages.searching:report",
}


def stage_function(stage: Stage) -> Callable[[Any, StageContext], dict[str, Any]]:
    """The function that runs a stage of this kind."""
    module, _, name = STAGE_FUNCTIONS[stage.kind].partition(":")
    function: Callable[[Any, StageContext], dict[str, Any]] = getattr(importlib.import_module(module), name)
    return function
