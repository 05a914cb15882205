"""Mining as a stage of the kind `mine` says it, for that stage and for training that mines again as it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.mining import MiningResult, Review, mine_hard_negatives, ratio_of, read_review
from cosmith.models import Encoder, TextEncoder
from cosmith.phrases import counted
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.engine_schemas import WHO_WORKS
from cosmith.recipes.graph import mining_stage
from cosmith.recipes.mining_schemas import MineStage
from cosmith.recipes.stage_schemas import TrainStage
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
            corpus=[text for name in stage.corpus for text in context.artefacts.texts(name)],
            negatives_per_row=stage.negatives,
            cross_encoder=None if stage.cross_encoder is None else context.artefacts.reranker(stage.cross_encoder),
            review=review,
            seed=context.seed,
            folder=folder,
            engine=stage.made_by(),
            **stage.model_dump(include=said),
        )
    except InputError as error:
        raise context.of_stage(error) from error
    if not len(found.source.negatives):
        raise context.of_stage(_nothing_mined(stage, found))
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


def _nothing_mined(stage: MineStage, found: MiningResult) -> InputError:
    """Why no row has a negative, and what to do."""
    nothing = f"none of the {counted(found.rows, 'row')} has a negative: "
    if not found.rejected:
        remedy = "lower `skip_top`" if stage.skip_top else "give it more rows"
        return InputError(
            f"{nothing}beside the answers, no document is left to take",
            field="skip_top" if stage.skip_top else "source",
            remedy=f"Leave this stage out, or {remedy}.",
        )
    return InputError(
        f"{nothing}{counted(found.rejected, 'candidate')} score too near the answers and were left out",
        field=next((name for name in ("ratio", "margin", "max_score") if getattr(stage, name) is not None), None),
        remedy=f"{widened(stage)}, or mine with a model that tells these documents apart.",
    )


def widened(stage: MineStage) -> str:
    """How to leave out fewer candidates."""
    ways = [] if stage.ratio is None else [f"raise `ratio` (now {stage.ratio:g}; null: no such limit)"]
    if stage.margin is not None:
        ways.append(f"lower `margin` (now {stage.margin:g}; null: no such limit)")
    if stage.max_score is not None:
        ways.append(f"raise `max_score` (now {stage.max_score:g}; null: no such limit)")
    if stage.skip_top:
        ways.append(f"lower `skip_top` (now {stage.skip_top})")
    told = " or ".join(ways or ["give it more rows"])
    return told[0].upper() + told[1:]
