"""Data cards of a run: `data.md` in the folder of every stage that makes or changes training rows.

What a card says is taken from the stage's result, its record and the stages behind it, so that no stage writes prose.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cosmith.recipes.cleaning_schemas import CleanStage
from cosmith.recipes.contamination import FOUND
from cosmith.recipes.lineage import origin, stages_behind
from cosmith.recipes.run_folder import output_folder, read_record
from cosmith.recipes.schema import Recipe

_NO_COUNTS = ("seed",)
_SAMPLES = 5


def write_data_cards(recipe: Recipe, run: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write or renew the card of every stage that has made training rows.

    Args:
        recipe: The recipe of the run.
        run: The run's folder.
        results: Stage name → result, of the stages that have ended.
    """
    from cosmith.data.cards import write_data_card

    for name, stage in recipe.stages.items():
        if name in results and "source" in stage.outputs().values():
            write_data_card(run / name, _card(recipe, name, run, results))


def _card(recipe: Recipe, name: str, run: Path, results: Mapping[str, Mapping[str, Any]]) -> Any:
    from cosmith.data import Source
    from cosmith.data.cards import Contents, DataCard
    from cosmith.data.cleaning import Step

    cleaned = isinstance(recipe.stages[name], CleanStage)
    stage, result, record = recipe.stages[name], results[name], read_record(run / name)
    made = {f"{name}.{output}" if output else name: output_folder(run / name, output, kind)
            for output, kind in stage.outputs().items() if kind == "source"}  # fmt: skip
    told = result.get("told") or []
    summary = " ".join((inspect.getdoc(type(stage)) or "").split())
    finished = f" Finished {record.finished}, Cosmith {record.cosmith}." if record else ""
    settings = stage.model_dump(mode="json", exclude_defaults=True)
    return DataCard(
        title=f"{recipe.name}: {name}",
        how_made=f"{summary} Made by the stage `{name}` ({stage.kind}) of the recipe `{recipe.name}`.{finished}",
        settings=settings | ({"seed": record.config["seed"]} if record else {}),
        where_from=list(_where_from(recipe, name, run, results)),
        contents=[Contents.of(Source.load(folder), shown) for shown, folder in made.items()],
        counts={_words(key): value for key, value in result.items() if _is_number(value) and key not in _NO_COUNTS},
        splits={part: _numbers(counts) for part, counts in _mapping(result.get("splits")).items()},
        dropped=_numbers(result.get("dropped")),
        steps=[Step(**{**step, "examples": ()}).describe() for step in result["steps"]] if cleaned else [],
        told=[*result.get("notes", []), *([] if cleaned or isinstance(told, str) else told)],
        samples=list(_samples(result.get("examples")))[:_SAMPLES],
        contamination=list(_contamination(recipe, name, results)),
    )


def _where_from(recipe: Recipe, name: str, run: Path, results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for each in [*stages_behind(recipe, name), name]:
        found = origin(recipe, run, each, results)
        for file in found["files"]:
            yield f"the file {file['path']} ({file['fingerprint']})"
        if each != name:
            numbers = ", ".join(f"{_words(key)} {value:,}" for key, value in found["numbers"].items())
            yield f"the stage {each} ({found['kind']})" + (f": {numbers}" if numbers else "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _numbers(value: Any) -> dict[str, Any]:
    """What of a mapping is numbers, as words → number."""
    return {_words(str(key)): each for key, each in _mapping(value).items() if _is_number(each)}


def _samples(examples: Any) -> Iterator[dict[str, str]]:
    """Examples as stages give them: a list of mappings, or several such lists by name."""
    if isinstance(examples, Mapping):
        for name, some in examples.items():
            for sample in _samples(some[:2] if isinstance(some, list) else []):
                yield {"which": str(name), **sample}
        return
    for example in examples or []:
        if not isinstance(example, Mapping):
            continue
        yield {
            _words(key): " / ".join(map(str, value[:2])) if isinstance(value, list) else _shown(value)
            for key, value in example.items()
        }


def _contamination(recipe: Recipe, name: str, results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What was found when rows of this stage, or rows that were made of them, were held against test sets."""
    for stage, result in results.items():
        for overlap in [*(result.get(FOUND) or []), *(result.get("overlaps") or [])]:
            giver = overlap["source"].partition(".")[0]
            if name == giver or name in stages_behind(recipe, giver):
                yield f"{overlap['told']} (looked at by the stage {stage})"
                for each in overlap["examples"]:
                    yield f"{overlap['task']}, for example: {each['test']} ({each['how']})"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _words(key: str) -> str:
    return key.replace("_", " ")
