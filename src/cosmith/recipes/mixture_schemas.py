"""What a training stage may say of one of its Sources otherwise than of the rest."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosmith.recipes.loss_choice import LossChoice
from cosmith.recipes.references import SourceName
from cosmith.recipes.stage_settings import Count, OneOrMore, Positive, StepSettings


class SourceChanges(BaseModel):
    """In place of what the rows say of themselves, and of what the stage says for all; null: as they do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Positive | None = None
    batch_size: Count | None = None
    loss: LossChoice | None = None
    temperature: Positive | None = None
    in_batch_negatives: bool | None = None
    max_query_length: Count | None = None
    max_document_length: Count | None = None

    def said(self) -> dict[str, Any]:
        """What is changed, as settings of a Source."""
        return self.model_dump(exclude_none=True)


PerSource = Annotated[
    dict[str, SourceChanges],
    Field(
        description="What differs for one of the sources: its name → a mapping of "
        + ", ".join(f"`{name}`" for name in SourceChanges.model_fields)
        + ". It goes before what the rows say of themselves, and that before what this stage says."
    ),
]


class MixtureSettings(StepSettings):
    """What the stages say alike whose batches come from several Sources, each with settings of its own."""

    sources: Annotated[list[SourceName], OneOrMore, Field(min_length=1)] = Field(description="The training rows.")
    per_source: PerSource = Field(default_factory=dict)

    @model_validator(mode="after")
    def _changes_of_its_sources(self) -> Self:
        for name in self.per_source:
            if name not in self.sources:
                raise ValueError(f"per_source names {name!r}, which is none of the sources: {', '.join(self.sources)}")
        return self
