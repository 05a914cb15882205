"""What models of every kind have in common: weights somewhere, a precision, a specification that says how to read."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import torch

from cosmith.models import variable_length
from cosmith.models.precision import Precision, computing_in

if TYPE_CHECKING:
    from typing import Self


class ReadingSpec(Protocol):
    """What a model's folder says of how it reads texts."""

    @property
    def max_length(self) -> int | None:
        """The most tokens of a text, special tokens included."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """Name → text put before each text of that kind."""


class TrainableModel:
    """A trainable model of texts.

    Attributes:
        module: Its weights, in float32; the part ``backbone`` is the transformer.
        spec: What its folder says, the maximum length settled.
        precision: In what to compute when it is used.
    """

    module: torch.nn.ModuleDict
    spec: ReadingSpec
    precision: Precision

    def copy(self) -> Self:
        """An independent copy, weights and all."""
        return copy.deepcopy(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        variable_length.register()  # in another process, the attention that the backbone names is not known yet

    @property
    def _backbone(self) -> Any:
        return self.module["backbone"]

    @property
    def is_static(self) -> bool:
        """Whether the vectors of tokens do not depend on their context, see :mod:`cosmith.models.static`."""
        return False

    @property
    def max_length(self) -> int:
        """The most tokens that are read at once, special tokens included."""
        assert self.spec.max_length is not None
        return self.spec.max_length

    @property
    def prompts(self) -> Mapping[str, str]:
        """Name → text put before each text of that kind."""
        return self.spec.prompts

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(iter(self.module.parameters())).device

    def to(self, device: str | torch.device) -> Self:
        """Move the weights; returns the model itself."""
        self.module.to(device)
        return self

    def compute_in(self, precision: Precision | None = None, *, remember: bool = True) -> AbstractContextManager[Any]:
        """The context in which to run the model for a precision (its own when left out).

        Args:
            precision: In what to compute.
            remember: Whether weights that were cast inside the block are cast once only. All threads share that
                memory, casts with and without a graph too, so it is not for training.
        """
        return computing_in(precision or self.precision, self.device, remember=remember)
