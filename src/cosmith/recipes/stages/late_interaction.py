"""The stage that trains a late-interaction model."""

from __future__ import annotations

import string
from typing import Any

from cosmith.errors import InputError
from cosmith.evaluation import mean_late_interaction_score
from cosmith.models import LateInteractionEncoder, QueryExpansion, find_model
from cosmith.models.late_interaction.folder import holds_late_interaction
from cosmith.recipes.artefacts import StageContext, load_late_interaction
from cosmith.recipes.model_kind_schemas import TrainLateInteractionStage
from cosmith.recipes.stages.training import outcome, pairs_per_second, training_settings
from cosmith.training import Interrupted, train_late_interaction
from cosmith.training.distributed import is_first_rank


def train(stage: TrainLateInteractionStage, context: StageContext) -> dict[str, Any]:
    """Train, going on from the last checkpoint where an interrupted run left one."""
    sources = [context.artefacts.source(name) for name in stage.sources]
    tasks = {name: context.artefacts.collection(name) for name in stage.dev}
    try:
        settings = training_settings(stage, context, context.seed)
        base = _start(stage, context)
        result = train_late_interaction(
            base,
            sources,
            settings,
            folder=context.folder,
            dev=mean_late_interaction_score(tasks) if tasks else None,
        )
    except Interrupted as error:
        raise KeyboardInterrupt from error
    except InputError as error:
        raise context.of_stage(error) from error
    if not is_first_rank():
        return {}  # the first one keeps the model and tells
    told = {
        "pairs": sum(len(source) for source in sources),
        "pairs_per_second": pairs_per_second(context.folder),
    }
    return told | outcome(result, context, base)


def _start(stage: TrainLateInteractionStage, context: StageContext) -> LateInteractionEncoder:
    if context.artefacts.kind(stage.model) == "late-interaction":
        return context.artefacts.late_interaction(stage.model)
    path = context.artefacts.model_path(stage.model)
    if holds_late_interaction(find_model(path)):
        return load_late_interaction(path, context.recipe.precision, stage.model)
    return LateInteractionEncoder.from_encoder(
        context.artefacts.encoder(stage.model),
        stage.dimension,
        expansion=None if stage.query_length is None else QueryExpansion(stage.query_length),
        skiplist=string.punctuation if stage.skip_punctuation else "",
        seed=context.seed,
    )
