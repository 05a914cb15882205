"""The settings of the stages that change what a model is made of, before it is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cosmith.recipes.references import Kind, ModelName
from cosmith.recipes.stage_settings import Count, StageSettings


class RebuildStage(StageSettings):
    """A model with other attention, pooling or prompts, to be trained in a stage below."""

    kind: Literal["rebuild"] = "rebuild"
    model: ModelName = Field("base", description="The model to change.")
    bidirectional: bool | None = Field(
        None, description="Whether the tokens of a decoder see the whole text; null: as they do."
    )
    pooling: Literal["cls", "mean", "max", "weighted_mean", "last_token", "mean_sqrt_len"] | None = Field(
        None, description="How token vectors become one; null: as it is."
    )
    end_token: str | None = Field(
        None,
        description="A special token to append to every text, for last-token pooling; `auto`: the tokenizer's "
        "end-of-sequence token. Stored in the tokenizer. Null: as it is.",
    )
    include_prompt: bool | None = Field(None, description="Whether prompts are pooled with the text; null: as it is.")
    latents: Count | None = Field(
        None, description="Latents of a new latent attention (NV-Embed: 512); null: as it is."
    )
    heads: Count = Field(8, description="Its heads.")
    prompts: dict[str, str] | None = Field(
        None,
        description="Name (`query`, `document`) → text put before each text; may hold `{task}`. Null: as they are.",
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}
