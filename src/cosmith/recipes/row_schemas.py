"""The settings of the stages that make training rows of something else than pairs: of classes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cosmith.recipes.loss_choice import LossName
from cosmith.recipes.references import InputPath, Kind
from cosmith.recipes.stage_schemas import Count, StageSettings


class ClassesStage(StageSettings):
    """A file of texts with a class each (JSONL, CSV, TSV, Parquet), as training rows: classification and clustering."""

    kind: Literal["classes"] = "classes"
    path: InputPath = Field(description="The file: a text and its class a row.")
    text: str = Field("auto", description="Column of the texts; `auto` knows the usual names.")
    label: str = Field("auto", description="Column of the classes; `auto`: label, class, category, intent or cluster.")
    form: Literal["examples", "labels"] = Field(
        "examples",
        description="What a text's positive is: `examples`: another text of its class; `labels`: the name of its "
        "class, which has to mean something. Negatives likewise, of other classes.",
    )
    positives: Count = Field(1, description="Positives a row, in the form `examples`.")
    negatives: Count = Field(7, description="Negatives a row, drawn evenly from the other classes.")
    task: Literal["classification", "clustering"] = Field(
        "classification", description="What the rows are for; of neither do other rows' texts serve as negatives."
    )
    instruction: str = Field("", description="As in `source`.")
    loss: LossName = Field("default", description="As in `source`.")

    @model_validator(mode="after")
    def _one_name_a_class(self) -> ClassesStage:
        if self.form == "labels" and self.positives > 1:
            raise ValueError("in the form labels a text has one positive, the name of its class")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}
