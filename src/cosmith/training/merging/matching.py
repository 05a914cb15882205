"""Whether models can be merged: the same architecture, the same tokens, the same way from tokens to a vector."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.models.backbone import of_matter
from cosmith.models.tokenization import TextTokenizer

_REMEDY = "Merge models that were trained from the same base model."

# What tells most of a transformers config, before all else that differs.
_FIRST = ("model_type", "num_hidden_layers", "hidden_size", "vocab_size")

# The parts of a tokenizer.json that decide which tokens a text has.
_RULES = ("normalizer", "pre_tokenizer", "model", "post_processor", "added_tokens", "decoder")

_LONGEST = 120  # characters of a value that is told


def require_alike(encoders: Sequence[tuple[str, Encoder]]) -> None:
    """Refuse to merge models that differ in more than the values of their weights.

    Args:
        encoders: What to call each, and the encoder, with whole weights; at least one.

    Raises:
        InputError: Naming the two models and the first thing that differs.
    """
    (first, reference), *others = encoders
    for name, other in others:
        for field, ours, theirs in _differences(reference, other):
            raise InputError(
                f"{first} and {name} cannot be merged: {field} is {_short(ours)} in the first and {_short(theirs)} in"
                " the second",
                field="encoders",
                remedy=_REMEDY,
            )


def _differences(first: Encoder, second: Encoder) -> Iterator[tuple[str, Any, Any]]:
    """What differs, the most telling first: what, and the two values."""
    configs = [_config(encoder) for encoder in (first, second)]
    for key in dict.fromkeys([*_FIRST, *sorted(configs[0].keys() | configs[1].keys())]):
        if configs[0].get(key) != configs[1].get(key):
            yield f"the backbone's {key}", configs[0].get(key), configs[1].get(key)
    shapes = [
        {name: tuple(value.shape) for name, value in encoder.module.state_dict().items()} for encoder in (first, second)
    ]
    for name in sorted(shapes[0].keys() | shapes[1].keys()):
        if shapes[0].get(name) != shapes[1].get(name):
            yield f"the shape of {name}", shapes[0].get(name), shapes[1].get(name)
    if first.tokenizer.fingerprint() != second.tokenizer.fingerprint():
        yield _tokenizer_difference(first.tokenizer, second.tokenizer)
    for field in ("pooling", "include_prompt", "latent_attention", "prompts", "default_prompt", "max_length"):
        ours, theirs = (getattr(each if field == "max_length" else each.spec, field) for each in (first, second))
        if ours != theirs:
            yield field, ours, theirs
    heads = [[part if isinstance(part, str) else part.activation for part in e.spec.head] for e in (first, second)]
    if heads[0] != heads[1]:
        yield "what follows the pooling", heads[0], heads[1]


def _config(encoder: Encoder) -> Mapping[str, Any]:
    backbone: Any = encoder.module["backbone"]
    return of_matter(backbone.config)


def _tokenizer_difference(first: TextTokenizer, second: TextTokenizer) -> tuple[str, Any, Any]:
    """The first token that differs, or else the first rule."""
    tokens = [{number: token for token, number in each.tokenizer.get_vocab().items()} for each in (first, second)]
    for number in sorted(tokens[0].keys() | tokens[1].keys()):
        if tokens[0].get(number) != tokens[1].get(number):
            sizes = " and ".join(f"{len(each):,}" for each in tokens)
            return f"token {number} of the tokenizers ({sizes} tokens)", tokens[0].get(number), tokens[1].get(number)
    rules = [
        {key: part for key, part in json.loads(each.tokenizer.backend_tokenizer.to_str()).items() if key in _RULES}
        | {"lower-casing": each.do_lower_case, "special tokens": each.special_tokens}
        for each in (first, second)
    ]
    return _first_difference("the tokenizer", *rules)


def _first_difference(place: str, first: Any, second: Any) -> tuple[str, Any, Any]:
    """Where two unequal JSON values begin to differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        key = next(key for key in (first | second) if first.get(key) != second.get(key))
        return _first_difference(f"{place}'s {key}", first.get(key), second.get(key))
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        number = next(number for number, (ours, theirs) in enumerate(zip(first, second, strict=True)) if ours != theirs)
        return _first_difference(f"{place}[{number}]", first[number], second[number])
    return place, first, second


def _short(value: Any) -> str:
    said = "absent" if value is None else repr(value)
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
