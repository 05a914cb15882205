"""The settings of the stages that mine: hard negatives for training rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.recipes.engine_schemas import EngineSettings
from cosmith.recipes.references import InputPath, Kind, ModelName, RerankerName, SourceName, TextsName
from cosmith.recipes.stage_settings import Count, OneOrMore


class MineStage(EngineSettings):
    """Hard negatives: documents that a model ranks high for a query and that do not answer it.

    Of rows with labels, as `classes` makes them: texts of other labels.
    """

    kind: Literal["mine"] = "mine"
    source: SourceName = Field(description="The rows that get negatives.")
    model: Annotated[list[ModelName], OneOrMore, Field(min_length=1)] = Field(
        ["base"],
        description="The model that ranks the documents, or several: what is too likely an answer for one of them is "
        "left out, and what more of them rank high goes first.",
    )
    corpus: Annotated[list[TextsName], OneOrMore] = Field(
        default_factory=list,
        description="Documents beside the rows' own answers: texts, training rows, or collections.",
    )
    candidates: Literal["dense", "bm25", "both"] = Field(
        "dense", description="Who ranks what passes: the models, the words that query and document share, or both."
    )
    agreement: Count = Field(1, description="In how many rankings, down to `depth`, a document must stand.")
    negatives: Count = Field(1, description="Negatives a row.")
    ratio: Literal["auto"] | Annotated[float, Field(gt=0, le=1)] | None = Field(
        "auto",
        description="A document that scores above this share of the answer's score is likely an answer itself, and "
        "is left out; null: no such limit. `auto`: 0.95, and no limit where every row has a label.",
    )
    margin: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Likewise for what scores less than this much below the answer."
    )
    max_score: float | None = Field(None, description="Likewise for what scores this much or more.")
    cross_encoder: RerankerName | None = Field(
        None, description="Reads the first `depth` that pass; what it puts above the answer is left out, too."
    )
    review: InputPath | None = Field(
        None,
        description="A `review.jsonl` of an earlier run in which a person has said whether likely answers are any: "
        "those that are become answers, the others may be negatives whatever they score.",
    )
    skip_top: Annotated[int, Field(ge=0)] = Field(0, description="Leave out the first so many that pass.")
    sample: Literal["top", "random"] = Field(
        "top", description="Take the highest ranked, or draw from the first `depth`."
    )
    depth: Count = Field(
        50, description="How far down `random` draws from, several rankings are compared, and `cross_encoder` reads."
    )
    keep: bool | Literal["auto"] = Field(
        "auto",
        description="Whether rows keep the negatives that they have; the ones found stand behind them. `auto`: yes, "
        "but not where every row has a label, since those of `classes` are drawn by chance.",
    )
    scores: bool = Field(
        False, description="Give the rows the cosines of answers and negatives as scores, which distillation follows."
    )
    dim: Count | None = Field(None, description="Compare the first `dim` numbers of the vectors only.")
    language: str | None = Field(
        "english", description="Whose stemmer and stop words `bm25` uses; null: words as they are."
    )
    stored_as: Literal["float32", "float16"] = Field(
        "float32", description="What vectors are kept as on disk: `float16` takes half the space."
    )

    @model_validator(mode="after")
    def _enough_to_choose_from(self) -> MineStage:
        reads_all = self.rankings > 1 or self.cross_encoder is not None or self.sample == "random"
        if reads_all and self.depth < self.skip_top + self.negatives:
            raise ValueError(f"depth {self.depth} is less than skip_top + negatives")
        if self.agreement > self.rankings:
            raise ValueError(f"agreement {self.agreement} is more than there are rankings ({self.rankings})")
        return self

    @property
    def rankings(self) -> int:
        """How many rankings there are."""
        return (self.candidates != "dense") + (len(self.model) if self.candidates != "bm25" else 0)

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}
