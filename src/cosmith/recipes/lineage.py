"""What a model was made from: a lineage card beside every model that a run has trained."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import cosmith
from cosmith.atomic import atomic_file, write_json
from cosmith.recipes.graph import stage_of
from cosmith.recipes.pretraining_schemas import AdaptStage
from cosmith.recipes.rebuilding_schemas import RebuildStage, StaticStage
from cosmith.recipes.references import ReadsPath, uses
from cosmith.recipes.run_folder import read_record
from cosmith.recipes.schema import Recipe, Stage
from cosmith.recipes.stage_schemas import MergeStage, TrainStage

_VERBS = {"initialise": "Initialised", "rebuild": "Rebuilt", "static": "Made static", "adapt": "Pre-trained",
          "train": "Trained", "merge": "Merged"}  # fmt: skip

BEGIN, END = "<!-- cosmith: lineage -->", "<!-- cosmith: end of lineage -->"


def write_lineage_cards(recipe: Recipe, run: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `lineage.json` and a section of `README.md` into the folder of every model that the run has made.

    Args:
        recipe: The recipe of the run.
        run: The run's folder.
        results: Stage name → result, of the stages that have ended.
    """
    for name, stage in recipe.stages.items():
        folder = run / name / "model"
        if stage.kind in _VERBS and name in results and folder.is_dir():
            card = lineage(recipe, name, run, results)
            write_json(folder / "lineage.json", card)
            readme = folder / "README.md"
            text = readme.read_text(encoding="utf-8") if readme.is_file() else f"# {recipe.name}: {name}\n"
            with atomic_file(readme) as handle:
                handle.write(with_section(text, card_section(card)))


def lineage(recipe: Recipe, name: str, run: Path, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The lineage of a model as plain values: recipe, base, stages behind it, settings, scores, versions."""
    record = read_record(run / name)
    made = recipe.stages[name]
    called = [recipe.base if parent == "base" else parent for parent in dict.fromkeys(_parents(made))]
    return {
        "model": name,
        "kind": made.kind,
        "recipe": recipe.name,
        "base": ", ".join(called) or "random weights",
        "made_from": [_origin(recipe, run, each, results) for each in _stages_behind(recipe, name)],
        "settings": dict(record.config) if record else {},
        "training": {key: value for key, value in results[name].items() if not isinstance(value, list | dict)},
        "scores": list(_scores_of(recipe, name, results)),
        "versions": {each: metadata.version(each) for each in ("torch", "transformers")}
        | {"cosmith": cosmith.__version__},
        "finished": record.finished if record else time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _parents(stage: Stage) -> list[str]:
    """The models that a model was made from."""
    if isinstance(stage, MergeStage):
        return [*stage.models, stage.base]
    return [stage.model] if isinstance(stage, TrainStage | AdaptStage | RebuildStage | StaticStage) else []


def _stages_behind(recipe: Recipe, name: str) -> list[str]:
    """The stages that a stage's inputs come from, directly or by way of others, in the order of the recipe."""
    wanted = {name}
    for earlier in reversed(list(recipe.stages)):
        if earlier in wanted:
            wanted |= {giver for use in uses(recipe.stages[earlier]) if (giver := stage_of(use.value))} & set(
                recipe.stages
            )
    return [each for each in recipe.stages if each in wanted and each != name]


def _origin(recipe: Recipe, run: Path, name: str, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A stage behind a model: what it read and how much came out."""
    stage, record = recipe.stages[name], read_record(run / name)
    files = [use.value for use in uses(stage) if isinstance(use.mark, ReadsPath)]
    numbers = {key: value for key, value in results.get(name, {}).items() if isinstance(value, int | float)}
    return {
        "stage": name,
        "kind": stage.kind,
        "fingerprint": record.fingerprint if record else None,
        "files": [{"path": path, "fingerprint": record.inputs.get(path) if record else None} for path in files],
        "numbers": numbers,
    }


def _scores_of(recipe: Recipe, name: str, results: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What the evaluate stages measured of a model, main metric first."""
    for stage_name, result in results.items():
        if recipe.stages[stage_name].kind == "evaluate":
            for scores in result.get("scores", []):
                if scores["model"] == name:
                    yield {key: scores[key] for key in ("task", "main", "values", "intervals")}


def card_section(card: Mapping[str, Any]) -> str:
    """The lineage as a section of a model card (Markdown)."""
    made = f"{_VERBS[card['kind']]} by Cosmith {card['versions']['cosmith']}"
    lines = ["## How it was made", "", f"{made} with the recipe"
             f" `{card['recipe']}`, from `{card['base']}`, finished {card['finished']}.", ""]  # fmt: skip
    for origin in card["made_from"]:
        numbers = ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in origin["numbers"].items())
        files = "".join(f" `{file['path']}` ({file['fingerprint']})" for file in origin["files"])
        lines.append(f"* {origin['stage']} ({origin['kind']}):{files} {numbers}".rstrip(" :"))
    if card["scores"]:
        lines += ["", "| task | metric | score | 95 % interval |", "|---|---|---|---|"]
        for scores in card["scores"]:
            main = scores["main"]
            interval = scores["intervals"].get(main)
            shown = f"{interval['low']:.4f} to {interval['high']:.4f}" if interval else ""
            lines.append(f"| {scores['task']} | {main} | {scores['values'][main]:.4f} | {shown} |")
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    return "\n".join([*lines, "", f"Versions: {versions}. Settings and fingerprints: `lineage.json`.", ""])


def with_section(text: str, section: str) -> str:
    """A model card with the section in it, in place of an older one."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before.rstrip()}\n\n{BEGIN}\n{section}{END}\n{after.lstrip()}"
