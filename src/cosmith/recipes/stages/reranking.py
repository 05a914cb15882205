"""The stage that trains a reranker."""

from __future__ import annotations

from typing import Any

from cosmith.errors import InputError
from cosmith.evaluation import mean_reranked_score, mean_score_of
from cosmith.models import CrossEncoder
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.model_kind_schemas import TrainRerankerStage
from cosmith.recipes.stages.measuring import first_hits
from cosmith.recipes.stages.training import named_source, outcome, pairs_per_second, training_settings
from cosmith.training import Interrupted, train_reranker
from cosmith.training.distributed import is_first_rank


def train(stage: TrainRerankerStage, context: StageContext) -> dict[str, Any]:
    """Train, going on from the last checkpoint where an interrupted run left one."""
    sources = [named_source(name, context) for name in stage.sources]
    found = [
        (collection, first_hits(stage.first, collection, context))
        for collection in map(context.artefacts.collection, stage.dev)
    ]
    try:
        settings = training_settings(stage, context, context.seed)
        base = _start(stage.model, context)
        result = train_reranker(
            base,
            sources,
            settings,
            loss=stage.loss,
            teacher_temperature=stage.teacher_temperature,
            max_length=stage.max_length,
            folder=context.folder,
            dev=mean_reranked_score(found, top=stage.rerank) if found else None,
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
        "first": stage.first,
        "first_dev": mean_score_of(found) if found else None,
    }
    return told | outcome(result, context, base)


def _start(name: str, context: StageContext) -> CrossEncoder:
    if context.artefacts.kind(name) == "reranker":
        return context.artefacts.reranker(name)
    return CrossEncoder.from_encoder(context.artefacts.encoder(name), seed=context.seed)
