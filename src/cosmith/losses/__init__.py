"""Losses: pure functions from the unit embeddings of a step to a number.

The contrastive core is :func:`contrastive`; which published loss it is, is data (:data:`PRESETS`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cosmith.losses.presets import PRESETS, preset
from cosmith.losses.spec import BLOCKS, Block, ContrastiveSpec

if TYPE_CHECKING:
    from cosmith.losses.matryoshka import nested
    from cosmith.losses.structure import StepStructure
    from cosmith.losses.tiled import contrastive

__all__ = ["BLOCKS", "PRESETS", "Block", "ContrastiveSpec", "StepStructure", "contrastive", "nested", "preset"]

# A recipe names presets without paying for torch. No module bears the name of its function: importing a module puts
# it under its name into this package, in front of the function.
_WITH_TORCH = {
    "StepStructure": "cosmith.losses.structure",
    "contrastive": "cosmith.losses.tiled",
    "nested": "cosmith.losses.matryoshka",
}


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(importlib.import_module(_WITH_TORCH[name]), name)
    raise AttributeError(f"module 'cosmith.losses' has no attribute {name!r}")
