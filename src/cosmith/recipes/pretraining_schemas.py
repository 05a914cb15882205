"""The settings of the stages that work on raw text: reading it, a model from nothing, continued
pre-training; and the stage that brings in a model from elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.recipes.references import InputPath, Kind, ModelName, TaskName, TextsName
from cosmith.recipes.stage_schemas import Count, OneOrMore, Positive, Precision, ShareOrAll, StageSettings

Texts = Annotated[list[TextsName], OneOrMore, Field(min_length=1)]


class TextsStage(StageSettings):
    """Raw texts without labels, from a file (JSONL, CSV, TSV, Parquet, or plain text with a text a line)."""

    kind: Literal["texts"] = "texts"
    path: InputPath = Field(description="The file.")
    column: str = Field(
        "auto",
        description="The column of the text; `auto` knows the usual names, but does not choose between a query and its "
        "answer.",
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "texts"}


class ModelStage(StageSettings):
    """Another model than the base: a teacher, a guide, one to compare with. The run keeps a copy."""

    kind: Literal["model"] = "model"
    path: str = Field(description="A model's folder, its name on the Hugging Face Hub, or a packaged one.")

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}


class InitialiseStage(StageSettings):
    """A model from nothing: a tokenizer learnt from texts, and random weights of the size that is asked for."""

    kind: Literal["initialise"] = "initialise"
    texts: Texts = Field(
        description="What the tokenizer learns from: texts, training rows, or a collection's documents."
    )
    vocabulary: Count = Field(16_000, description="The most tokens.")
    layers: Count = Field(6, description="Transformer layers.")
    hidden: Count = Field(256, description="Their width, a multiple of `heads`.")
    heads: Count = Field(4, description="Attention heads.")
    max_length: Count = Field(256, description="The most tokens of a text.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="Share dropped in training.")
    lowercase: bool = Field(True, description="Whether upper and lower case are the same.")

    @model_validator(mode="after")
    def _whole_heads(self) -> InitialiseStage:
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) is no multiple of heads ({self.heads})")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}


class AdaptStage(StageSettings):
    """Continued pre-training: a model guesses hidden words of raw texts and so learns their language."""

    kind: Literal["adapt"] = "adapt"
    texts: Texts = Field(description="What to learn from: texts, training rows, or a collection's documents.")
    model: ModelName = Field("base", description="The model to start from.")
    mask_rate: Annotated[float, Field(gt=0, lt=1)] = Field(0.3, description="Share of the words to guess.")
    dev: Annotated[list[TaskName], OneOrMore] = Field(
        default_factory=list,
        description="Collections or sts sets to watch; they choose nothing unless `keep_best` is set.",
    )
    steps: Count | None = Field(None, description="How many steps; or `epochs`. Neither: one epoch.")
    epochs: Positive | None = Field(None, description="How often each text is taken.")
    batch_size: Count = Field(64, description="Pieces of text a step.")
    learning_rate: Positive = Field(2e-4, description="The highest rate of the schedule.")
    schedule: Literal["constant", "linear", "cosine", "wsd"] = Field("linear", description="How the rate falls.")
    warmup: ShareOrAll = Field(0.1, description="Share of the steps over which the rate rises.")
    decay: ShareOrAll = Field(0.2, description="Share of the steps over which `wsd` falls.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.01, description="AdamW's, on matrices only.")
    clip: Positive | None = Field(1.0, description="The highest norm of the gradients; null: no clipping.")
    precision: Precision | None = Field(None, description="In what to compute; the recipe's where it is not said.")
    strategy: Literal["auto", "direct", "cached"] = Field("auto", description="As in `train`.")
    micro_batch_tokens: Count | None = Field(None, description="The most tokens embedded at once; null: by device.")
    max_document_length: Count | None = Field(None, description="Tokens of a piece; null: the model's maximum.")
    evaluate_every: Count | None = Field(None, description="Steps between evaluations on `dev`; null: ten a run.")
    keep_best: bool = Field(False, description="End with the best evaluation's weights, not the last ones.")
    interpolate: bool | list[ShareOrAll] = Field(False, description="As in `train`.")
    checkpoint_every_steps: Count | None = Field(None, description="Steps between checkpoints; null: by time only.")
    checkpoint_every_seconds: Positive | None = Field(300.0, description="Seconds between checkpoints.")

    @model_validator(mode="after")
    def _one_length(self) -> AdaptStage:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("steps and epochs are both given")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}
