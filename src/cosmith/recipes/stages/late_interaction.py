"""The stage that trains a late-interaction model."""

from __future__ import annotations

import string
from typing import Any

from cosmith.evaluation import mean_late_interaction_score
from cosmith.models import LateInteractionEncoder, QueryExpansion, find_model, kind_of
from cosmith.recipes.artefacts import StageContext, load_late_interaction
from cosmith.recipes.model_kind_schemas import TrainLateInteractionStage
from cosmith.recipes.stages.training import changed, named_source, outcome, told_by_stage, training_settings
from cosmith.training import train_late_interaction


def train(stage: TrainLateInteractionStage, context: StageContext) -> dict[str, Any]:
    """Train, going on from the last checkpoint where an interrupted run left one."""
    sources = [changed(named_source(name, context), stage.per_source.get(name)) for name in stage.sources]
    tasks = {name: context.artefacts.collection(name) for name in stage.dev}
    with told_by_stage(context):
        settings = training_settings(stage, context, context.seed)
        base = _start(stage, context)
        result = train_late_interaction(
            base,
            sources,
            settings,
            folder=context.folder,
            dev=mean_late_interaction_score(tasks) if tasks else None,
        )
    return outcome(result, context, base, sources)


def _start(stage: TrainLateInteractionStage, context: StageContext) -> LateInteractionEncoder:
    if context.artefacts.kind(stage.model) == "late-interaction":
        return context.artefacts.late_interaction(stage.model)
    path = context.artefacts.model_path(stage.model)
    if kind_of(find_model(path)) == "late-interaction":
        return load_late_interaction(path, context.recipe.precision, stage.model)
    return LateInteractionEncoder.from_encoder(
        context.artefacts.encoder(stage.model),
        stage.dimension,
        expansion=None if stage.query_length is None else QueryExpansion(stage.query_length),
        skiplist=string.punctuation if stage.skip_punctuation else "",
        seed=context.seed,
    )
