"""The projection after the pooling."""

from __future__ import annotations

import torch

from cosmith.errors import InputError
from cosmith.models.folder import DenseSpec

ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "Identity": torch.nn.Identity,
    "Tanh": torch.nn.Tanh,
    "ReLU": torch.nn.ReLU,
    "GELU": torch.nn.GELU,
    "SiLU": torch.nn.SiLU,
    "Sigmoid": torch.nn.Sigmoid,
}
"""Activations by the class name that sentence-transformers writes; nothing else is ever imported by name."""


class DenseModule(torch.nn.Module):
    """``activation(x W^T + b)``, named and stored as sentence-transformers does."""

    def __init__(self, spec: DenseSpec) -> None:
        super().__init__()
        kind = spec.activation.rsplit(".", 1)[-1]
        if kind not in ACTIVATIONS:
            raise InputError(
                f"the activation {spec.activation} is not known",
                path=spec.folder,
                field="activation_function",
                remedy=f"Known: {', '.join(ACTIVATIONS)}.",
            )
        self.spec = spec
        self.linear = torch.nn.Linear(spec.in_features, spec.out_features, bias=spec.bias)
        self.activation = ACTIVATIONS[kind]()

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """``[n, in_features]`` → ``[n, out_features]``."""
        projected: torch.Tensor = self.activation(self.linear(vectors))
        return projected
