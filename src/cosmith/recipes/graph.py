"""The check that every name in a recipe's stages means an output that exists, stands earlier and is of the kind."""

from __future__ import annotations

from cosmith.errors import InputError, nearest
from cosmith.recipes.document import Document, Keys, dotted
from cosmith.recipes.mining_schemas import MineStage
from cosmith.recipes.references import BUILT_IN_NAMES, Accepts, Kind, Mentions, Use, uses
from cosmith.recipes.schema import Recipe
from cosmith.recipes.stage_schemas import EstimateStage, EvaluateStage, TrainStage

CALLED: dict[Kind, str] = {
    "source": "training rows",
    "collection": "a collection",
    "sts": "an sts set",
    "task": "a test set of another kind",
    "texts": "texts",
    "model": "a model",
    "reranker": "a reranker",
    "sparse": "a sparse encoder",
    "late-interaction": "a late-interaction model",
    "lexical": "BM25",
    "scores": "the scores of an evaluate stage",
    "index": "an index",
}


def output_names(recipe: Recipe, before: str | None = None) -> dict[str, Kind]:
    """Every name that a stage may use, and what it is: the built-in ones and the outputs of the stages.

    Args:
        recipe: The recipe.
        before: Only what stands above this stage.
    """
    names = dict(BUILT_IN_NAMES)
    for stage_name, stage in recipe.stages.items():
        if stage_name == before:
            break
        for output, kind in stage.outputs().items():
            names[f"{stage_name}.{output}" if output else stage_name] = kind
    return names


def stage_of(name: str) -> str | None:
    """The stage that gives an output name; None for the built-in names."""
    return None if name in BUILT_IN_NAMES else name.partition(".")[0]


def mining_stage(recipe: Recipe, name: str) -> MineStage | None:
    """The stage of the kind `mine` that gives these training rows; None where another one does."""
    giver = recipe.stages.get(stage_of(name) or "")
    return giver if isinstance(giver, MineStage) else None


def estimated_sources(recipe: Recipe, name: str) -> list[tuple[str, int]]:
    """What an estimate stage can already see of the rows that its training stage will use.

    Mined rows that stand below it are not there yet: their stage's own input takes their place, and the number of
    negatives that mining will add.

    Returns:
        (name of the rows, negatives a row to assume), one for each of the training stage's sources.

    Raises:
        InputError: The rows are made below the estimate by something else than mining.
    """
    stage = recipe.stages[name]
    assert isinstance(stage, EstimateStage)
    trained = recipe.stages[stage.train]
    assert isinstance(trained, TrainStage)
    known = output_names(recipe, before=name)
    found = []
    for source in trained.sources:
        negatives = 0
        while source not in known:
            giver = mining_stage(recipe, source)
            if giver is None:
                problem = f"the rows {source!r} of the stage {stage.train!r} are not made yet"
                raise InputError(
                    problem, field=f"stages.{name}", remedy="Move the estimate below the stage that makes them."
                )
            source, negatives = giver.source, negatives + giver.negatives
        found.append((source, negatives))
    return found


def check_names(recipe: Recipe, document: Document) -> None:
    """Check all names that the stages use.

    Raises:
        InputError: A stage is called like a built-in, or a name is unknown, stands later, or is of the wrong kind.
    """
    everywhere = output_names(recipe)
    for stage_name, stage in recipe.stages.items():
        if stage_name in BUILT_IN_NAMES:
            raise _error(
                document, ("stages", stage_name), f"{stage_name!r} is a built-in name", "Call the stage otherwise."
            )
        known = output_names(recipe, before=stage_name)
        for use in uses(stage):
            keys: Keys = ("stages", stage_name, *use.keys)
            if isinstance(use.mark, Mentions):
                _check_mention(recipe, document, keys, use, use.mark)
            elif isinstance(use.mark, Accepts):
                _check_output(known, everywhere, document, keys, use, use.mark)
    for stage_name, stage in recipe.stages.items():
        if isinstance(stage, EvaluateStage):
            _check_evaluation(stage_name, stage, everywhere, document)
        if isinstance(stage, EstimateStage):
            try:
                estimated_sources(recipe, stage_name)
            except InputError as error:
                raise _error(document, ("stages", stage_name), error.problem, error.remedy or "") from error


def _check_evaluation(name: str, stage: EvaluateStage, kinds: dict[str, Kind], document: Document) -> None:
    rerankers = [model for model in stage.models if kinds[model] == "reranker"]
    if rerankers and stage.first is None:
        problem = f"nothing finds the documents that {rerankers[0]!r} puts in order"
        raise _error(document, ("stages", name), problem, "Say it in `first`: base, bm25 or a model.")
    if stage.chunk_tokens is not None and all(kinds[task] == "sts" for task in stage.tasks):
        problem = "the texts of sts sets are never cut"
        remedy = "Leave it out, or name a collection among the tasks."
        raise _error(document, ("stages", name, "chunk_tokens"), problem, remedy)


def _check_mention(recipe: Recipe, document: Document, keys: Keys, use: Use, mark: Mentions) -> None:
    valid = [name for name, stage in recipe.stages.items() if stage.kind == mark.stage_kind]
    if use.value not in valid:
        remedy = nearest(use.value, valid) if valid else f"The recipe has no stage of the kind {mark.stage_kind!r}."
        raise _error(document, keys, f"there is no {mark.stage_kind} stage called {use.value!r}", remedy)


def _check_output(
    known: dict[str, Kind], everywhere: dict[str, Kind], document: Document, keys: Keys, use: Use, mark: Accepts
) -> None:
    wanted = " or ".join(CALLED[kind] for kind in mark.kinds)
    valid = [name for name, kind in known.items() if kind in mark.kinds]
    if use.value in valid:
        return
    choices = nearest(use.value, valid) if valid else f"No stage above it gives {wanted}."
    if use.value in known:
        raise _error(document, keys, f"{use.value!r} is {CALLED[known[use.value]]}, but {wanted} is needed", choices)
    if use.value in everywhere:
        problem = f"{use.value!r} is made by a stage that stands below this one"
        raise _error(document, keys, problem, "Move that stage up: stages run in the order in which they stand.")
    parts = [name for name in valid if name.startswith(f"{use.value}.")]
    if parts:
        raise _error(document, keys, f"{use.value!r} has several outputs", f"Name one: {', '.join(parts)}.")
    listed = f"Valid: {', '.join(valid)}."
    remedy = choices if choices == listed or not valid else f"{choices} {listed}"
    raise _error(document, keys, f"unknown input {use.value!r}", remedy)


def _error(document: Document, keys: Keys, problem: str, remedy: str) -> InputError:
    return InputError(problem, path=document.path, line=document.line(keys), field=dotted(keys), remedy=remedy)
