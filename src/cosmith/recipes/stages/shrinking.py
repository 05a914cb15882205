"""Stages that make a smaller model of another one, and tell what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmith.compression import drop_layers, held_out, measure_smaller, prune_vocabulary, shorten_static, static_student
from cosmith.errors import InputError
from cosmith.models import Encoder, distil_static
from cosmith.models.from_vocabulary import require_narrower
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.shrinking_schemas import DropLayersStage, PruneVocabularyStage, StaticStage, StudentSettings
from cosmith.recipes.stages.pretraining import all_texts
from cosmith.recipes.stages.training import outcome, told_by_stage, training_settings
from cosmith.training import TrainingResult, distil
from cosmith.training.distributed import is_first_rank


def drop(stage: DropLayersStage, context: StageContext) -> dict[str, Any]:
    """Leave out layers, and let the student follow its teacher where there are texts."""
    teacher = context.artefacts.encoder(stage.model)
    learnt, held = held_out(all_texts(stage.texts, context), context.seed)
    try:
        student = drop_layers(teacher, stage.layers, name=context.name)
    except InputError as error:
        field = "layers" if error.field == "keep" else error.field
        raise context.of_stage(InputError(error.problem, field=field, remedy=error.remedy)) from error
    with told_by_stage(context):
        result = follow(student, teacher, learnt, stage, context)
    forms = {"layers dropped": student} | ({} if result is None else {"distilled": result.encoder})
    return kept(forms, result, teacher, held, stage.tasks, context, learnt=len(learnt))


def prune(stage: PruneVocabularyStage, context: StageContext) -> dict[str, Any]:
    """Leave out the tokens that no text uses."""
    model = context.artefacts.encoder(stage.model)
    texts = all_texts(stage.texts, context)
    try:
        pruned, told = prune_vocabulary(model, texts, seed=context.seed, name=context.name)
    except InputError as error:
        raise context.of_stage(error) from error
    return kept({"fewer tokens": pruned}, None, model, texts, stage.tasks, context, vocabulary=told.as_json())


def make_static(stage: StaticStage, context: StageContext) -> dict[str, Any]:
    """Make a static model, and let it follow its teacher where there are texts."""
    teacher = context.artefacts.encoder(stage.model)
    learnt, held = held_out(all_texts(stage.texts, context), context.seed)
    result = None
    with told_by_stage(context):
        require_narrower(stage.dimension, teacher)
        if learnt:
            start = static_student(teacher, learnt, smoothing=stage.smoothing, max_length=stage.max_length)
            result = follow(start, teacher, learnt, stage, context)
            assert result is not None
            short = shorten_static(result.encoder, learnt, stage.dimension, name=context.name)
            forms = {"token vectors": start, "distilled": result.encoder, f"in {stage.dimension}": short}
        else:
            forms = {
                "token vectors": distil_static(
                    teacher, dimension=stage.dimension, smoothing=stage.smoothing, max_length=stage.max_length,
                    name=context.name,
                )
            }  # fmt: skip
    return kept(forms, result, teacher, held, stage.tasks, context, learnt=len(learnt))


def follow(
    student: Encoder, teacher: Encoder, texts: Sequence[str], stage: StudentSettings, context: StageContext
) -> TrainingResult[Encoder] | None:
    """Train a student on its teacher's vectors, going on from the last checkpoint where an interrupted run left one;
    None without texts."""
    if not texts:
        return None
    return distil(student, teacher, texts, training_settings(stage, context, context.seed), folder=context.folder)


def kept(
    forms: Mapping[str, Encoder],
    result: TrainingResult[Encoder] | None,
    teacher: Encoder,
    held: Sequence[str],
    tasks: Sequence[str],
    context: StageContext,
    **also: Any,
) -> dict[str, Any]:
    """Keep the last form, and tell of all what they are and lose; of several processes the first one does.

    Args:
        forms: What each step of making the student left.
        result: Of its training, if it was trained.
        teacher: What it was made from.
        held: Texts to compare vectors on.
        tasks: Test sets to compare scores on.
        context: Of the stage.
        also: What else there is to tell.
    """
    if not is_first_rank():
        return {}
    told = {} if result is None else outcome(result, context, teacher)
    last = list(forms.values())[-1]
    last.save(context.artefacts.folder(context.name))
    sizes = measure_smaller(teacher, forms, held, [context.artefacts.task(name) for name in tasks], seed=context.seed)
    return told | also | {"forms": [each.as_json() for each in sizes], "model": context.name}
