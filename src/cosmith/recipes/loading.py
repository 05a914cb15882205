"""From a recipe's name or file, a size and overrides to a checked :class:`~cosmith.recipes.schema.Recipe`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cosmith.errors import InputError, nearest
from cosmith.recipes.complaints import complaint, model_at
from cosmith.recipes.document import Document, Keys, parse_document, read_document
from cosmith.recipes.foresight import check_losses, check_remining
from cosmith.recipes.graph import check_names
from cosmith.recipes.inheritance import with_inherited
from cosmith.recipes.overrides import AsTyped, value_of
from cosmith.recipes.schema import Recipe


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe that is ready to run.

    Attributes:
        recipe: The checked recipe, with the size and the overrides in it.
        document: The file as given.
        size: The size in use; None where the recipe has none.
        overrides: The overrides in use, dotted key → value, those of the size first.
    """

    recipe: Recipe
    document: Document
    size: str | None
    overrides: Mapping[str, Any]


def built_in_recipes() -> dict[str, Document]:
    """The recipes that come with Cosmith, by name."""
    folder = resources.files("cosmith.recipes") / "builtin"
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            text = entry.read_text(encoding="utf-8")
            found[entry.name.removesuffix(".yaml")] = parse_document(text, Path(str(entry)))
    return found


def find_recipe(name_or_path: str) -> Document:
    """The document of a built-in recipe's name or of a file.

    Raises:
        InputError: There is no such recipe, or its file cannot be read.
    """
    looks_like_path = "/" in name_or_path or name_or_path.endswith((".yaml", ".yml"))
    if looks_like_path or Path(name_or_path).is_file():
        return read_document(name_or_path)
    built_in = built_in_recipes()
    if name_or_path not in built_in:
        remedy = f"{nearest(name_or_path, built_in)} A file of your own: give its path, ending in .yaml."
        raise InputError(f"no built-in recipe is called {name_or_path!r}", field="recipe", remedy=remedy)
    return built_in[name_or_path]


def load_recipe(
    name_or_path: str | Document, *, size: str | None = None, overrides: Mapping[str, Any] | None = None
) -> LoadedRecipe:
    """Load, override and check a recipe.

    Args:
        name_or_path: A built-in recipe's name, a file, or a document that was read already.
        size: The entry of the recipe's ``sizes`` to use; default: the one that the recipe's ``size`` names.
        overrides: Dotted key → value, applied after the size, e.g. ``{"stages.train.steps": 50}``, or a value as it was
            typed, see :func:`parse_override`. A key that begins with a stage's name means that stage: ``train.steps``
            is ``stages.train.steps``.

    Raises:
        InputError: Something in the recipe, the size or an override is wrong; names file, line, key and remedy.
    """
    document = find_recipe(name_or_path) if isinstance(name_or_path, str) else name_or_path
    _check(document, {}, None)
    sizes: dict[str, dict[str, Any]] = document.value.get("sizes", {})
    for name, changes in sizes.items():
        _check(document, changes, ("sizes", name))
    chosen = size if size is not None else document.value.get("size")
    if chosen is not None and chosen not in sizes:
        path = document.path if size is None else None
        line = document.line(("size",)) if size is None else None
        remedy = nearest(str(chosen), sizes) if sizes else "This recipe has no sizes; leave it out."
        raise InputError(f"there is no size {chosen!r}", path=path, line=line, field="size", remedy=remedy)
    changes = dict(sizes[chosen]) if chosen is not None else {}
    overrides = {key: _said(value, key, document) for key, value in (overrides or {}).items()}
    recipe = _check(document, changes | overrides, None)
    if chosen is not None:
        recipe = recipe.model_copy(update={"size": chosen})
    return LoadedRecipe(recipe, document, chosen, changes | overrides)


def _check(document: Document, overrides: Mapping[str, Any], origin: Keys | None) -> Recipe:
    """Apply overrides and check the outcome; complaints about an override name where it was said (``origin``)."""
    value = copy.deepcopy(document.value)
    said: dict[Keys, str] = {}
    for dotted_key, new in overrides.items():
        said[_override(value, str(dotted_key), new, document, origin)] = str(dotted_key)
    value = with_inherited(value, document)
    try:
        recipe = Recipe.model_validate(value)
    except ValidationError as error:
        raise complaint(error, value, document, said, origin) from error
    check_names(recipe, document)
    check_losses(recipe, document)
    check_remining(recipe, document)
    return recipe


def _said(given: Any, dotted_key: str, document: Document) -> Any:
    """The value of an override; one that was typed is read by the type of its key."""
    if not isinstance(given, AsTyped):
        return given
    keys = _way(dotted_key, _stage_names(document.value))
    model = model_at(tuple(keys[:-1]), with_inherited(document.value, document))
    field = model.model_fields.get(keys[-1]) if model is not None else None
    return value_of(given, dotted_key, field.annotation if field is not None else None)


def _stage_names(value: Mapping[str, Any]) -> list[str]:
    stages = value.get("stages")
    return list(stages) if isinstance(stages, dict) else []


def _way(dotted_key: str, stage_names: list[str]) -> list[str]:
    """The way from the top to a key that may begin with a stage's name."""
    keys = dotted_key.split(".")
    return ["stages", *keys] if keys[0] not in Recipe.model_fields and keys[0] in stage_names else keys


def _override(value: dict[str, Any], dotted_key: str, new: Any, document: Document, origin: Keys | None) -> Keys:
    """Set one dotted key in place and return its way from the top."""
    stage_names = _stage_names(value)
    keys = _way(dotted_key, stage_names)
    where: dict[str, Any] = {"field": dotted_key}
    if origin is not None:
        line = document.line((*origin, dotted_key))
        where = {"path": document.path, "line": line, "field": f"{'.'.join(map(str, origin))}.{dotted_key}"}
    if keys[0] not in Recipe.model_fields:
        raise InputError(
            "no such key to override", **where, remedy=nearest(keys[0], [*Recipe.model_fields, *stage_names])
        )
    if len(keys) == 2 and keys[0] == "stages" and keys[1] in stage_names:
        raise InputError("a stage cannot be overridden as a whole", **where, remedy="Name one of its keys.")
    if keys[0] == "stages" and (len(keys) < 3 or keys[1] not in stage_names):
        named = keys[1] if len(keys) > 1 else ""
        raise InputError(
            f"there is no stage {named!r} to override a key of", **where, remedy=nearest(named, stage_names)
        )
    if keys[0] in ("name", "sizes", "size"):
        raise InputError("cannot be overridden", **where, remedy="Edit the recipe, or choose a size with --size.")
    place = value
    for key in keys[:-1]:
        below = place.setdefault(key, {})
        if not isinstance(below, dict):
            raise InputError(f"{key!r} has no keys below it", **where, remedy="Set it as a whole.")
        place = below
    place[keys[-1]] = new
    return tuple(keys)
