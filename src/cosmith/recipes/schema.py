"""What a recipe may say: the pydantic models of its YAML.

A recipe is a name, a base model, a seed and an ordered mapping of stages. Each stage has a ``kind``, which decides
what else may stand in it; see :mod:`cosmith.recipes.stage_schemas`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cosmith.recipes.cleaning_schemas import CleanStage
from cosmith.recipes.document_schemas import ChunksStage, DocumentsStage
from cosmith.recipes.judging_schemas import FilterStage, RoundTripStage, ScoreStage
from cosmith.recipes.mining_schemas import MineStage
from cosmith.recipes.model_kind_schemas import TrainLateInteractionStage, TrainRerankerStage, TrainSparseStage
from cosmith.recipes.pretraining_schemas import AdaptStage, InitialiseStage, ModelStage, TextsStage
from cosmith.recipes.rebuilding_schemas import RebuildStage
from cosmith.recipes.row_schemas import ClassesStage, GradedPairsStage, SelfPairsStage, WeakPairsStage
from cosmith.recipes.shrinking_schemas import DropLayersStage, PruneVocabularyStage, StaticStage
from cosmith.recipes.stage_schemas import (
    CollectionStage,
    CompareStage,
    EstimateStage,
    EvaluateStage,
    IndexStage,
    MergeStage,
    PythonFunctionsStage,
    ReportStage,
    SourceStage,
    StsStage,
    TaskStage,
    TrainStage,
)
from cosmith.recipes.stage_settings import Precision
from cosmith.recipes.synthesis_schemas import SynthesiseStage

Stage = (
    PythonFunctionsStage
    | SourceStage
    | CollectionStage
    | StsStage
    | TaskStage
    | ClassesStage
    | GradedPairsStage
    | WeakPairsStage
    | SelfPairsStage
    | SynthesiseStage
    | TextsStage
    | DocumentsStage
    | ChunksStage
    | ModelStage
    | InitialiseStage
    | RebuildStage
    | StaticStage
    | DropLayersStage
    | PruneVocabularyStage
    | EstimateStage
    | EvaluateStage
    | MineStage
    | ScoreStage
    | FilterStage
    | RoundTripStage
    | CleanStage
    | AdaptStage
    | TrainStage
    | TrainRerankerStage
    | TrainSparseStage
    | TrainLateInteractionStage
    | MergeStage
    | CompareStage
    | IndexStage
    | ReportStage
)

STAGE_KINDS: dict[str, type[BaseModel]] = {
    kind.model_fields["kind"].default: kind
    for kind in (
        PythonFunctionsStage,
        SourceStage,
        CollectionStage,
        StsStage,
        TaskStage,
        ClassesStage,
        GradedPairsStage,
        WeakPairsStage,
        SelfPairsStage,
        SynthesiseStage,
        TextsStage,
        DocumentsStage,
        ChunksStage,
        ModelStage,
        InitialiseStage,
        RebuildStage,
        StaticStage,
        DropLayersStage,
        PruneVocabularyStage,
        EstimateStage,
        EvaluateStage,
        MineStage,
        ScoreStage,
        FilterStage,
        RoundTripStage,
        CleanStage,
        AdaptStage,
        TrainStage,
        TrainRerankerStage,
        TrainSparseStage,
        TrainLateInteractionStage,
        MergeStage,
        CompareStage,
        IndexStage,
        ReportStage,
    )
}

# A name is also the name of a folder, and stands before the dot of `data.train`.
FolderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Recipe(BaseModel):
    """Which steps to take from text to a better model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FolderName = Field(
        description="Name of the recipe; its runs go to `runs/NAME` unless `--folder` says otherwise."
    )
    description: str = Field("", description="What the recipe is for, one sentence.")
    base: str = Field(
        "all-MiniLM-L6-v2",
        description="The model to start from: a packaged model's name, a folder, or a Hugging Face id.",
    )
    seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of everything random: splits, samples, training, bootstraps."
    )
    allow_contamination: bool = Field(
        False,
        description="Go on though a model is trained on what it is tested with: queries of the test sets that the "
        "recipe's `evaluate` stages name.",
    )
    precision: Precision = Field("auto", description="In what models compute; `auto`: bf16 where there is hardware.")
    size: str | None = Field(None, description="The entry of `sizes` in use where `--size` names no other.")
    sizes: dict[FolderName, dict[str, Any]] = Field(
        default_factory=dict,
        description="Named overrides: size → dotted key → value, e.g. `small: {stages.train.steps: 50}`.",
    )
    stages: dict[FolderName, Annotated[Stage, Field(discriminator="kind")]] = Field(
        min_length=1, description="The steps, run in the order in which they stand: stage name → its settings."
    )


def json_schema() -> dict[str, Any]:
    """The JSON schema of a recipe as it is written: a stage may leave to another one (`like`) what it must say."""
    schema = Recipe.model_json_schema()
    like = {
        "description": "A stage above of its kind, whose settings it takes where it says none.",
        "type": "string",
    }
    stages = schema["properties"]["stages"]["patternProperties"]
    inherited = {"type": "object", "properties": {"like": like}, "required": ["like"]}
    for name, stage in stages.items():
        stages[name] = {"anyOf": [stage, inherited]}
    return schema
