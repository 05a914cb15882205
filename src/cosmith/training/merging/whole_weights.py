"""The weights that are merged: whole, without an adapter beside them, and finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch

from cosmith.errors import InputError
from cosmith.models import Trainable
from cosmith.models.adapters import has_adapter, merge_adapter

Model = TypeVar("Model", bound=Trainable)


def adapted(model: Trainable) -> bool:
    """Whether an adapter stands beside the weights of a model."""
    return has_adapter(model.module["backbone"])


def with_whole_weights(model: Model) -> Model:
    """The model itself; or, where an adapter stands beside its weights, a copy with the adapter merged into them.

    The factors of two adapters cannot stand for what they change: (B + B')(A + A') / 4 is not (BA + B'A') / 2, and
    scales and norms (DoRA) come on top. So what is merged are the products. It costs a copy of the model.
    """
    if not adapted(model):
        return model
    model = model.copy()
    backbone: Any = model.module["backbone"]
    merge_adapter(backbone)
    return model


def require_finite(models: Sequence[tuple[str, Trainable]]) -> None:
    """Refuse models whose weights hold what is no number: every merge would spread it.

    Args:
        models: What to call each, and the model.

    Raises:
        InputError: Naming the model and its first such weight.
    """
    for name, model in models:
        for weight, value in model.module.state_dict().items():
            if wrong := not_finite(value):
                raise InputError(
                    f"{wrong:,} of the {value.numel():,} numbers of {weight} of {name} are not finite",
                    field="encoders",
                    remedy="Leave that model out, or train it anew; cosmith doctor says why its training failed.",
                )


def not_finite(value: torch.Tensor) -> int:
    """How many numbers of a tensor are infinite or not a number."""
    return int((~torch.isfinite(value)).sum()) if value.is_floating_point() else 0
