"""What the stages may say whose work several machines can do."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from cosmith.bulk import Engine
from cosmith.bulk.engine import EngineKind
from cosmith.recipes.stage_settings import Count, StageSettings


class EngineSettings(StageSettings):
    """Who does the bulk of a stage's work; read with the recipe, so that what is missing is known before it runs."""

    engine: EngineKind = Field(
        "local", description="Who does the work: this process, or the workers of a Ray cluster (see bulk.md)."
    )
    address: str | None = Field(
        None, description="Of a Ray cluster that runs; null: what `RAY_ADDRESS` says, or one on this machine."
    )
    workers: Count | None = Field(None, description="Workers of the Ray cluster; null: as many as it has room for.")

    @model_validator(mode="after")
    def _there(self) -> Self:
        self.made_by()
        return self

    def made_by(self) -> Engine:
        """Who does it.

        Raises:
            InputError: When Ray is not installed, or something is said that is for another engine.
        """
        return Engine(self.engine, self.address, self.workers)


WHO_WORKS = EngineSettings.model_fields.keys() - StageSettings.model_fields.keys()
"""Keys that change nothing in what a stage leaves."""
