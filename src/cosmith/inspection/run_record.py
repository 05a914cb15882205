"""The folder of a run, read: its stages in their order, each with its settings and what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cosmith.errors import InputError


@dataclass(frozen=True)
class StageView:
    """A stage that has ended.

    Attributes:
        name: Its name in the recipe.
        kind: Its kind, e.g. ``train``.
        folder: Where its outputs are.
        seconds: How long it took.
        finished: When it ended, ISO 8601; empty where it is not known.
        fingerprint: Hash of its settings and inputs.
        config: Its settings.
        result: What it found, by kind.
    """

    name: str
    kind: str
    folder: Path
    seconds: float
    finished: str
    fingerprint: str
    config: Mapping[str, Any]
    result: Mapping[str, Any]


@dataclass(frozen=True)
class RunRecord:
    """A run.

    Attributes:
        folder: Its folder.
        name: The recipe's name, or the folder's.
        description: What the recipe is for.
        base: The model that it started from.
        size: The recipe's size in use.
        machine: Where it ran: processor, cores, memory, versions.
        recipe: The recipe as given.
        stages: Those that have ended, in the recipe's order.
    """

    folder: Path
    name: str
    description: str = ""
    base: str = ""
    size: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""
    stages: tuple[StageView, ...] = ()

    def of_kind(self, *kinds: str) -> list[StageView]:
        """The stages of some kinds."""
        return [stage for stage in self.stages if stage.kind in kinds]


def read_run(folder: str | Path) -> RunRecord:
    """Read the folder of a run.

    Raises:
        InputError: When there is no such folder, none of its stages has ended, or a file in it is not whole.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("there is no such run folder", path=folder, remedy="Give the folder of a run, runs/NAME.")
    about = _json(folder / "results.json") if (folder / "results.json").is_file() else {}
    resolved = _yaml(folder / "recipe.resolved.yaml") or _yaml(folder / "recipe.yaml")
    stages = _stages(folder, list(resolved.get("stages") or {}))
    if not stages:
        raise InputError(
            "no stage of this run has ended", path=folder, remedy="Run the recipe first: cosmith run RECIPE."
        )
    recipe = folder / "recipe.yaml"
    return RunRecord(
        folder=folder,
        name=str(about.get("name") or resolved.get("name") or folder.resolve().name),
        description=str(about.get("description") or resolved.get("description") or ""),
        base=str(about.get("base") or resolved.get("base") or ""),
        size=str(about.get("size") or resolved.get("size") or ""),
        machine=about.get("machine") or {},
        recipe=recipe.read_text(encoding="utf-8", errors="replace") if recipe.is_file() else "",
        stages=tuple(stages),
    )


def _stages(folder: Path, order: list[str]) -> list[StageView]:
    """The ended stages in the recipe's order; without a recipe, in the order in which they ended.

    A folder that the recipe does not name (any more) is no part of the run.
    """
    found = {}
    for record in sorted(folder.glob("*/stage.json")):
        about, result = _json(record), _json(record.parent / "result.json")
        found[record.parent.name] = StageView(
            name=str(about.get("name", record.parent.name)),
            kind=str(about.get("kind", "")),
            folder=record.parent,
            seconds=float(about.get("seconds") or 0.0),
            finished=str(about.get("finished", "")),
            fingerprint=str(about.get("fingerprint", "")),
            config=about.get("config") or {},
            result=result,
        )
    if order:
        return [found[name] for name in order if name in found]
    return sorted(found.values(), key=lambda stage: (stage.finished, stage.name))


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            "is missing", path=path, remedy="Run the recipe again; the stage will be made anew."
        ) from error
    except ValueError as error:
        raise InputError(f"is not JSON ({error})", path=path, remedy="Remove it and run the recipe again.") from error
    if not isinstance(value, dict):
        raise InputError("holds no JSON object", path=path, remedy="Remove it and run the recipe again.")
    return value


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("is not YAML", path=path, remedy="Run the recipe again.") from error
    return value if isinstance(value, dict) else {}
