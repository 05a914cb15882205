"""The settings of the stages that make a smaller model of another one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cosmith.errors import InputError
from cosmith.recipes.references import Kind, ModelName, TaskName, TextsName
from cosmith.recipes.stage_settings import Count, OneOrMore, Positive, ShareOrAll, StageSettings, StepSettings

SomeTexts = Annotated[list[TextsName], OneOrMore]
Tasks = Annotated[list[TaskName], OneOrMore]

_STEPS = ("steps", "epochs")


class StudentSettings(StepSettings):
    """What stages say that may let a student follow the model that it was made from."""

    texts: SomeTexts = Field(
        default_factory=list,
        description="What the student learns its teacher's vectors on: texts, training rows, or a collection's "
        "documents. None: it is left untrained.",
    )
    tasks: Tasks = Field(
        default_factory=list, description="Test sets on which to tell what is lost. Beside them, it chooses nothing."
    )
    batch_size: Count = Field(64, description="Texts a step.")
    max_document_length: Count | None = Field(
        None, description="Tokens at which texts are cut in training; null: the model's maximum."
    )
    interpolate: bool | list[ShareOrAll] = Field(
        True, description="Look between the untrained student and the trained one for what is nearest to the teacher."
    )

    @model_validator(mode="after")
    def _texts_for_steps(self) -> Self:
        said = next((name for name in _STEPS if getattr(self, name) is not None), None)
        if said is not None and not self.texts:
            raise InputError(f"without texts nothing is trained, so {said} would change nothing", field=said,
                             remedy="Name some in texts, or leave it out.")  # fmt: skip
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}


class DropLayersStage(StudentSettings):
    """A model with fewer transformer layers, which learns the vectors of the whole one again from texts."""

    kind: Literal["drop-layers"] = "drop-layers"
    model: ModelName = Field("base", description="The model, which is also the teacher.")
    layers: Count | list[Annotated[int, Field(ge=0, strict=True)]] = Field(
        description="How many layers stay (spread evenly, the first and the last among them), or which, counted from "
        "0: `[0, 2, 5]`."
    )
    learning_rate: Positive = Field(5e-4, description="The highest rate of the schedule.")


class PruneVocabularyStage(StageSettings):
    """A model without the tokens that no text uses; the texts that are given keep their vectors."""

    kind: Literal["prune-vocabulary"] = "prune-vocabulary"
    model: ModelName = Field("base", description="The model.")
    texts: Annotated[list[TextsName], OneOrMore, Field(min_length=1)] = Field(
        description="All kinds of texts that it will read, above all in each language: texts, training rows, or a "
        "collection's documents."
    )
    tasks: Tasks = Field(default_factory=list, description="Test sets on which to tell what is lost.")

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}


class StaticStage(StudentSettings):
    """A static model, very fast and blind to word order: a vector for each token of another model, which learns what
    that one thinks of whole texts."""

    kind: Literal["static"] = "static"
    model: ModelName = Field("base", description="The model whose tokens and vectors are taken, and the teacher.")
    dimension: Count = Field(256, description="Numbers of a vector.")
    smoothing: Positive = Field(1e-4, description="Smaller: frequent tokens count less.")
    max_length: Count | None = Field(None, description="Tokens at which texts are cut; null: at none.")
    batch_size: Count = Field(256, description="Texts a step.")
    learning_rate: Positive = Field(3e-3, description="The highest rate of the schedule.")
