"""The settings of the stages that have a model judge training rows: score their candidates, keep the best of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.recipes.references import Kind, ModelName, PairScorerName, SourceName, TextsName
from cosmith.recipes.stage_settings import Count, OneOrMore, StageSettings


class ScoreStage(StageSettings):
    """What a model thinks of each positive and each negative of some rows: the scores that the losses `score-kl` and
    `margin-mse` follow. A reranker scores by its logit, a model by the cosine."""

    kind: Literal["score"] = "score"
    source: SourceName = Field(description="The rows; scores that they have are replaced.")
    model: PairScorerName = Field(description="The model that scores: mostly a reranker.")

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}


class FilterStage(StageSettings):
    """The best of some rows, by how well a model thinks that their positives answer their queries."""

    kind: Literal["filter"] = "filter"
    source: SourceName = Field(description="The rows to choose from.")
    model: PairScorerName | None = Field(
        None,
        description="The model that judges: by the cosine, or by a reranker's logit (0 is as likely an answer as "
        "not). Null: the scores that the rows have. A row counts as its lowest positive does.",
    )
    least: float | None = Field(None, description="Keep what scores this much or more.")
    top: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Keep this share of the rows, the best ones; with `least`, both must hold."
    )

    @model_validator(mode="after")
    def _something_to_go_by(self) -> FilterStage:
        if self.least is None and self.top is None:
            raise ValueError("say which rows to keep: least, top or both")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}


class RoundTripStage(StageSettings):
    """The rows whose answers a search for their queries finds again (round-trip consistency, arXiv:2209.11755): what
    makes queries that somebody has made up for a document worth training on."""

    kind: Literal["round-trip"] = "round-trip"
    source: SourceName = Field(description="The rows to choose from.")
    model: ModelName = Field("base", description="The model that searches.")
    corpus: Annotated[list[TextsName], OneOrMore] = Field(
        default_factory=list,
        description="What is searched beside the rows' own documents: texts, training rows, or a collection's "
        "documents.",
    )
    k: Count = Field(1, description="Keep a row when its answers are among the first `k` documents.")
    margin: float | None = Field(
        None, description="And when they score this much above the best other document; null: no such limit."
    )
    dim: Count | None = Field(None, description="Compare the first `dim` numbers of the vectors only.")

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}
