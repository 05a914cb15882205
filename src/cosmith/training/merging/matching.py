"""Whether models can be merged: the same architecture, the same tokens, the same way from tokens to a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmith.errors import InputError
from cosmith.models import Encoder

_REMEDY = "Merge models that were trained from the same base model."

# What a transformers config says of the file that it came from, and not of the model.
_NOT_THE_MODEL = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")


def require_alike(encoders: Sequence[Encoder]) -> None:
    """Refuse to merge models that differ in more than the values of their weights.

    Raises:
        InputError: Naming the two models and what differs.
    """
    first, *others = encoders
    for other in others:
        for field, (ours, theirs) in _differences(first, other):
            raise InputError(
                f"{first.name} and {other.name} cannot be merged: {field} is {ours} in one and {theirs} in the other",
                field=field,
                remedy=_REMEDY,
            )


def _differences(first: Encoder, second: Encoder) -> list[tuple[str, tuple[Any, Any]]]:
    """What differs, the most telling first: field → the two values, made short."""
    configs = [_config(encoder) for encoder in (first, second)]
    found = [
        (f"the backbone's {key}", (configs[0].get(key), configs[1].get(key)))
        for key in sorted(configs[0].keys() | configs[1].keys(), key=lambda key: (key != "model_type", key))
        if configs[0].get(key) != configs[1].get(key)
    ]
    weights = [
        {name: tuple(value.shape) for name, value in encoder.module.state_dict().items()} for encoder in (first, second)
    ]
    for name in sorted(weights[0].keys() | weights[1].keys()):
        if weights[0].get(name) != weights[1].get(name):
            found.append((f"the shape of {name}", (weights[0].get(name), weights[1].get(name))))
    if first.tokenizer.fingerprint() != second.tokenizer.fingerprint():
        found.append(("the tokenizer", (_tokens(first), _tokens(second))))
    for field in ("pooling", "include_prompt", "latent_attention", "prompts", "default_prompt", "max_length"):
        values = [getattr(encoder if field == "max_length" else encoder.spec, field) for encoder in (first, second)]
        if values[0] != values[1]:
            found.append((field, (values[0], values[1])))
    heads = [[part if isinstance(part, str) else part.activation for part in e.spec.head] for e in (first, second)]
    if heads[0] != heads[1]:
        found.append(("what follows the pooling", (heads[0], heads[1])))
    return found


def _config(encoder: Encoder) -> Mapping[str, Any]:
    backbone: Any = encoder.module["backbone"]
    return {key: value for key, value in backbone.config.to_dict().items() if key not in _NOT_THE_MODEL}


def _tokens(encoder: Encoder) -> str:
    return f"one of {len(encoder.tokenizer.tokenizer):,} tokens"
