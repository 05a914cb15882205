"""The settings of the stages that train models of other kinds than encoders: rerankers, sparse encoders,
late-interaction models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.errors import InputError
from cosmith.recipes.choices import LossChoice
from cosmith.recipes.mixture_schemas import MixtureSettings, TextMixtureSettings
from cosmith.recipes.references import (
    CollectionName,
    Kind,
    LateInteractionStartName,
    PairScorerName,
    RetrieverName,
    SourceName,
    SparseStartName,
)
from cosmith.recipes.stage_settings import Count, OneOrMore, Positive, ShareOrAll, StepSettings


class ModelKindSettings(StepSettings):
    """What the stages say alike that train a model of another kind."""

    learning_rate: Positive = Field(2e-5, description="The highest rate of the schedule.")
    keep_best: bool = Field(True, description="End with the best evaluation's weights, not the last ones.")


class TrainRerankerStage(ModelKindSettings, MixtureSettings):
    """A cross-encoder that puts the documents of a first search in a better order: it reads query and document
    together."""

    kind: Literal["train-reranker"] = "train-reranker"
    sources: Annotated[list[SourceName], OneOrMore, Field(min_length=1)] = Field(
        description="The training rows, with negatives (mined ones are best: what a search confuses with the answers)."
    )
    model: PairScorerName = Field("base", description="A model, which gets a new head, or an earlier reranker.")
    loss: Literal["binary", "listwise", "margin-mse", "score-kl"] = Field(
        "binary",
        description="`binary`: does a document answer; `listwise`: which one does; `margin-mse`, `score-kl`: as the "
        "teacher's scores of the rows say.",
    )
    teacher_temperature: Positive = Field(1.0, description="Divides the teacher's scores in `score-kl`.")
    dev: Annotated[list[CollectionName], OneOrMore] = Field(
        default_factory=list,
        description="Collections to watch; the mean of their main metrics after reranking decides. None: the last "
        "weights are kept.",
    )
    first: RetrieverName = Field("base", description="What finds the documents of `dev` that are put in order.")
    rerank: Count = Field(30, description="How many of them are read.")
    max_length: Count | None = Field(None, description="Tokens of a pair; null: the model's maximum.")
    batch_size: Count = Field(16, description="Rows (queries with their texts) a step; all of a source that has fewer.")

    @model_validator(mode="after")
    def _temperature_of_a_teacher(self) -> TrainRerankerStage:
        if self.loss != "score-kl" and self.teacher_temperature != 1.0:
            raise InputError(
                f"the loss {self.loss} has no teacher_temperature", field="teacher_temperature",
                remedy="Leave it out, or take the loss score-kl.",
            )  # fmt: skip
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "reranker"}


class EmbedderSettings(ModelKindSettings, TextMixtureSettings):
    """What the stages say alike that train a model that reads queries and documents each by itself."""

    dev: Annotated[list[CollectionName], OneOrMore] = Field(
        default_factory=list,
        description="Collections to watch; the mean of their main metrics decides. None: the last weights are kept.",
    )
    batch_size: Count = Field(32, description="Rows (queries with their texts) a step; all of a source that has fewer.")
    temperature: Positive | None = Field(None, description="Null: 1.")
    max_query_length: Count | None = Field(
        None, description="Tokens at which queries are cut, but for expanded ones; null: the model's."
    )
    max_document_length: Count | None = Field(None, description="Likewise for positives and negatives.")


class TrainSparseStage(EmbedderSettings):
    """An encoder whose vectors have a weight for each word of its vocabulary, nearly all of them zero (SPLADE)."""

    kind: Literal["train-sparse"] = "train-sparse"
    model: SparseStartName = Field(
        "base",
        description="A masked language model, an earlier sparse encoder, or any other model, which gets a new head "
        "(the first is best: its head knows words already).",
    )
    static_queries: Literal["idf", "ones"] | None = Field(
        None,
        description="Do not read queries with the model: each token has a learnt weight, and a query those of its "
        "tokens. They begin with how rare a token is among the documents of the rows (`idf`), or with 1 (`ones`).",
    )
    query_learning_rate: Positive | None = Field(
        1e-3, description="The highest rate of these weights; null: that of the model."
    )
    loss: LossChoice = Field("default", description="A contrastive loss, `margin-mse` or `score-kl`, on dot products.")
    document_sparsity: Annotated[float, Field(ge=0)] = Field(
        3e-5, description="Weight of the FLOPS regulariser of documents: the more, the fewer words."
    )
    query_sparsity: Annotated[float, Field(ge=0)] = Field(5e-5, description="Likewise of queries.")
    sparsity_warmup: ShareOrAll = Field(
        1 / 3, description="Share of the steps over which the two rise, with the square of the step."
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "sparse"}


class TrainLateInteractionStage(EmbedderSettings):
    """A model that gives each token of a text a vector, and compares every token of a query with those of a document
    (ColBERT)."""

    kind: Literal["train-late-interaction"] = "train-late-interaction"
    model: LateInteractionStartName = Field(
        "base", description="An earlier late-interaction model, or any other one, which gets a new projection."
    )
    dimension: Count = Field(128, description="Numbers of a token's vector, of a new projection.")
    query_length: Count | None = Field(
        32,
        description="Tokens that a query has with those that it is expanded by, of a new projection; null: no "
        "expansion.",
    )
    skip_punctuation: bool = Field(
        True, description="Whether punctuation of documents gets no vector, of a new projection."
    )
    loss: LossChoice = Field(
        "default",
        description="A contrastive loss that compares queries with documents only, `margin-mse` or `score-kl`, on sums "
        "of cosines.",
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "late-interaction"}
