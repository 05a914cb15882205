"""What several kinds of stage may say alike: a seed, how training steps are taken, and the types of such values."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cosmith.recipes.references import Kind


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


OneOrMore = BeforeValidator(_as_list)
Share = Annotated[float, Field(ge=0, lt=1)]
ShareOrAll = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0)]
Precision = Literal["auto", "float32", "bf16"]


class StageSettings(BaseModel):
    """What every stage may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int | None = Field(None, ge=0, lt=2**32, description="Seed of this stage; the recipe's where it is not said.")

    def outputs(self) -> dict[str, Kind]:
        """Output name → what it is; the name ``""`` is the output that the stage's bare name means."""
        return {}


class StepSettings(StageSettings):
    """What every stage may say that takes training steps."""

    steps: Count | None = Field(None, description="How many steps; or `epochs`. Neither: one epoch.")
    epochs: Positive | None = Field(None, description="How often each row is taken.")
    schedule: Literal["constant", "linear", "cosine", "wsd"] = Field(
        "linear", description="How the rate falls; `wsd` is warm-up, stable, decay."
    )
    warmup: ShareOrAll = Field(0.1, description="Share of the steps over which the rate rises.")
    decay: ShareOrAll = Field(0.2, description="Share of the steps over which `wsd` falls.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.01, description="AdamW's, on matrices only.")
    clip: Positive | None = Field(1.0, description="The highest norm of the gradients; null: no clipping.")
    precision: Precision | None = Field(None, description="In what to compute; the recipe's where it is not said.")
    micro_batch_tokens: Count | None = Field(None, description="The most tokens embedded at once; null: by device.")
    evaluate_every: Count | None = Field(None, description="Steps between evaluations; null: ten a run.")
    checkpoint_every_steps: Count | None = Field(None, description="Steps between checkpoints; null: by time only.")
    checkpoint_every_seconds: Positive | None = Field(300.0, description="Seconds between checkpoints.")
    sharding: Literal["none", "full"] = Field(
        "none", description="With several processes: each holds the whole model, or a part of it (FSDP)."
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("steps and epochs are both given")
        return self
