"""What a model was made from: a lineage card beside every model that a run or `cosmith merge` has made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cosmith
from cosmith.atomic import atomic_file, write_json
from cosmith.recipes.fingerprints import content_fingerprint
from cosmith.recipes.graph import stage_of
from cosmith.recipes.references import ReadsPath, uses
from cosmith.recipes.run_folder import read_record
from cosmith.recipes.schema import Recipe
from cosmith.recipes.trained_on import CARD, KEY, parents_of, read_card, trained_on, trained_on_of_models

if TYPE_CHECKING:
    from cosmith.models import Encoder

_VERBS = {"initialise": "Initialised", "rebuild": "Rebuilt", "static": "Made static",
          "drop-layers": "Made shallower", "prune-vocabulary": "Left with fewer tokens", "adapt": "Pre-trained",
          "train": "Trained", "train-reranker": "Trained", "train-sparse": "Trained",
          "train-late-interaction": "Trained", "merge": "Merged"}  # fmt: skip

BEGIN, END = "<!-- cosmith: lineage -->", "<!-- cosmith: end of lineage -->"


def write_lineage_cards(recipe: Recipe, run: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `lineage.json` and a section of `README.md` into the folder of every model that the run has made.

    Args:
        recipe: The recipe of the run.
        run: The run's folder.
        results: Stage name → result, of the stages that have ended.
    """
    for name, stage in recipe.stages.items():
        folder = run / name / stage.outputs().get("", "")
        if stage.kind in _VERBS and name in results and folder.is_dir():
            write_card(folder, lineage(recipe, name, run, results), title=f"{recipe.name}: {name}")


def write_card(folder: Path, card: Mapping[str, Any], *, title: str) -> None:
    """Write a lineage into a model's folder: as `lineage.json`, and as a section of its `README.md`.

    Args:
        folder: The model's.
        card: What :func:`lineage` or :func:`merge_lineage` gives.
        title: The heading of the page where there is none yet.
    """
    write_json(folder / CARD, card)
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else f"# {title}\n"
    with atomic_file(readme) as handle:
        handle.write(with_section(text, card_section(card)))


def lineage(recipe: Recipe, name: str, run: Path, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The lineage of a model as plain values: recipe, base, stages behind it, settings, scores, versions."""
    record = read_record(run / name)
    made = recipe.stages[name]
    called = [recipe.base if parent == "base" else parent for parent in dict.fromkeys(parents_of(made))]
    return {
        "model": name,
        "kind": made.kind,
        "recipe": recipe.name,
        "base": ", ".join(called) or "random weights",
        "made_from": [origin(recipe, run, each, results) for each in stages_behind(recipe, name)],
        "settings": dict(record.config) if record else {},
        "training": {key: value for key, value in results[name].items() if not isinstance(value, list | dict)},
        KEY: trained_on(recipe, name, run),
        "scores": list(_scores_of(recipe, name, results)),
        "versions": _versions(),
        "finished": record.finished if record else _now(),
    }


def merge_lineage(
    name: str,
    models: Sequence[tuple[str, Encoder]],
    files: Sequence[str],
    settings: Mapping[str, Any],
    outcome: Mapping[str, Any],
) -> dict[str, Any]:
    """The lineage of a model that was merged outside of a run, in the form of :func:`lineage`.

    Args:
        name: What it is called.
        models: What it was made from, each with where it is: the merged ones, then the base where there was one.
        files: The test sets that all were scored on.
        settings: How it was merged.
        outcome: What :func:`cosmith.recipes.stages.merging.described` says of it.
    """
    chosen = outcome["chosen"]
    main = "mean of the main metrics"
    measured = ((", ".join(Path(file).name for file in files), "dev"), ("general-check", "general"))
    return {
        "model": name,
        "kind": "merge",
        "recipe": None,
        "base": ", ".join(place for place, _ in models),
        "made_from": [
            {"model": place, "fingerprint": encoder.fingerprint(), "share": share, "lineage": read_card(Path(place))}
            for (place, encoder), share in zip_longest(models, chosen["shares"])
        ],
        "files": [{"path": file, "fingerprint": content_fingerprint(file)} for file in files],
        "settings": dict(settings),
        KEY: trained_on_of_models([place for place, _ in models]),
        "scores": [
            {"task": task, "main": main, "values": {main: chosen[score]}, "intervals": {}}
            for task, score in measured
            if chosen[score] is not None
        ],
        "candidates": outcome["candidates"],
        "versions": _versions(),
        "finished": _now(),
    }


def _versions() -> dict[str, str]:
    return {each: metadata.version(each) for each in ("torch", "transformers")} | {"cosmith": cosmith.__version__}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def stages_behind(recipe: Recipe, name: str) -> list[str]:
    """The stages that a stage's inputs come from, directly or by way of others, in the order of the recipe."""
    wanted = {name}
    for earlier in reversed(list(recipe.stages)):
        if earlier in wanted:
            wanted |= {giver for use in uses(recipe.stages[earlier]) if (giver := stage_of(use.value))} & set(
                recipe.stages
            )
    return [each for each in recipe.stages if each in wanted and each != name]


def origin(recipe: Recipe, run: Path, name: str, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A stage behind a model, or behind training rows: what it read and how much came out."""
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
    how = f"with the recipe `{card['recipe']}`" if card["recipe"] else f"by {card['settings']['method']}"
    lines = ["## How it was made", "", f"{made} {how}, from `{card['base']}`, finished {card['finished']}.", ""]
    lines += [_model_line(each) if "model" in each else _stage_line(each) for each in card["made_from"]]
    if card["scores"]:
        lines += ["", "| task | metric | score | 95 % interval |", "|---|---|---|---|"]
        for scores in card["scores"]:
            main = scores["main"]
            interval = scores["intervals"].get(main)
            shown = f"{interval['low']:.4f} to {interval['high']:.4f}" if interval else ""
            lines.append(f"| {scores['task']} | {main} | {scores['values'][main]:.4f} | {shown} |")
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    return "\n".join([*lines, "", f"Versions: {versions}. Settings and fingerprints: `lineage.json`.", ""])


def _stage_line(origin: Mapping[str, Any]) -> str:
    numbers = ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in origin["numbers"].items())
    files = "".join(f" `{file['path']}` ({file['fingerprint']})" for file in origin["files"])
    return f"* {origin['stage']} ({origin['kind']}):{files} {numbers}".rstrip(" :")


def _model_line(origin: Mapping[str, Any]) -> str:
    share = "" if origin["share"] is None else f", share {origin['share']:.3g}"
    return f"* `{origin['model']}` ({origin['fingerprint']}){share}"


def with_section(text: str, section: str) -> str:
    """A model card with the section in it, in place of an older one."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before.rstrip()}\n\n{BEGIN}\n{section}{END}\n{after.lstrip()}"
