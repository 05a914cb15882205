"""The stage that makes one model of several."""

from __future__ import annotations

import math
from typing import Any

from cosmith.errors import InputError
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.stage_schemas import MergeStage
from cosmith.recipes.stages.training import score_on
from cosmith.training import Candidate, MergeResult, merge
from cosmith.training.merge_settings import DEFAULTS, settings_read


def merge_models(stage: MergeStage, context: StageContext) -> dict[str, Any]:
    """Merge models, and score them, what they were trained from and every mixture that was tried."""
    read = settings_read(stage.method, {name: getattr(stage, name) for name in DEFAULTS})
    try:
        result = merge(
            [context.artefacts.encoder(name) for name in stage.models],
            stage.method,
            base=context.artefacts.encoder(stage.base),
            weights=stage.weights or None,
            **read,
            dev=score_on(stage.dev, context),
            general=score_on(stage.general, context) if stage.dev else None,
        )
    except InputError as error:
        field = f"stages.{context.name}" + (f".{error.field}" if error.field in MergeStage.model_fields else "")
        raise InputError(error.problem, field=field, remedy=error.remedy) from error
    result.encoder.save(context.artefacts.folder(context.name))
    return {"method": stage.method, "models": stage.models, "base": stage.base} | described(result)


def described(result: MergeResult) -> dict[str, Any]:
    """What came of a merge, as plain values."""
    front, candidates = result.front, result.candidates
    best = max(candidates, key=lambda one: one.dev, default=None)
    return {
        "chosen": _values(result.chosen),
        "better": _values(best) if best is not None and best.dev > result.chosen.dev else None,
        "candidates": [_values(one) | {"front": one in front} for one in candidates],
    }


def _values(one: Candidate) -> dict[str, Any]:
    dev = None if math.isnan(one.dev) else one.dev
    return {"name": one.name, "shares": list(one.shares), "dev": dev, "general": one.general}
