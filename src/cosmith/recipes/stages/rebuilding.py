"""Stages that change what a model is made of, before it is trained."""

from __future__ import annotations

from typing import Any

from cosmith.errors import InputError
from cosmith.models import Encoder, append_end_token
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.rebuilding_schemas import RebuildStage


def rebuild(stage: RebuildStage, context: StageContext) -> dict[str, Any]:
    """A model with other attention, pooling or prompts."""
    encoder = context.artefacts.encoder(stage.model).copy()
    try:
        if stage.bidirectional is not None:
            encoder.set_bidirectional(stage.bidirectional)
        if (stage.pooling, stage.include_prompt, stage.latents) != (None, None, None):
            encoder.set_pooling(
                stage.pooling, include_prompt=stage.include_prompt, latents=stage.latents, heads=stage.heads,
                seed=context.seed,
            )  # fmt: skip
        if stage.end_token is not None:
            append_end_token(encoder, stage.end_token)
        if stage.prompts is not None:
            encoder.set_prompts(stage.prompts)
    except InputError as error:
        raise context.of_stage(error) from error
    return _kept(encoder, context)


def _kept(encoder: Encoder, context: StageContext) -> dict[str, Any]:
    encoder.save(context.artefacts.folder(context.name))
    weights = sum(parameter.numel() for parameter in encoder.module.parameters())
    return {"parameters": weights, "dimension": encoder.dimension}
