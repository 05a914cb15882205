"""Pydantic's findings as Cosmith's errors: file, line, dotted key, what was expected, and the nearest valid key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cosmith.errors import InputError, nearest
from cosmith.recipes.document import Document, Keys, dotted
from cosmith.recipes.inheritance import LIKE
from cosmith.recipes.schema import STAGE_KINDS, Recipe


def complaint(
    error: ValidationError,
    value: Mapping[str, Any],
    document: Document,
    overridden: Mapping[Keys, str],
    origin: Keys | None,
) -> InputError:
    """The first finding of ``error`` as an :class:`InputError`, with a count of the others.

    Args:
        error: What pydantic found.
        value: What was checked.
        document: Where it came from.
        overridden: The ways that overrides set, with the dotted key as it was said.
        origin: Where the overrides stand in the document; None when they came from the command line.
    """
    findings = error.errors(include_url=False)
    # An unknown key explains a missing one (`stpes` for `steps`), so it comes first.
    first = next((finding for finding in findings if finding["type"] == "extra_forbidden"), findings[0])
    # A value that fits no member of a union has a finding for each; the deepest one has looked at most of it.
    first = max((each for each in findings if _way(each)[: len(_way(first))] == _way(first)), key=_depth)
    keys = _way(first)
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError) and cause.field is not None:
        keys = (*keys, cause.field)  # of several keys of a stage, the one that is wrong
    problem, remedy = _problem(first, keys, value)
    if len(findings) > 1:
        problem += f" (the first of {len(findings)} problems)"
    said = next((text for way, text in overridden.items() if keys[: len(way)] == way), None)
    if said is not None and origin is None:
        return InputError(problem, field=dotted(keys), remedy=remedy)
    at: Keys = (*origin, said) if said is not None and origin is not None else keys
    field = f"{dotted(origin)}.{dotted(keys)}" if said is not None and origin is not None else dotted(keys)
    return InputError(problem, path=document.path, line=document.line(at), field=field or None, remedy=remedy)


def _way(finding: ErrorDetails) -> Keys:
    """The way to the finding in the YAML: without the names that pydantic puts in for the members of a union."""
    keys: Keys = tuple(key for key in finding["loc"] if key != "[key]")
    if len(keys) > 2 and keys[0] == "stages":
        kind_and_field, below = keys[2:4], keys[4:]
        named = below[:2] if keys[3:4] == ("per_source",) else ()  # the one field with named keys below it
        keys = (*keys[:2], *kind_and_field[1:], *named, *(key for key in below[len(named) :] if isinstance(key, int)))
    return keys


def _depth(finding: ErrorDetails) -> int:
    return len(_way(finding))


def _problem(finding: ErrorDetails, keys: Keys, value: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong and what to do about it."""
    kind, given = finding["type"], finding["input"]
    if kind == "extra_forbidden":
        return f"unknown key {keys[-1]!r}", nearest(str(keys[-1]), _valid_keys(keys[:-1], value))
    if kind == "missing":
        return f"the key {keys[-1]!r} is missing", _described(keys, value)
    if kind == "union_tag_not_found":
        return "the stage has no 'kind'", f"Valid: {', '.join(sorted(STAGE_KINDS))}."
    if kind == "union_tag_invalid":
        named = str(given.get("kind")) if isinstance(given, dict) else str(given)
        return f"unknown kind of stage {named!r}", nearest(named, STAGE_KINDS)
    if kind == "string_pattern_mismatch":
        return f"{given!r} is not a name", "Use letters, digits, - and _, and begin with a letter or digit."
    if kind == "value_error":
        cause = finding["ctx"]["error"]
        if isinstance(cause, InputError) and cause.remedy:
            return cause.problem, cause.remedy
        message = finding["msg"].removeprefix("Value error, ")
        return message, _described(keys, value) if len(keys) > 2 else "Change one of the two."
    if kind == "literal_error" and isinstance(given, str):
        choices = _choices(finding)
        return f"{given!r} is not possible", nearest(given, choices)
    shown = repr(given) if len(repr(given)) <= 80 else f"a {type(given).__name__}"
    return f"must be {_expected(finding)}, not {shown}", _described(keys, value)


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "a text",
    "list": "a list",
    "dict": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "none": "null",
}
_BOUNDS = {
    "greater_than": ("above {}", "gt"),
    "greater_than_equal": ("at least {}", "ge"),
    "less_than": ("below {}", "lt"),
    "less_than_equal": ("at most {}", "le"),
    "too_short": ("at least {} long", "min_length"),
    "string_too_short": ("at least {} characters long", "min_length"),
}


def _expected(finding: ErrorDetails) -> str:
    """What stands behind pydantic's type of finding, in words."""
    kind, context = finding["type"], finding.get("ctx", {})
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return words.format(context[key])
    if kind == "literal_error":
        return "one of " + ", ".join(_choices(finding))
    return _KINDS.get(kind.partition("_")[0], finding["msg"].removeprefix("Input should be "))


def _choices(finding: ErrorDetails) -> list[str]:
    """The values that pydantic would have taken; it gives them as text: ``'linear', 'cosine' or 'wsd'``."""
    return re.findall(r"'([^']*)'", str(finding.get("ctx", {}).get("expected", "")))


def model_at(keys: Keys, value: Mapping[str, Any]) -> type[BaseModel] | None:
    """The schema model whose keys stand below ``keys``."""
    if not keys:
        return Recipe
    stages = value.get("stages")
    if len(keys) == 2 and keys[0] == "stages" and isinstance(stages, dict):
        stage = stages.get(keys[1])
        return STAGE_KINDS.get(str(stage.get("kind"))) if isinstance(stage, dict) else None
    if len(keys) == 4 and keys[2] == "per_source":
        stage = model_at(keys[:2], value)
        return get_args(stage.model_fields["per_source"].annotation)[1] if stage is not None else None
    return None


def _valid_keys(keys: Keys, value: Mapping[str, Any]) -> list[str]:
    model = model_at(keys, value)
    return [*model.model_fields, *([LIKE] if len(keys) == 2 else [])] if model else []


def _described(keys: Keys, value: Mapping[str, Any]) -> str:
    """What the key means, from its description in the schema."""
    field = next((at for at in range(len(keys) - 1, -1, -1) if isinstance(keys[at], str)), None)
    model = model_at(keys[:field], value) if field is not None else None
    info = model.model_fields.get(str(keys[field])) if model is not None and field is not None else None
    return f"Meaning: {info.description}" if info and info.description else "See `cosmith recipe schema`."
