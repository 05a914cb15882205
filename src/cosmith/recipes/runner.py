"""Run a recipe's stages in their order, and none that need not run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from cosmith.atomic import atomic_file, require_writable, write_json
from cosmith.errors import CosmithError
from cosmith.recipes.artefacts import Artefacts, StageContext
from cosmith.recipes.contamination import FOUND, contamination_of
from cosmith.recipes.data_cards import write_data_cards
from cosmith.recipes.fingerprints import settings_of, stage_fingerprints
from cosmith.recipes.following import Company
from cosmith.recipes.foresight import check_models
from cosmith.recipes.lineage import write_lineage_cards
from cosmith.recipes.loading import LoadedRecipe
from cosmith.recipes.lock import run_lock
from cosmith.recipes.run_folder import (
    RECIPE,
    RESOLVED,
    begin_stage,
    drop_empty,
    finish_stage,
    machine,
    read_record,
    read_result,
    require_run_folder,
    why_to_run,
    without_queries,
)
from cosmith.recipes.stages import stage_function


@dataclass(frozen=True)
class StageEvent:
    """Something that a listener may want to tell.

    Attributes:
        what: ``begin`` and ``end`` of a stage that runs; ``skip`` of one that stands.
        stage: The stage's name.
        kind: The stage's kind.
        number: Its place, from 1.
        count: How many stages there are.
        reason: With ``begin``: why it runs, e.g. ``not run yet`` or ``steps 50 → 100``.
        resumed: With ``begin``: whether it goes on from a checkpoint that an interrupted run left. Only training
            leaves some; other stages start again.
        seconds: With ``end``: how long it took.
        result: With ``end`` and ``skip``: what it found.
        folder: The stage's folder.
    """

    what: Literal["begin", "end", "skip"]
    stage: str
    kind: str
    number: int
    count: int
    folder: Path
    reason: str = ""
    resumed: bool = False
    seconds: float = 0.0
    result: Mapping[str, Any] | None = None


Listener = Callable[[StageEvent], None]


def run_recipe(
    loaded: LoadedRecipe, folder: str | Path, *, listen: Listener | None = None
) -> dict[str, dict[str, Any]]:
    """Run the stages of a recipe in a run folder.

    A stage whose settings and inputs are those that made what stands in its folder is skipped. Whatever ends the run
    (an error, an interrupt, a kill), the next call goes on behind the last finished stage, and a training stage from
    its last checkpoint. Where a launcher has started several processes, all call this and share the stages that
    train (:mod:`cosmith.recipes.following`); only the first tells and returns results.

    Args:
        loaded: The recipe.
        folder: The run's folder; made where absent.
        listen: Told when a stage begins, ends or is skipped.

    Returns:
        Stage name → its result (the content of its `result.json`).

    Raises:
        CosmithError: Something that the user can mend; finished stages stand.
    """
    run, recipe = Path(folder), loaded.recipe
    require_writable(run)
    require_run_folder(run)
    fingerprints = stage_fingerprints(recipe)  # also finds missing files before anything is written
    company = Company()
    if not company.leads:
        company.follow(loaded, run)
        return {}
    tell: Listener = listen or (lambda event: None)
    results: dict[str, dict[str, Any]] = {}
    with run_lock(run):
        _write_recipe(loaded, run)
        artefacts = Artefacts(recipe, run)
        foreseen = False
        for number, (name, stage) in enumerate(recipe.stages.items(), start=1):
            place = run / name
            config, fingerprint = settings_of(recipe, name), fingerprints[name]
            reason = why_to_run(place, fingerprint.whole, config, fingerprint.inputs)
            event = StageEvent("skip", name, stage.kind, number, len(recipe.stages), place)
            if reason is None:
                company.tell(stage, runs=False)
                results[name] = read_result(place)
                tell(replace(event, result=results[name]))
                continue
            if not foreseen:
                check_models(recipe, artefacts, list(recipe.stages)[number - 1 :])
                foreseen = True
            artefacts.forget(name)
            overlaps = contamination_of(recipe, artefacts, name)
            resumed = begin_stage(place, fingerprint.whole) and _has_checkpoint(place)
            tell(replace(event, what="begin", reason=reason, resumed=resumed))
            started = time.monotonic()
            context = StageContext(name, recipe, place, run, config["seed"], artefacts)
            company.tell(stage, runs=True)
            try:
                results[name] = stage_function(stage)(stage, context)
            except CosmithError:
                drop_empty(place)
                raise
            if overlaps:
                results[name][FOUND] = overlaps
            record = finish_stage(
                place, name=name, kind=stage.kind, fingerprint=fingerprint.whole, started=started, config=config,
                inputs=fingerprint.inputs, outputs=stage.outputs(), result=results[name],
            )  # fmt: skip
            _gather(loaded, run, results)
            tell(replace(event, what="end", seconds=record.seconds, result=results[name]))
        _gather(loaded, run, results)
        shutil.rmtree(run / ".vectors", ignore_errors=True)
    return results


def _has_checkpoint(place: Path) -> bool:
    if not (place / "checkpoints").is_dir():
        return False
    from cosmith.training.checkpoint import latest_checkpoint

    return latest_checkpoint(place) is not None


def _write_recipe(loaded: LoadedRecipe, run: Path) -> None:
    """The recipe as given, and as it is run: with the size, the overrides and every default written out."""
    resolved = loaded.recipe.model_dump(mode="json", exclude={"sizes"})
    with atomic_file(run / RESOLVED) as handle:  # the first of the two: by it a run's folder is known
        yaml.safe_dump(resolved, handle, sort_keys=False, allow_unicode=True, width=120)
    with atomic_file(run / RECIPE) as handle:
        handle.write(loaded.document.text)


def _gather(loaded: LoadedRecipe, run: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Bring `results.json` and the models' lineage cards up to date with what has been found so far."""
    recipe = loaded.recipe
    stages = []
    for name, result in results.items():
        record = read_record(run / name)
        stages.append({"name": name, "kind": recipe.stages[name].kind, "seconds": record.seconds if record else None,
                       "result": without_queries(result)})  # fmt: skip
    head = {"name": recipe.name, "description": recipe.description, "base": recipe.base, "seed": recipe.seed,
            "size": loaded.size, "machine": machine()}  # fmt: skip
    write_json(run / "results.json", head | {"stages": stages})
    write_lineage_cards(recipe, run, results)
    write_data_cards(recipe, run, results)
