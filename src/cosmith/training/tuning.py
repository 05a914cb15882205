"""What of an encoder is trained: all of it, an adapter beside it, or what stands above the first layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch

from cosmith.errors import InputError
from cosmith.models import Trainable
from cosmith.models.adapters import AdapterSpec, add_adapter, merge_adapter
from cosmith.models.layers import embeddings_of, layers_of, set_gradient_checkpointing
from cosmith.training.settings import TrainingSettings

Model = TypeVar("Model", bound=Trainable)


def changes_encoder(settings: TrainingSettings) -> bool:
    """Whether :func:`trainable` does anything."""
    frozen = settings.freeze_embeddings or settings.frozen_layers > 0
    return settings.adapter is not None or frozen or settings.gradient_checkpointing


def trainable(encoder: Model, settings: TrainingSettings, *, backbone_only: bool = False) -> Model:
    """Make an encoder ready for a run: adapter, frozen parts, recomputation; returns the encoder itself.

    Args:
        encoder: Changed in place.
        settings: Of the run.
        backbone_only: Whether the run's objective does not see what stands above the backbone.

    Raises:
        InputError: When the settings ask for something that the encoder does not have, or leave nothing to learn.
    """
    backbone: Any = encoder.module["backbone"]
    if settings.adapter is not None:
        spec = AdapterSpec(
            settings.adapter,
            settings.adapter_rank,
            settings.adapter_alpha,
            settings.adapter_dropout,
            settings.adapter_targets,
        )
        add_adapter(backbone, spec, seed=settings.seed)
    if settings.freeze_embeddings:
        embeddings_of(backbone).requires_grad_(False)
    if settings.frozen_layers:
        layers = layers_of(backbone)
        if settings.frozen_layers > len(layers):
            raise InputError(f"{settings.frozen_layers} are more layers than the model has", field="frozen_layers",
                             remedy=f"It has {len(layers)}.")  # fmt: skip
        for layer in layers[: settings.frozen_layers]:
            layer.requires_grad_(False)
        _require_learning(encoder, layers, backbone_only)
    if settings.gradient_checkpointing:
        set_gradient_checkpointing(backbone, True)
    return encoder


def _require_learning(encoder: Trainable, layers: Sequence[torch.nn.Module], backbone_only: bool) -> None:
    """Refuse a run whose backbone has nothing left to learn but a last norm (or a pooler that no vector goes through):
    who froze all layers and the embeddings wants to train what stands above them, and there must be something."""
    backbone: Any = encoder.module["backbone"]
    inside = [parameter for part in (embeddings_of(backbone), *layers) for parameter in part.parameters()]
    whole = set(backbone.parameters())
    above = [] if backbone_only else [each for each in encoder.module.parameters() if each not in whole]
    if not any(parameter.requires_grad for parameter in (*inside, *above)):
        raise InputError(
            f"all {len(layers)} layers and the embeddings are frozen, and the model has nothing else to learn with",
            field="frozen_layers", remedy=f"Freeze {len(layers) - 1} layers or fewer, or not the embeddings.",
        )  # fmt: skip


def trained(encoder: Model, settings: TrainingSettings) -> Model:
    """Merge the adapter of a run, if it had one and the settings say so; returns the encoder itself."""
    if settings.adapter is not None and settings.merge_adapter:
        merge_adapter(encoder.module["backbone"])
    return encoder


def as_before(encoder: Model, start: Model, settings: TrainingSettings) -> Model:
    """Take back what concerned the run and not the model; returns the encoder itself.

    Args:
        encoder: What came of the run.
        start: What it began with.
        settings: The run's.
    """
    backbone: Any = encoder.module["backbone"]
    if settings.gradient_checkpointing:
        set_gradient_checkpointing(backbone, False)
    if settings.adapter is None or settings.merge_adapter:
        flags = {name: parameter.requires_grad for name, parameter in start.module.named_parameters()}
        for name, parameter in encoder.module.named_parameters():
            parameter.requires_grad_(flags.get(name, True))
    if settings.adapter is None:
        backbone.config.name_or_path = ""  # these weights stand nowhere yet
    return encoder
