"""The stage that trains a sparse encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cosmith.data import Source
from cosmith.evaluation import mean_sparse_score
from cosmith.models import SparseEncoder, find_model
from cosmith.models.sparse.folder import holds_language_head
from cosmith.recipes.artefacts import StageContext, load_sparse_encoder
from cosmith.recipes.model_kind_schemas import TrainSparseStage
from cosmith.recipes.stages.training import changed, named_source, outcome, told_by_stage, training_settings
from cosmith.training import Sparsity, train_sparse


def train(stage: TrainSparseStage, context: StageContext) -> dict[str, Any]:
    """Train, going on from the last checkpoint where an interrupted run left one."""
    sources = [changed(named_source(name, context), stage.per_source.get(name)) for name in stage.sources]
    tasks = {name: context.artefacts.collection(name) for name in stage.dev}
    with told_by_stage(context):
        settings = training_settings(stage, context, context.seed)
        base = _start(stage.model, context)
        if stage.static_queries is not None:
            base = base.with_static_queries(_documents(sources) if stage.static_queries == "idf" else None)
        result = train_sparse(
            base,
            sources,
            settings,
            query_learning_rate=stage.query_learning_rate,
            sparsity=Sparsity(stage.document_sparsity, stage.query_sparsity, stage.sparsity_warmup),
            folder=context.folder,
            dev=mean_sparse_score(tasks) if tasks else None,
        )
    return outcome(result, context, base, sources)


def _documents(sources: Sequence[Source]) -> list[str]:
    """The distinct positives and negatives of some rows."""
    found: dict[str, None] = {}
    for source in sources:
        numbers = np.unique(np.concatenate([source.positives, source.negatives]))
        found |= dict.fromkeys(source.texts.take(numbers))
    return list(found)


def _start(name: str, context: StageContext) -> SparseEncoder:
    if context.artefacts.kind(name) == "sparse":
        return context.artefacts.sparse_encoder(name)
    path = context.artefacts.model_path(name)
    if holds_language_head(find_model(path)):
        return load_sparse_encoder(path, context.recipe.precision, name)
    return SparseEncoder.from_encoder(context.artefacts.encoder(name), seed=context.seed)
