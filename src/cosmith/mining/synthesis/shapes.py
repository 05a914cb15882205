"""The JSON that a language model shall answer with, and how it is found in what it does answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from cosmith.mining.synthesis.chat import Completion

_STRICT = ConfigDict(frozen=True, json_schema_extra={"additionalProperties": False})
# What models that think aloud put before their answer.
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_REFUSES = re.compile(
    r"\W*(?:i['’]?m (?:very |so |really )?sorry|sorry,? (?:but )?i\b|i apologi[sz]e|as an ai\b"
    r"|i (?:can(?:no|['’])t|am unable to|['’]m unable to|am not able to|won['’]t)\b)",
    re.IGNORECASE,
)
_REFUSES_WITHIN = re.compile(
    r"\W*(?:as an ai\b|(?:i['’]?m sorry,? (?:but )?)?i (?:can(?:no|['’])t|am unable to|['’]m unable to|am not able to)"
    r" (?:help|assist|comply|create|generate|provide|fulfil|write)\b)",
    re.IGNORECASE,
)

Shape = type[BaseModel]


def text_shape(field: str) -> Shape:
    """A JSON object with one text, ``{"query": "…"}``."""
    shape: Shape = create_model(field, __config__=_STRICT, **{field: (str, ...)})  # type: ignore[call-overload]
    return shape


def configuration_shape(characters: int, types: Sequence[str], difficulties: Sequence[str]) -> Shape:
    """A JSON object with a list of configurations: the number of a character, a question type, a difficulty.

    Only what can be chosen is named in it, as enumerations, which servers that hold an answer to a schema understand.

    Args:
        characters: How many there are to choose from; they are numbered from 1.
        types: The names of the question types.
        difficulties: The names of the difficulties.
    """
    fields: dict[str, Any] = {
        "character": (Annotated[Literal[tuple(range(1, characters + 1))], BeforeValidator(_number)], ...),
        "question_type": (Annotated[Literal[tuple(types)], BeforeValidator(_name)], ...),
        "difficulty": (Annotated[Literal[tuple(difficulties)], BeforeValidator(_name)], ...),
    }
    one: Shape = create_model("configuration", __config__=_STRICT, **fields)
    shape: Shape = create_model("configurations", __config__=_STRICT, configurations=(list[one], Field(min_length=1)))  # type: ignore[valid-type]
    return shape


def _number(value: object) -> object:
    """Models that no schema holds write numbers as texts, too: ``"3"``, ``"3."``."""
    text = value.strip().rstrip(".") if isinstance(value, str) else ""
    return int(text) if text.isdecimal() else value


def _name(value: object) -> object:
    """And names in other spellings: ``"Yes or no"``, ``"high-school"``."""
    return "_".join(value.lower().replace("-", " ").replace("_", " ").split()) if isinstance(value, str) else value


def json_schema(shape: Shape) -> dict[str, Any]:
    """The schema as servers take it: without lengths of lists, which some refuse."""
    schema = shape.model_json_schema()
    for about in schema["properties"].values():
        about.pop("minItems", None)
    return schema


def read_answer(completion: Completion, shape: Shape) -> tuple[BaseModel | None, str]:
    """Find the JSON in an answer.

    Args:
        completion: The answer.
        shape: What it shall be.

    Returns:
        The value and an empty text, or None and why there is none: ``refusal``, ``truncated``, ``empty``, ``not JSON``
        or ``other JSON than asked for``.
    """
    if completion.refusal or completion.finish == "content_filter":
        return None, "refusal"
    if completion.finish == "length":
        return None, "truncated"
    text = _THOUGHTS.sub("", completion.text).strip()
    if not text:
        return None, "empty"
    found = first_object(text)
    if found is None:
        return None, "refusal" if _REFUSES.match(text) else "not JSON"
    try:
        value = shape.model_validate(found)
    except ValidationError:
        return None, "other JSON than asked for"
    if any(isinstance(said, str) and _REFUSES_WITHIN.match(said) for said in found.values()):
        return None, "refusal"
    return value, ""


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object within a text, wherever it stands; None where there is none."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        return value if isinstance(value, dict) else None
    return None
