"""Leaving out transformer layers: a shallower model with the weights of the deeper one."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import torch

from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.models.adapters import has_adapter
from cosmith.models.backbone import quiet_transformers
from cosmith.models.layers import layers_of, name_of_layers
from cosmith.models.rebuilding import with_backbone


def drop_layers(encoder: Encoder, keep: int | Sequence[int], *, name: str | None = None) -> Encoder:
    """A new encoder that has only some of another one's transformer layers, and all the rest of it.

    Layers that stay keep their weights and what the configuration says of them (the kind of attention of each), so the
    result is a starting point: without training (:func:`cosmith.training.distil`) its vectors are others.

    Args:
        encoder: A transformer; it is left as it is.
        keep: The numbers of the layers that stay, counted from 0, ascending; or how many: these are spread evenly with
            the first and the last among them, see :func:`spread_evenly`.
        name: What to call it; None: the encoder's name and how many layers are left.

    Raises:
        InputError: When the model is static or has an unmerged adapter, its layers cannot be told, it has no such
            layers, or one cannot stand where it would (a first layer that has parts of its own).
    """
    if encoder.is_static:
        raise InputError(f"{encoder.name} is a static model, which has no layers", field="model",
                         remedy="Name a transformer.")  # fmt: skip
    backbone: Any = encoder.module["backbone"]
    if has_adapter(backbone):
        raise InputError(f"{encoder.name} has an adapter that is not merged", field="model",
                         remedy="Merge it first: train with merge_adapter=True.")  # fmt: skip
    kept = _checked(keep, len(layers_of(backbone)))
    made = with_backbone(encoder, _shallower(backbone, kept), name=name or f"{encoder.name}-{len(kept)}-layers")
    made.module.eval()
    return made


def spread_evenly(layers: int, count: int) -> list[int]:
    """Which of some layers to keep: the first, the last, and others as evenly between as whole numbers allow.

    As Shleifer and Rush begin their students ("maximally spaced layers", arXiv:2010.13002, section 3); of 12 layers 6
    are 0, 2, 4, 7, 9, 11. Of a single one it is the first.

    Args:
        layers: How many there are.
        count: How many are to stay.

    Raises:
        InputError: When that is not from 1 to ``layers``.
    """
    if not 1 <= count <= layers:
        raise InputError(f"{count} of {layers} layers cannot be kept", field="keep",
                         remedy=f"Give 1 to {layers - 1}.")  # fmt: skip
    if count == 1:
        return [0]
    return [round(place * (layers - 1) / (count - 1)) for place in range(count)]


def _checked(keep: int | Sequence[int], layers: int) -> list[int]:
    if isinstance(keep, int):
        if keep == layers:
            raise InputError(f"the model has {layers} layers, so all of them would stay", field="keep",
                             remedy=f"Give 1 to {layers - 1}.")  # fmt: skip
        return spread_evenly(layers, keep)
    kept = list(keep)
    if not kept or kept != sorted(set(kept)) or kept[0] < 0 or kept[-1] >= layers or len(kept) == layers:
        raise InputError(
            f"{', '.join(map(str, kept)) or 'nothing'} is not a choice among the layers 0 to {layers - 1}",
            field="keep", remedy="Name some of them, but not all, each once and in ascending order.",
        )  # fmt: skip
    return kept


def _shallower(backbone: Any, kept: Sequence[int]) -> Any:
    """A new backbone of the kept layers."""
    layers = name_of_layers(backbone)
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        made = type(backbone)(_config_of(backbone.config, kept)).float()
    if getattr(backbone, "pooler", made) is None:
        made.pooler = None  # there was none, and a random one would make another model at every call
    weights = {
        renamed: value
        for name, value in backbone.state_dict().items()
        if (renamed := _renamed(name, layers, kept)) is not None
    }
    there = {name: value.shape for name, value in made.state_dict().items()}
    differing = sorted(
        name for name in there.keys() | weights.keys()
        if name not in weights or name not in there or weights[name].shape != there[name]
    )  # fmt: skip
    if differing:
        raise InputError(
            f"layers {', '.join(map(str, kept))} do not make a {backbone.config.model_type} model: its part"
            f" {differing[0]} would have no place or no weights", field="keep",
            remedy="The first layer of some models differs from the others: keep layer 0.",
        )  # fmt: skip
    made.load_state_dict(weights)
    return made


def _renamed(name: str, layers: str, kept: Sequence[int]) -> str | None:
    """The name of a weight where the kept layers are counted anew; None of a layer that goes."""
    found = re.match(rf"{re.escape(layers)}\.(\d+)\.", name)
    if found is None:
        return name
    number = int(found.group(1))
    return f"{layers}.{kept.index(number)}.{name[found.end() :]}" if number in kept else None


def _config_of(config: Any, kept: Sequence[int]) -> Any:
    """A configuration for the kept layers, with what it lists layer by layer."""
    made = copy.deepcopy(config)
    layers = config.num_hidden_layers
    made.num_hidden_layers = len(kept)
    for name, value in config.to_dict().items():
        if "layer" in name and isinstance(value, list) and len(value) == layers:
            setattr(made, name, [value[number] for number in kept])
    return made
