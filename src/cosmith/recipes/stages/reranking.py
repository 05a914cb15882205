"""The stage that trains a reranker."""

from __future__ import annotations

from typing import Any

from cosmith.evaluation import mean_reranked_score, mean_score_of
from cosmith.models import CrossEncoder
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.model_kind_schemas import TrainRerankerStage
from cosmith.recipes.stages.measuring import first_hits
from cosmith.recipes.stages.training import changed, named_source, outcome, told_by_stage, training_settings
from cosmith.training import train_reranker


def train(stage: TrainRerankerStage, context: StageContext) -> dict[str, Any]:
    """Train, going on from the last checkpoint where an interrupted run left one."""
    sources = [changed(named_source(name, context), stage.per_source.get(name)) for name in stage.sources]
    found = [
        (collection, first_hits(stage.first, collection, context))
        for collection in map(context.artefacts.collection, stage.dev)
    ]
    with told_by_stage(context):
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
    first = {"first": stage.first, "first_dev": mean_score_of(found) if found else None}
    return outcome(result, context, base, sources, **first)


def _start(name: str, context: StageContext) -> CrossEncoder:
    if context.artefacts.kind(name) == "reranker":
        return context.artefacts.reranker(name)
    return CrossEncoder.from_encoder(context.artefacts.encoder(name), seed=context.seed)
