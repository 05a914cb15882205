"""Stages that have a model judge training rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.mining import cosine_scores, cross_encoder_scores, keep_best_rows, outscored_positives, round_trip
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.judging_schemas import FilterStage, RoundTripStage, ScoreStage
from cosmith.recipes.stages.training import finite_or_none, score_histograms
from cosmith.recipes.text_names import corpus_of


def score(stage: ScoreStage, context: StageContext) -> dict[str, Any]:
    """Give the candidates of rows a model's scores."""
    source = context.artefacts.source(stage.source)
    try:
        scored = source.with_scores(_scores(stage.model, source, context))
    except InputError as error:
        raise context.of_stage(error) from error
    scored.save(context.artefacts.folder(context.name))
    assert scored.scores is not None
    positives = scored.scores[scored.arrays.places_of_positives]
    negatives = scored.scores[scored.arrays.places_of_negatives]
    outscored = outscored_positives(scored)
    return {
        "rows": len(scored),
        "pairs": len(scored.scores),
        "model": stage.model,
        "measure": _measure(stage.model, context),
        "mean_positive_score": finite_or_none(_mean(positives)),
        "mean_negative_score": finite_or_none(_mean(negatives)),
        "outscored_rows": outscored.rows,
        "histograms": score_histograms({"answers": positives, "negatives": negatives}),
        "likely_positives": [asdict(each) for each in outscored.examples],
    }


def filter_rows(stage: FilterStage, context: StageContext) -> dict[str, Any]:
    """Keep the best rows."""
    source = context.artefacts.source(stage.source)
    try:
        scores = None if stage.model is None else _scores(stage.model, source, context)
        best = keep_best_rows(source, scores, least=stage.least, top=stage.top)
    except InputError as error:
        raise context.of_stage(error) from error
    best.source.save(context.artefacts.folder(context.name))
    return {
        "rows": best.rows,
        "kept": len(best.source),
        "threshold": best.threshold,
        "model": stage.model,
        "measure": "score" if stage.model is None else _measure(stage.model, context),
        "histograms": score_histograms({"kept": best.scores[best.kept], "left out": best.scores[~best.kept]}),
        "examples": {
            "barely kept": [asdict(each) for each in best.barely_kept],
            "barely left out": [asdict(each) for each in best.barely_left_out],
            "worst": [asdict(each) for each in best.worst],
        },
        "told": [best.describe()],
    }


def keep_found_again(stage: RoundTripStage, context: StageContext) -> dict[str, Any]:
    """Keep the rows whose answers are found for their queries."""
    source = context.artefacts.source(stage.source)
    corpus = corpus_of(stage.corpus, context.artefacts)
    try:
        found = round_trip(
            context.artefacts.remembering(stage.model), source, corpus, stage.k, margin=stage.margin, dim=stage.dim
        )
    except InputError as error:
        raise context.of_stage(error) from error
    found.source.save(context.artefacts.folder(context.name))
    return {
        "rows": found.rows,
        "kept": len(found.source),
        "searched": found.documents,
        "found_first": int((found.ranks == 1).sum()),
        "model": stage.model,
        "measure": "cosine",
        "histograms": score_histograms({"kept": found.scores[found.kept], "left out": found.scores[~found.kept]}),
        "examples": {
            "left out": [
                {"query": each.query, "document": each.document, "score": each.score} for each in found.missed
            ],
            "found instead": [
                {"query": each.query, "document": each.found, "score": each.found_score} for each in found.missed
            ],
        },
        "told": [found.describe()],
    }


def _scores(model: str, source: Source, context: StageContext) -> npt.NDArray[np.float32]:
    if context.artefacts.kind(model) == "reranker":
        return cross_encoder_scores(context.artefacts.reranker(model), source)
    return cosine_scores(context.artefacts.remembering(model), source)


def _measure(model: str, context: StageContext) -> str:
    return "logit" if context.artefacts.kind(model) == "reranker" else "cosine"


def _mean(scores: npt.NDArray[np.float32]) -> float:
    return float(scores.mean()) if len(scores) else float("nan")
