"""What a stage's outcome depends on, as one hash: its settings, its inputs' fingerprints, the files it reads.

A stage whose fingerprint is the one that stands in its folder need not run again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import xxhash

from cosmith.errors import InputError
from cosmith.recipes.engine_schemas import WHO_WORKS, EngineSettings
from cosmith.recipes.graph import estimated_sources, stage_of
from cosmith.recipes.pretraining_schemas import ModelStage
from cosmith.recipes.references import Accepts, ReadsPath, uses
from cosmith.recipes.schema import Recipe, Stage
from cosmith.recipes.stage_schemas import EstimateStage, PythonFunctionsStage, ReportStage

VERSIONS: Mapping[str, int] = {"source": 3, "collection": 2, "estimate": 2, "evaluate": 2, "mine": 3, "index": 2,
                              "texts": 3, "weak-pairs": 2, "python-functions": 2}  # fmt: skip
"""Raised for a kind of stage when the same settings begin to give something else; all begin at 1."""


@dataclass(frozen=True)
class StageFingerprint:
    """A stage's fingerprint, and the parts of it that come from its inputs (name → fingerprint)."""

    whole: str
    inputs: Mapping[str, str]


def fingerprint_of(value: Any) -> str:
    """A hash of plain JSON values; equal for equal values, whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def content_fingerprint(path: str | Path) -> str:
    """A hash of a file's bytes, or of a folder's visible files and their names.

    Raises:
        InputError: There is nothing at ``path``.
    """
    place = Path(path)
    if place.is_file():
        return _file_hash(place)
    if not place.is_dir():
        where = "" if place.is_absolute() else f" (relative paths start at {Path.cwd()})"
        raise InputError(f"no such file or folder{where}", path=place, remedy="Correct the path.")
    files = sorted(
        file
        for file in place.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(place).parts)
    )
    return fingerprint_of([[file.relative_to(place).as_posix(), _file_hash(file)] for file in files])


def base_fingerprint(recipe: Recipe) -> str:
    """A hash of the base model."""
    return model_fingerprint(recipe.base, recipe.precision)


def model_fingerprint(path: str, precision: str) -> str:
    """A hash of a model folder's files (for a packaged or hub model its name, since its files are fixed or far), and
    the precision that it computes in."""
    files = content_fingerprint(path) if Path(path).is_dir() else path
    return fingerprint_of([files, precision])


def environment_fingerprint() -> str:
    """A hash of what is installed: this Python, and the names and versions of all its distributions."""
    return fingerprint_of([sys.version, *sorted({f"{each.name}=={each.version}" for each in metadata.distributions()})])


def general_check_fingerprint() -> str:
    """A hash of the general-purpose collection that comes with Cosmith."""
    return content_fingerprint(str(resources.files("cosmith.data") / "general_check"))


def settings_of(recipe: Recipe, name: str) -> dict[str, Any]:
    """What a stage's outcome depends on of its settings, as plain values, with the seed that it will use."""
    stage = recipe.stages[name]
    without = WHO_WORKS if isinstance(stage, EngineSettings) else set()
    return stage.model_dump(mode="json", exclude=without) | {"seed": recipe.seed if stage.seed is None else stage.seed}


def stage_fingerprints(recipe: Recipe) -> dict[str, StageFingerprint]:
    """The fingerprint of every stage, in the order in which they run.

    Raises:
        InputError: A file or folder that a stage reads is missing.
    """
    found: dict[str, StageFingerprint] = {}
    for name, stage in recipe.stages.items():
        inputs = _inputs(recipe, name, stage, {key: value.whole for key, value in found.items()})
        whole = fingerprint_of([stage.kind, VERSIONS.get(stage.kind, 1), settings_of(recipe, name), inputs])
        found[name] = StageFingerprint(whole, inputs)
    return found


def _inputs(recipe: Recipe, name: str, stage: Stage, earlier: Mapping[str, str]) -> dict[str, str]:
    """What is behind each name and path that a stage uses: name → fingerprint."""
    inputs: dict[str, str] = {}
    for use in uses(stage):
        if isinstance(use.mark, ReadsPath):
            inputs[use.value] = _read_path(use.value, f"stages.{name}.{use.field}")
        elif isinstance(use.mark, Accepts):
            inputs[use.value] = _behind(recipe, use.value, earlier)
    if isinstance(stage, EstimateStage):
        inputs[stage.train] = fingerprint_of(settings_of(recipe, stage.train))
        for source, negatives in estimated_sources(recipe, name):
            inputs[source] = fingerprint_of([_behind(recipe, source, earlier), negatives])
        inputs["base"] = base_fingerprint(recipe)
    if isinstance(stage, PythonFunctionsStage) and stage.search_paths is None:
        inputs["installed packages"] = environment_fingerprint()
    if isinstance(stage, ModelStage):
        inputs[stage.path] = model_fingerprint(stage.path, recipe.precision)
    if isinstance(stage, ReportStage):
        inputs |= earlier
    return inputs


def _behind(recipe: Recipe, name: str, earlier: Mapping[str, str]) -> str:
    giver = stage_of(name)
    if giver is not None:
        return earlier[giver]
    if name == "base":
        return base_fingerprint(recipe)
    return name if name == "bm25" else general_check_fingerprint()


def _read_path(path: str, field: str) -> str:
    from cosmith.data.hub import is_hub_name
    from cosmith.data.tables import place_of

    if is_hub_name(path):
        return fingerprint_of(path)  # as of a model there: its files are far
    try:
        return content_fingerprint(place_of(path).path)
    except InputError as error:
        raise InputError(error.problem, path=error.path, field=field, remedy=error.remedy) from error


def _file_hash(file: Path) -> str:
    """XXH3 (128 bits) of a file's bytes, read in pieces."""
    hasher = xxhash.xxh3_128()
    with file.open("rb") as handle:
        while piece := handle.read(1 << 22):
            hasher.update(piece)
    return hasher.hexdigest()
