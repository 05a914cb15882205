"""Every loss by its name: what a recipe, a Source and the settings of a training say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cosmith.errors import InputError, nearest
from cosmith.losses.custom_spec import CustomSpec, LossFunction
from cosmith.losses.pair_specs import (
    AngleSpec,
    CosentSpec,
    CosineMseSpec,
    EmbeddingMseSpec,
    MarginMseSpec,
    MarginSpec,
    OnlineMarginSpec,
    ScoreKlSpec,
    TripletSpec,
)
from cosmith.losses.presets import PRESETS
from cosmith.losses.spec import ContrastiveSpec

LossSpec = (
    ContrastiveSpec
    | TripletSpec
    | MarginSpec
    | OnlineMarginSpec
    | CosineMseSpec
    | CosentSpec
    | AngleSpec
    | MarginMseSpec
    | ScoreKlSpec
    | EmbeddingMseSpec
    | CustomSpec
)

LOSSES: Mapping[str, LossSpec] = MappingProxyType(
    {
        **PRESETS,
        "triplet": TripletSpec(),
        "triplet-all": TripletSpec("all"),
        "triplet-hard": TripletSpec("hard"),
        "margin": MarginSpec(),
        "margin-online": OnlineMarginSpec(),
        "cosine-mse": CosineMseSpec(),
        "cosent": CosentSpec(),
        "angle": AngleSpec(),
        "margin-mse": MarginMseSpec(),
        "score-kl": ScoreKlSpec(),
        "embedding-mse": EmbeddingMseSpec(),
        "follow-query": EmbeddingMseSpec("query"),
    }
)
"""The losses by name: the contrastive presets, and those of pairs, triplets and teachers."""


def loss_spec(name: str, **changes: Any) -> LossSpec:
    """A loss by its name, with some of its parameters changed.

    Args:
        name: A key of :data:`LOSSES`, e.g. ``"triplet-hard"``.
        **changes: Fields of its class, e.g. ``margin=0.3``.

    Raises:
        InputError: When there is no such loss or parameter, or a value cannot be used.
    """
    if not isinstance(name, str) or name not in LOSSES:
        raise InputError(f"there is no loss {name!r}", field="loss", remedy=nearest(str(name), LOSSES))
    known = LOSSES[name]
    fields = [field.name for field in dataclasses.fields(known)]
    for field in changes:
        if field not in fields:
            raise InputError(f"the loss {name!r} has no {field!r}", field=field, remedy=nearest(field, fields))
    return dataclasses.replace(known, **changes)


def as_spec(said: str | Mapping[str, Any] | LossSpec | LossFunction) -> LossSpec:
    """A loss however it is said: by its name, by name and parameters, as data, or as a function of the user's own.

    Raises:
        InputError: As :func:`loss_spec` and :class:`CustomSpec`.
    """
    if isinstance(said, LossSpec):
        return said
    if isinstance(said, str):
        return loss_spec(said)
    return loss_spec(**said) if isinstance(said, Mapping) else CustomSpec(said)


def loss_name(spec: LossSpec) -> str:
    """What a loss is called: the name of the known one that it is, or of the first that it is a variation of."""
    if isinstance(spec, CustomSpec):
        return spec.name
    alike = [name for name, known in LOSSES.items() if _origin(known) == _origin(spec)]
    return next((name for name in alike if LOSSES[name] == spec), (alike or ["contrastive"])[0])


def _origin(spec: LossSpec) -> tuple[type, str | None]:
    return type(spec), getattr(spec, "source", None)
