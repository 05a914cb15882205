"""Mining as a stage of the kind `mine` says it, for that stage and for training that mines again as it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.mining import MiningResult, Review, mine_hard_negatives, ratio_of, read_review
from cosmith.mining.hard_negatives import Limits, require_negatives
from cosmith.models import Encoder, TextEncoder
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.engine_schemas import WHO_WORKS
from cosmith.recipes.graph import mining_stage
from cosmith.recipes.mining_schemas import MineStage
from cosmith.recipes.stage_schemas import TrainStage
from cosmith.recipes.text_names import corpus_of
from cosmith.training import Remining


def mined(
    stage: MineStage,
    context: StageContext,
    models: Sequence[TextEncoder],
    source: Source,
    review: Review,
    folder: Path,
) -> MiningResult:
    """The rows with negatives, as the stage says.

    Args:
        stage: How to mine.
        context: Of this stage, or of one that mines as it does.
        models: In place of those that the stage names.
        source: In place of the rows that it names.
        review: What people have said.
        folder: Where vectors and what was found so far are kept.

    Raises:
        InputError: When no row has a negative, or a setting is impossible.
    """
    said = {"depth", "ratio", "margin", "max_score", "skip_top", "sample", "keep", "scores", "dim", "candidates",
            "agreement", "language", "stored_as"}  # fmt: skip
    stage = with_ratio(stage, source)
    try:
        found = mine_hard_negatives(
            models,
            source,
            corpus=corpus_of(stage.corpus, context.artefacts),
            negatives_per_row=stage.negatives,
            cross_encoder=None if stage.cross_encoder is None else context.artefacts.reranker(stage.cross_encoder),
            review=review,
            seed=context.seed,
            folder=folder,
            engine=stage.made_by(),
            **stage.model_dump(include=said),
        )
        require_negatives(found, limits_of(stage), stage.skip_top)
    except InputError as error:
        raise context.of_stage(error) from error
    return found


def with_ratio(stage: MineStage, source: Source) -> MineStage:
    """The stage with the ratio that ``auto`` means for these rows."""
    return stage.model_copy(update={"ratio": ratio_of(stage.ratio, source)})


def review_of(stage: MineStage, context: StageContext) -> Review:
    """What people have said of likely answers, by the file that the stage names."""
    try:
        return Review() if stage.review is None else read_review(stage.review)
    except InputError as error:
        field = f"stages.{context.name}.review"
        raise InputError(error.problem, path=error.path, line=error.line, field=field, remedy=error.remedy) from error


def remining_of(stage: TrainStage, context: StageContext, named: Callable[[str, Source], Source]) -> Remining | None:
    """How a training stage mines again along the way what stages `mine` have mined of its rows; None: it does not.

    Args:
        stage: The training stage.
        context: Its context.
        named: A source's name in the recipe and the source → the source as the stage trains on it.
    """
    if stage.remine_every is None:
        return None
    givers = {name: giver for name in stage.sources if (giver := mining_stage(context.recipe, name)) is not None}

    def mine(encoder: Encoder, folder: Path) -> dict[str, Source]:
        found = {}
        for name, giver in givers.items():
            seed = context.recipe.seed if giver.seed is None else giver.seed
            place = replace(context, name=name, seed=seed)
            source, review = context.artefacts.source(giver.source), review_of(giver, place)
            found[name] = named(name, mined(giver, place, [encoder], source, review, folder).source)
        return found

    identity = {name: giver.model_dump(mode="json", exclude=WHO_WORKS) for name, giver in givers.items()}
    return Remining(stage.remine_every, mine, identity)


def limits_of(stage: MineStage) -> Limits:
    """What its candidates must keep to; its ratio is a number or none, see :func:`with_ratio`."""
    return Limits(*(getattr(stage, name) for name in ("ratio", "margin", "max_score")))
