"""The layers of a backbone by number: which parameter belongs to which, and recomputing rather than keeping them."""

from __future__ import annotations

from typing import Any

import torch

from cosmith.errors import InputError
from cosmith.models.dropout import drawn_again


def layers_of(backbone: Any) -> list[torch.nn.Module]:
    """The transformer layers of a backbone, the first one first.

    Raises:
        InputError: When it has none that can be told.
    """
    return list(backbone.get_submodule(name_of_layers(backbone)))


def name_of_layers(backbone: Any) -> str:
    """The name of the list of a backbone's transformer layers, e.g. ``encoder.layer``.

    Raises:
        InputError: When it has none that can be told.
    """
    count = getattr(backbone.config, "num_hidden_layers", None)
    for name, module in backbone.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return str(name)
    raise InputError(
        f"the layers of a backbone of type {backbone.config.model_type!r} cannot be told", field="encoder",
        remedy="Leave out what concerns layers: frozen ones, dropped ones, adapters, checkpointing, sharding, a rate"
        " for each.",
    )  # fmt: skip


def depths(backbone: Any) -> dict[torch.nn.Parameter, int]:
    """The place of every parameter: 0 for what comes before the layers, 1 … n within them, n + 1 for what comes after.

    Args:
        backbone: A transformers model with n layers.

    Raises:
        InputError: As :func:`layers_of`.
    """
    layers = layers_of(backbone)
    within = {parameter: depth for depth, layer in enumerate(layers, start=1) for parameter in layer.parameters()}
    before = set(embeddings_of(backbone).parameters())
    return {
        parameter: 0 if parameter in before else within.get(parameter, len(layers) + 1)
        for parameter in backbone.parameters()
    }


def embeddings_of(backbone: Any) -> torch.nn.Module:
    """What turns token ids into the input of the first layer, positions and norm included."""
    embeddings: torch.nn.Module = getattr(backbone, "embeddings", None) or backbone.get_input_embeddings()
    return embeddings


def set_gradient_checkpointing(backbone: Any, on: bool) -> None:
    """In training, keep the inputs of layers only and compute the rest again backward (Chen et al., arXiv:1604.06174).

    Dropout drops the same again, so gradients are the same, bit for bit.
    """
    layers_of(backbone)  # a backbone without layers cannot
    if not on:
        getattr(backbone, "activation_checkpointing_disable", backbone.gradient_checkpointing_disable)()
        return
    enable = getattr(backbone, "activation_checkpointing_enable", backbone.gradient_checkpointing_enable)
    enable({"use_reentrant": False, "context_fn": drawn_again})
    backbone.disable_input_require_grads()  # which only re-entrant checkpointing needs
