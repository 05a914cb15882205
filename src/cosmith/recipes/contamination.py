"""The check, before a model is trained or scored, that it is not trained on what it is tested with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cosmith.errors import InputError
from cosmith.phrases import counted
from cosmith.recipes.graph import stage_of
from cosmith.recipes.mixture_schemas import MixtureSettings
from cosmith.recipes.pretraining_schemas import AdaptStage
from cosmith.recipes.schema import Recipe
from cosmith.recipes.shrinking_schemas import StudentSettings
from cosmith.recipes.stage_schemas import EvaluateStage
from cosmith.recipes.stage_settings import StageSettings

if TYPE_CHECKING:
    from cosmith.data import Source
    from cosmith.data.contamination import Overlap
    from cosmith.recipes.artefacts import Artefacts

FOUND = "contamination"
"""The key of a stage's result that tells what its rows and the test sets have in common."""


def contamination_of(recipe: Recipe, artefacts: Artefacts, name: str) -> list[dict[str, Any]]:
    """Hold what a stage trains on against every test set that the recipe scores models on: training rows, and the raw
    texts of continued pre-training, of which none may be a test query that is no document as well.

    A test set that is made below the training stage is held against its rows before the first model is scored on it.

    Args:
        recipe: The recipe.
        artefacts: Its outputs.
        name: A stage that is about to run.

    Returns:
        What the rows and the test sets have in common, as plain values; nothing for stages that neither train nor
        score.

    Raises:
        InputError: A test query is trained on, and the recipe does not say ``allow_contamination``.
    """
    from cosmith.evaluation.contamination import overlap_with_task

    told = []
    for trained_by, source, task in _due(recipe, name):
        overlap = overlap_with_task(_rows(source, artefacts), artefacts.task(task))
        if overlap.trained and not recipe.allow_contamination:
            raise _refusal(overlap, trained_by, isinstance(recipe.stages[trained_by], MixtureSettings))
        told.append(overlap.values())
    return told


def test_sets_of(recipe: Recipe) -> list[str]:
    """Every test set that the recipe scores models on, in the order in which they are named."""
    stages = (stage for stage in recipe.stages.values() if isinstance(stage, EvaluateStage))
    return list(dict.fromkeys(task for stage in stages for task in stage.tasks))


def _due(recipe: Recipe, name: str) -> Iterator[tuple[str, str, str]]:
    """What is to be checked before a stage runs: (training stage, its rows, test set)."""
    place = {stage: number for number, stage in enumerate(recipe.stages)}
    stage = recipe.stages[name]

    def there(task: str, before: str) -> bool:
        giver = stage_of(task)
        return giver is None or place[giver] < place[before]

    if read := trains_on(stage):
        tests = [task for task in test_sets_of(recipe) if there(task, name)]
        yield from ((name, source, task) for source in read for task in tests)
    if isinstance(stage, EvaluateStage):
        for above in _above(recipe, name):
            tests = [task for task in stage.tasks if not there(task, above)]
            yield from ((above, source, task) for source in trains_on(recipe.stages[above]) for task in tests)


def trains_on(stage: StageSettings) -> list[str]:
    """The rows and raw texts that a stage trains on, if it does."""
    if isinstance(stage, MixtureSettings):
        return list(stage.sources)
    return list(stage.texts) if isinstance(stage, AdaptStage | StudentSettings) else []


def _rows(name: str, artefacts: Artefacts) -> Source:
    """Training rows, or raw texts as rows of a text and itself, which ask nothing."""
    if artefacts.kind(name) == "source":
        return replace(artefacts.source(name), name=name)
    return rows_of_texts(name, artefacts.texts(name))


def rows_of_texts(name: str, texts: Iterable[str]) -> Source:
    """Raw texts as rows of a text and itself, which ask nothing."""
    from cosmith.data import Source, TrainingRow

    return Source.from_rows(name, (TrainingRow(text, (text,)) for text in texts))


def _above(recipe: Recipe, name: str) -> Iterable[str]:
    stages = list(recipe.stages)
    return stages[: stages.index(name)]


def shown_of(overlap: Overlap) -> str:
    """Some of what is tested and trained on, in words."""
    return "; ".join(
        f"{each.test!r} ({each.how}" + (")" if each.train == each.test else f": {each.train!r})")
        for each in overlap.examples[:3]
    )


def _refusal(overlap: Overlap, trained_by: str, of_rows: bool) -> InputError:
    asked = counted(overlap.asked, overlap.unit, "queries" if overlap.unit == "query" else None)
    leave_out = (
        f"Leave these rows out by a stage above: {{kind: clean, source: {overlap.source}, without: {overlap.task}}}."
        if of_rows
        else "Take these texts out of what is read."
    )
    return InputError(
        f"{overlap.trained:,} of {asked} of the test set {overlap.task!r} would be trained on, in"
        f" {counted(len(overlap.rows), 'row')} of {overlap.source!r}: {shown_of(overlap)}",
        field=f"stages.{trained_by}.{'sources' if of_rows else 'texts'}",
        remedy=f"{leave_out} Or say `allow_contamination: true` at the top of the recipe, and trust no score on it.",
    )
