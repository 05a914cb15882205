"""What `--set KEY=VALUE` says: read by the type of its key, so that a file may be called `2024`, `yes` or `a: b`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml

from cosmith.errors import InputError


@dataclass(frozen=True)
class AsTyped:
    """A value as it was typed; what it means depends on the type of its key."""

    text: str


def parse_override(text: str) -> tuple[str, AsTyped]:
    """``"stages.train.steps=50"`` as ``("stages.train.steps", AsTyped("50"))``.

    Raises:
        InputError: There is no key before a ``=``.
    """
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise InputError(f"{text!r} is not KEY=VALUE", field="--set", remedy="Write e.g. --set stages.train.steps=50.")
    return key.strip(), AsTyped(value)


def value_of(typed: AsTyped, key: str, annotation: Any) -> Any:
    """What was typed, as a value for a key of this type.

    A text is taken as it stands, but for ``null`` where the key may be null. So are the texts of a list, ``[a, b]``;
    without brackets, all of it is one text. Everything else is read as YAML.

    Args:
        typed: What was typed.
        key: The dotted key, for messages.
        annotation: The type of the key's field in the schema; None where there is no such field.

    Raises:
        InputError: It is not YAML where it must be.
    """
    kinds = set(_kinds(annotation))
    if kinds and kinds <= {"text", "texts", "null"}:
        if "null" in kinds and typed.text == "null":
            return None
        if not ("texts" in kinds and typed.text.startswith("[") and typed.text.endswith("]")):
            return typed.text if "text" in kinds else [typed.text]
    try:
        # The base loader leaves every scalar the text that it is.
        return yaml.load(typed.text, yaml.BaseLoader if "texts" in kinds else yaml.SafeLoader)
    except yaml.YAMLError as error:
        problem = f"the value of {key!r} is not valid YAML: {typed.text!r}"
        raise InputError(problem, field="--set", remedy="Quote it.") from error


def _kinds(annotation: Any) -> Iterator[str]:
    """What a type admits: ``text``, ``texts`` (a list of them), ``null``, ``other``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _kinds(member)
    elif origin is Literal:
        yield "text" if all(isinstance(choice, str) for choice in get_args(annotation)) else "other"
    elif origin is list and set(_kinds(get_args(annotation)[0])) == {"text"}:
        yield "texts"
    elif annotation is NoneType:
        yield "null"
    elif annotation is not None:
        yield "text" if annotation is str else "other"
