"""The recipe reference of the documentation, made from the schema: ``python -m cosmith.recipes.reference FILE``."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cosmith.recipes.graph import CALLED
from cosmith.recipes.references import BUILT_IN_NAMES, Accepts, Kind, Mentions, ReadsPath, mark_of
from cosmith.recipes.schema import STAGE_KINDS, Recipe

_HEAD = """\
# Recipe reference

<!-- Made by `python -m cosmith.recipes.reference docs/recipe-reference.md`; edit the schema, not this page. -->

A recipe is a YAML file that says which steps to take, in order. `cosmith recipe show pairs` prints one to start from,
`cosmith recipe schema` the JSON schema for your editor, and `cosmith run mine.yaml` runs it.

Stages name what they work on: `data.train` is the output `train` of the stage `data`; the bare name of a stage means
its only output. {built_in} need no stage. A stage may use what stands above it. Where a list is
asked for, a single value serves as well.

Any key can be overridden from the command line: `--set stages.train.steps=50`, or `--set train.steps=50` for short.
A text is taken as it stands, a list is written `[a, b]`, and `null` means none where there may be none.
Relative paths start at the folder in which the command is given.
"""

_SEED = """\
Every stage may also say `seed`, in place of the recipe's, and `like`, the name of a stage of its kind above: what
that one says, it says as well, but for the keys that it says itself. What is overridden in the one is so in the
other."""


def reference() -> str:
    """The whole page, Markdown."""
    named = ", ".join(f"`{name}` ({CALLED[kind]})" for name, kind in BUILT_IN_NAMES.items())
    parts = [_HEAD.format(built_in=named), "## The recipe", _table(Recipe), "## Kinds of stage", _SEED]
    for kind, model in STAGE_KINDS.items():
        parts += [f"### {kind}", f"{inspect.getdoc(model)}\n", f"Gives: {_outputs(model)}.\n", _table(model)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def _outputs(model: type[BaseModel]) -> str:
    """What a stage of the kind leaves for others to name, with every part asked for."""
    asked: dict[str, Any] = {"train_split": "train", "dev_split": "dev", "texts": ["texts"]}
    settings = model.model_construct(**{key: value for key, value in asked.items() if key in model.model_fields})
    outputs: Mapping[str, Kind] = settings.outputs()  # type: ignore[attr-defined]
    words = [f"`NAME.{output}` ({CALLED[kind]})" if output else f"`NAME` ({CALLED[kind]})"
             for output, kind in outputs.items()]  # fmt: skip
    return ", ".join(words) or "nothing that other stages name"


def _place(model: type[BaseModel], key: str, required: Container[str]) -> tuple[bool, int]:
    """Sorts what must be said first, then what a kind says of itself, then what it shares with ever more others."""
    says = (key in vars(each).get("__annotations__", {}) for each in model.__mro__)
    return key not in required, list(says).index(True)


def _table(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    required = set(schema.get("required", []))
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, about in sorted(schema["properties"].items(), key=lambda each: _place(model, each[0], required)):
        if key == "kind" or (key == "seed" and model is not Recipe):
            continue
        field = model.model_fields[key]
        default = "*required*" if key in required else _shown(field.get_default(call_default_factory=True))
        meaning = about.get("description", "").replace("|", "\\|")
        rows.append(f"| `{key}` | {_value(about, _named(field))} | {default} | {meaning} |")
    if len(rows) == 2:
        return ""
    return "\n".join(rows)


def _named(field: FieldInfo) -> str:
    """What to call a text that names something."""
    mark = mark_of(field)
    if isinstance(mark, Accepts):
        return "name of " + " or ".join(dict.fromkeys(CALLED[kind] for kind in mark.kinds))
    if isinstance(mark, Mentions):
        return f"name of a {mark.stage_kind} stage"
    return "path" if isinstance(mark, ReadsPath) else "text"


def _shown(value: Any) -> str:
    """A default as YAML."""
    return f"`{json.dumps(value)}`" if not isinstance(value, str) or not value else f"`{value}`"


def _value(about: Mapping[str, Any], text: str) -> str:
    """What may stand as the value, in words; ``text`` is what to call a text."""
    if "anyOf" in about:
        return " or ".join(_value(each, text) for each in about["anyOf"])
    if "const" in about:
        return f"`{about['const']}`"
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if "oneOf" in about or "$ref" in about:
        return "a stage"
    kind = about.get("type")
    if kind == "array":
        return f"list of: {_value(about['items'], text)}"
    if kind == "object":
        return "mapping"
    words = {"integer": "whole number", "number": "number", "string": text, "boolean": "true or false",
             "null": "null"}.get(str(kind), "any value")  # fmt: skip
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {about[name]:g}" for name, sign in bounds.items() if name in about and about[name] < 2**31]
    return " ".join([words, ", ".join(limits)]).strip()


if __name__ == "__main__":
    from cosmith.atomic import atomic_file

    with atomic_file(Path(sys.argv[1])) as handle:
        handle.write(reference())
