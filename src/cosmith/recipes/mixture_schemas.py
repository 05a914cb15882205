"""What a training stage may say of one of its Sources otherwise than of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cosmith.recipes.loss_choice import LossChoice
from cosmith.recipes.stage_settings import Count, Positive


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


def check_per_source(per_source: Mapping[str, SourceChanges], sources: Sequence[str]) -> None:
    """Refuse changes to rows that the stage does not train on; a ValueError, as validators raise."""
    for name in per_source:
        if name not in sources:
            raise ValueError(f"per_source names {name!r}, which is none of the sources: {', '.join(sources)}")
