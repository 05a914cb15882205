"""The settings of the stages that have a model judge training rows: score their candidates, keep the best of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.recipes.references import Kind, PairScorerName, SourceName
from cosmith.recipes.stage_settings import StageSettings


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
