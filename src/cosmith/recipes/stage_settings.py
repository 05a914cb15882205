"""What several kinds of stage may say alike: a seed, how training steps are taken, and the types of such values."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cosmith.recipes.references import Kind


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


OneOrMore = BeforeValidator(_as_list)


def _as_written(value: object) -> object:
    """YAML reads 2024-05-31 as a date; what is meant is what is written."""
    return value.isoformat() if isinstance(value, date) else value


Moment = Annotated[str, BeforeValidator(_as_written)]
Share = Annotated[float, Field(ge=0, lt=1)]
ShareOrAll = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0)]
PromptNames = Annotated[list[str], Field(min_length=2, max_length=2)]  # before queries, before documents
NearlyCrossing = Annotated[
    float | None,
    Field(
        ge=0.3, le=1,
        description="A training row whose query is as alike as this (Jaccard) to one that is held out is left out; "
        "null: only the same ones are.",
    ),
]  # fmt: skip
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
    strategy: Literal["auto", "direct", "cached", "keep-last-k"] = Field(
        "auto", description="Which gradients' graphs are kept and which replayed; none of them changes the outcome."
    )
    keep: Annotated[int, Field(ge=0)] | None = Field(None, description="The k of `keep-last-k`.")
    graph_memory: Count | None = Field(None, description="Bytes for `auto`; null: half of what is free.")
    patience: Count | None = Field(None, description="Stop after so many evaluations without a better one.")
    on_divergence: Literal["abort", "skip", "restart"] = Field(
        "abort",
        description="When a loss or gradient is no finite number, after its cause was looked for: end, leave out that "
        "step, or go back to the last checkpoint at half the learning rate.",
    )
    watch_every: Count | None = Field(
        10, description="Steps between looks at gradients, updates, embeddings and scores; null: never."
    )
    adapter: Literal["lora", "dora"] | None = Field(
        None,
        description="Train a few numbers beside the frozen model and merge them in the end; null: the model itself.",
    )
    adapter_rank: Count = Field(16, description="The adapter's rank.")
    adapter_alpha: Positive = Field(32.0, description="Its scale: what it adds is multiplied with alpha / rank.")
    adapter_dropout: ShareOrAll = Field(0.0, description="Share of its input that is dropped.")
    adapter_targets: list[str] = Field([], description="Ends of the names of the layers that get one; none: all.")
    freeze_embeddings: bool = Field(False, description="Leave the model's embeddings as they are.")
    frozen_layers: Annotated[int, Field(ge=0)] = Field(0, description="Leave so many of the first layers as they are.")
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="A layer's rate by that of the next one.")
    gradient_checkpointing: bool = Field(
        False, description="Keep the inputs of layers only and compute the rest again: slower, less memory."
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("steps and epochs are both given")
        return self

    @model_validator(mode="after")
    def _nothing_unread(self) -> Self:
        from cosmith.training.unread import require_read

        fields = type(self).model_fields
        require_read(self, lambda name: fields[name].get_default(call_default_factory=True))
        return self
