"""The settings of the stages that work on raw text: reading it, a model from nothing, continued
pre-training; and the stage that brings in a model from elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.recipes.references import InputPath, Kind, ModelName, TaskName, TextsName
from cosmith.recipes.stage_settings import Count, OneOrMore, Positive, ShareOrAll, StageSettings, StepSettings

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
    hidden: Count = Field(256, description="Their width, a multiple of `heads`, for `gemma` of twice as many.")
    heads: Count = Field(4, description="Attention heads.")
    backbone: Literal["gemma", "bert"] = Field(
        "gemma",
        description="Whose layers: `gemma`'s (rotary positions, gated, norms before each part; every token sees the "
        "whole text) learn language in far fewer steps than `bert`'s.",
    )
    max_length: Count = Field(256, description="The most tokens of a text.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Share dropped in training.")
    lowercase: bool = Field(True, description="Whether upper and lower case are the same.")

    @model_validator(mode="after")
    def _whole_heads(self) -> InitialiseStage:
        twice = self.backbone == "gemma"
        if self.hidden % (self.heads * (1 + twice)):
            raise ValueError(f"hidden ({self.hidden}) is no multiple of {'twice the ' * twice}heads ({self.heads})")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}


class AdaptStage(StepSettings):
    """Continued pre-training: a model guesses hidden words of raw texts and so learns their language."""

    kind: Literal["adapt"] = "adapt"
    texts: Texts = Field(description="What to learn from: texts, training rows, or a collection's documents.")
    model: ModelName = Field("base", description="The model to start from.")
    mask_rate: Annotated[float, Field(gt=0, lt=1)] = Field(0.3, description="Share of the words to guess.")
    head: str | None = Field(
        None,
        description="For decoders whose head is not tied to their input embeddings (Mistral, Llama 3): the folder or "
        "hub id of a language model that has it; null: what `model` was made from; where that has none, a new one.",
    )
    dev: Annotated[list[TaskName], OneOrMore] = Field(
        default_factory=list,
        description="Collections or sts sets to watch; they choose nothing unless `keep_best` is set.",
    )
    batch_size: Count = Field(64, description="Pieces of text a step.")
    learning_rate: Positive = Field(2e-4, description="The highest rate of the schedule.")
    max_document_length: Count | None = Field(None, description="Tokens of a piece; null: the model's maximum.")
    keep_best: bool = Field(False, description="End with the best evaluation's weights, not the last ones.")
    interpolate: bool | list[ShareOrAll] = Field(False, description="As in `train`.")

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}
