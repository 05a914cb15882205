"""AdamW, learning-rate schedules as pure functions of the step, clipping."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

import torch

from cosmith.errors import InputError
from cosmith.models import Trainable
from cosmith.models.layers import depths, layers_of
from cosmith.training.distributed import in_one_piece, is_sharded

Schedule = Literal["linear", "cosine", "constant", "wsd"]

_FACTOR = "rate_factor"
_FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")

Tensor = TypeVar("Tensor", bound=torch.Tensor)


def adamw(
    module: torch.nn.Module,
    *,
    learning_rate: float,
    weight_decay: float,
    factors: Mapping[torch.nn.Parameter, float] | None = None,
) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, arXiv:1711.05101) without decay on biases and norms.

    Biases and the weights of norms are the parameters with one dimension. Parameters that need no gradient are left
    out. The fused kernel is used where there is one: on a CPU it is ten times as fast as the loop over tensors.

    Args:
        module: What to train.
        learning_rate: To begin with.
        weight_decay: Of matrices.
        factors: What the rate is multiplied with for some parameters; 1 for the others.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        raise InputError("the encoder has no parameter to train", remedy="Unfreeze some with requires_grad_(True).")
    groups: dict[tuple[float, float, bool], list[torch.nn.Parameter]] = {}
    for parameter in sorted(trained, key=lambda parameter: parameter.ndim <= 1):
        decay = weight_decay if parameter.ndim > 1 else 0.0
        factor = (factors or {}).get(parameter, 1.0)
        # no kernel takes sharded and whole tensors at once
        groups.setdefault((factor, decay, is_sharded(parameter)), []).append(parameter)
    fused = all(parameter.device.type in _FUSED_DEVICES and parameter.is_floating_point() for parameter in trained)
    given = [
        {"params": parameters, "weight_decay": decay, "lr": learning_rate * factor, _FACTOR: factor}
        for (factor, decay, _), parameters in groups.items()
    ]
    return torch.optim.AdamW(given, lr=learning_rate, fused=fused)


def layer_factors(encoder: Trainable, decay: float) -> dict[torch.nn.Parameter, float]:
    """Layer-wise decay of the learning rate: the deeper a layer, the less it is changed (ELECTRA, arXiv:2003.10555).

    Layer l of n is multiplied with ``decay ** (n + 1 - l)``, the embeddings count as layer 0; what stands above the
    layers, the pooling among it, has the whole rate.

    Args:
        encoder: Whose parameters.
        decay: The factor from one layer to the one below, in (0, 1].
    """
    if decay == 1.0:
        return {}
    backbone = encoder.module["backbone"]
    top = len(layers_of(backbone)) + 1  # also where the backbone itself has nothing above its layers
    return {parameter: decay ** (top - depth) for parameter, depth in depths(backbone).items()}


def learning_rate(step: int, *, peak: float, schedule: Schedule, steps: int, warmup: int, decay: int) -> float:
    """The learning rate of a step.

    Args:
        step: Counted from 0.
        peak: The rate after the warm-up.
        schedule: ``constant``; ``linear`` and ``cosine``: down to 0 after the last step; ``wsd`` (warm-up, stable,
            decay; Hu et al., MiniCPM, arXiv:2404.06395): constant, then linearly to 0 over the last ``decay`` steps.
        steps: All steps.
        warmup: Steps over which the rate rises linearly to the peak.
        decay: Steps of the decay of ``wsd``, at most those after the warm-up.
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if schedule == "linear":
        return peak * (steps - step) / max(steps - warmup, 1)
    if schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
    if schedule == "wsd":
        return peak * min(1.0, (steps - step) / max(min(decay, steps - warmup), 1))
    return peak


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of the optimizer this rate, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(_FACTOR, 1.0)


def clip_gradients(module: torch.nn.Module, limit: float | None) -> float:
    """Scale the gradients down to a global norm of at most ``limit``.

    Returns:
        The norm before. Where it is not a finite number, the gradients are left as they are.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.grad is not None]
    norm = total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    value = float(norm)
    if limit is not None and math.isfinite(value):
        for some in _sharded_and_whole(parameters):
            torch.nn.utils.clip_grads_with_norm_(some, limit, norm)
    return value


def total_norm(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The norm of all numbers of some tensors; where any is sharded, all ranks have to ask."""
    parts = [torch.nn.utils.get_total_norm(some) for some in _sharded_and_whole(tensors)]
    norms = [in_one_piece(part) for part in parts]
    return norms[0] if len(norms) == 1 else torch.nn.utils.get_total_norm(norms)


def _sharded_and_whole(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Those that are sharded and those that are not, as far as there are any: no kernel takes both at once."""
    parts = [[tensor for tensor in tensors if is_sharded(tensor) == sharded] for sharded in (True, False)]
    return [part for part in parts if part]
