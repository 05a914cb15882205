"""What a stage would stop at hours later and can be known before the first one runs.

Of the recipe alone: whether a loss that follows another model has one, and the other way round. Of the base model:
whether nested dimensions are smaller than its vectors, whether it has the layers that an adapter is put on, whether a
word of it can be hidden. Of a language model that is asked: whether its key is there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from cosmith.errors import InputError
from cosmith.recipes.cleaning_schemas import CleanStage
from cosmith.recipes.document import Document
from cosmith.recipes.graph import mining_stage, stage_of
from cosmith.recipes.judging_schemas import FilterStage, RoundTripStage, ScoreStage
from cosmith.recipes.mining_schemas import MineStage
from cosmith.recipes.model_kind_schemas import TrainLateInteractionStage, TrainSparseStage
from cosmith.recipes.pretraining_schemas import AdaptStage, InitialiseStage
from cosmith.recipes.rebuilding_schemas import RebuildStage
from cosmith.recipes.schema import Recipe
from cosmith.recipes.shrinking_schemas import DropLayersStage, PruneVocabularyStage
from cosmith.recipes.stage_schemas import MergeStage, TrainStage
from cosmith.recipes.synthesis_schemas import SynthesiseStage

if TYPE_CHECKING:
    from cosmith.models import Encoder
    from cosmith.recipes.artefacts import Artefacts


def check_losses(recipe: Recipe, document: Document) -> None:
    """Check that each training stage whose losses follow a teacher names one, and no other stage does; and that a loss
    has the temperature that a stage says.

    Raises:
        InputError: A teacher is missing, or nobody follows it; or no loss has a temperature.
    """
    from cosmith.losses import loss_name, loss_spec

    for name, stage in recipe.stages.items():
        if not isinstance(stage, TrainStage | TrainSparseStage | TrainLateInteractionStage):
            continue
        losses = [loss_spec(**({"name": said} if isinstance(said, str) else said))
                  for said in (_loss(recipe, stage, source) for source in stage.sources)]  # fmt: skip
        if stage.temperature is not None and not any(hasattr(loss, "temperature") for loss in losses):
            raise _error(
                document, name, "temperature", f"the loss {loss_name(losses[0])!r} has no temperature, so it would"
                " change nothing", "Leave it out, or take a loss that has one.",
            )  # fmt: skip
        if not isinstance(stage, TrainStage):
            continue
        taught = [loss for loss in losses if "teacher" in loss.needs]
        if taught and stage.teacher is None:
            raise _error(
                document, name, "loss", f"the loss {loss_name(taught[0])!r} follows another model, and none is named",
                "Name it in `teacher`: a stage `model` brings it in.",
            )  # fmt: skip
        if stage.teacher is not None and not taught:
            raise _error(
                document, name, "teacher", "no loss of this stage follows a teacher, so it would change nothing",
                "Leave it out, or take the loss gist, embedding-mse or follow-query; score-kl and margin-mse follow the"
                " scores of a stage `score`.",
            )  # fmt: skip


def check_remining(recipe: Recipe, document: Document) -> None:
    """Check that each training stage that mines along the way has rows that a stage `mine` has mined.

    Raises:
        InputError: It has none.
    """
    for name, stage in recipe.stages.items():
        if isinstance(stage, TrainStage) and stage.remine_every is not None:
            if not any(mining_stage(recipe, source) for source in stage.sources):
                raise _error(
                    document, name, "remine_every", "none of the sources comes from a stage of the kind mine",
                    "Put one before this stage: mining along the way does again what it does.",
                )  # fmt: skip
            if stage.teacher is not None:
                raise _error(
                    document, name, "remine_every", "mining along the way goes with no teacher",
                    "Leave one of them out: a teacher reads all texts before the first step.",
                )  # fmt: skip


def _loss(recipe: Recipe, stage: TrainStage | TrainSparseStage | TrainLateInteractionStage, source: str) -> Any:
    """The loss of some rows, by who says it: the stage of them, they of themselves, the stage of all."""
    changes = stage.per_source.get(source)
    if changes is not None and changes.loss is not None:
        return stage.loss if changes.loss == "default" else changes.loss
    giver = recipe.stages[source.partition(".")[0]]
    while isinstance(giver, MineStage | ScoreStage | FilterStage | RoundTripStage | CleanStage):
        assert giver.source is not None  # it gives rows
        giver = recipe.stages[giver.source.partition(".")[0]]
    own = getattr(giver, "loss", "default")
    return stage.loss if own == "default" else own


def check_models(recipe: Recipe, artefacts: Artefacts, names: Collection[str]) -> None:
    """Check what some stages ask of a model that is there already, or whose size is known, or that needs a key.

    Args:
        recipe: The recipe.
        artefacts: Its outputs; the base is loaded where it is asked for.
        names: The stages that are about to run.

    Raises:
        InputError: A stage asks for more than the model has.
    """
    for name in names:
        stage = recipe.stages[name]
        try:
            if isinstance(stage, TrainStage):
                _check_training(recipe, artefacts, stage)
            elif isinstance(stage, AdaptStage) and stage.model == "base":
                from cosmith.training.pretraining.objective import objective_of

                objective_of(artefacts.encoder("base"))
            elif isinstance(stage, SynthesiseStage):
                from cosmith.mining.synthesis import require_askable

                require_askable(stage.asked_of())
        except InputError as error:
            field = f"stages.{name}.{'model' if error.field in (None, 'encoder') else error.field}"
            raise InputError(error.problem, path=error.path, field=field, remedy=error.remedy) from error


def _check_training(recipe: Recipe, artefacts: Artefacts, stage: TrainStage) -> None:
    first = _first_model(recipe, stage.model)
    asked = stage.dims or (stage.adapter is not None and stage.adapter_targets)
    if not asked or not (first == "base" or isinstance(recipe.stages[first], InitialiseStage)):
        return
    from cosmith.models.adapters import require_adapter_targets
    from cosmith.training.contrastive import require_nested

    if first != "base":
        made = recipe.stages[first]
        assert isinstance(made, InitialiseStage)
        require_nested(stage.dims, made.hidden)
        return
    base: Encoder = artefacts.encoder("base")
    require_nested(stage.dims, base.dimension)
    if stage.adapter is not None:
        require_adapter_targets(base.module["backbone"], stage.adapter_targets)


def _first_model(recipe: Recipe, name: str) -> str:
    """The model that another one was made from without changing the size of its vectors or the names of its layers."""
    while (giver := stage_of(name)) is not None:
        stage = recipe.stages[giver]
        if isinstance(stage, TrainStage | AdaptStage | RebuildStage | DropLayersStage | PruneVocabularyStage):
            name = stage.model
        elif isinstance(stage, MergeStage):
            name = stage.models[0]
        else:
            break
    return name


def _error(document: Document, stage: str, key: str, problem: str, remedy: str) -> InputError:
    line = document.line(("stages", stage, key))
    return InputError(problem, path=document.path, line=line, field=f"stages.{stage}.{key}", remedy=remedy)
