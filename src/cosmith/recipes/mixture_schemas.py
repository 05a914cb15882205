"""What a training stage may say of its Sources: how they mix, and what is otherwise for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cosmith.errors import InputError
from cosmith.recipes.choices import LossChoice
from cosmith.recipes.references import SourceName
from cosmith.recipes.stage_settings import Count, OneOrMore, Positive, PromptNames, ShareOrAll, StepSettings


class SourceShare(BaseModel):
    """In place of what the rows say of themselves, and of what the stage says for all; null: as they do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Positive | None = None
    batch_size: Count | None = None
    instruction: str | None = None

    def said(self) -> dict[str, Any]:
        """What is changed, as settings of a Source."""
        return self.model_dump(exclude_none=True)


class SourceChanges(SourceShare):
    """What only a model that reads queries and documents each by itself asks of them, besides."""

    loss: LossChoice | None = None
    temperature: Positive | None = None
    in_batch_negatives: bool | None = None
    max_query_length: Count | None = None
    max_document_length: Count | None = None
    prompts: PromptNames | None = None


def _per_source(kind: type[SourceShare]) -> str:
    keys = ", ".join(f"`{name}`" for name in kind.model_fields)
    return (
        f"What differs for one of the sources: its name → a mapping of {keys}. It goes before what the rows say of "
        "themselves, and that before what this stage says."
    )


class MixtureSettings(StepSettings):
    """What the stages say alike whose batches come from several Sources, each with settings of its own."""

    sources: Annotated[list[SourceName], OneOrMore, Field(min_length=1)] = Field(description="The training rows.")
    per_source: Mapping[str, SourceShare] = Field(default_factory=dict, description=_per_source(SourceShare))
    mixing: Literal["proportional", "round_robin", "curriculum"] = Field(
        "proportional", description="How several sources mix; `curriculum`: one after another in every epoch."
    )
    alpha: ShareOrAll = Field(1.0, description="The power of a source's size in proportional mixing.")

    @model_validator(mode="after")
    def _changes_of_its_sources(self) -> Self:
        for name in self.per_source:
            if name not in self.sources:
                raise ValueError(f"per_source names {name!r}, which is none of the sources: {', '.join(self.sources)}")
            if self.mixing == "round_robin" and self.per_source[name].weight is not None:
                raise InputError(
                    f"sources that take turns have no weight, so that of {name!r} would change nothing",
                    field="per_source",
                    remedy="Set mixing to proportional or curriculum, or leave the weight out.",
                )
        return self


class TextMixtureSettings(MixtureSettings):
    """Likewise, for models that read queries and documents each by itself."""

    per_source: Mapping[str, SourceChanges] = Field(default_factory=dict, description=_per_source(SourceChanges))
