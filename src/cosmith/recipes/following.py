"""Recipes on several processes: the first runs them, the others join it in the stages that train.

Started by ``torchrun`` or ``accelerate launch``, every process reads the same recipe. All but the first wait until it
comes to a stage that they can share; what that stage reads, they find in the run's folder, which all must see.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cosmith.recipes.artefacts import Artefacts, StageContext
from cosmith.recipes.fingerprints import settings_of
from cosmith.recipes.loading import LoadedRecipe
from cosmith.recipes.schema import Stage
from cosmith.recipes.stages import stage_function

if TYPE_CHECKING:
    from cosmith.training.distributed import Ranks

SHARED = frozenset({"train", "train-reranker", "train-sparse", "train-late-interaction", "adapt",
                    "drop-layers", "static"})  # fmt: skip
"""The kinds of stages in which all processes take part."""

_SKIPPED, _RUN = 0.0, 1.0


def is_follower() -> bool:
    """Whether a launcher has started this process beside a first one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK", "0") != "0"


class Company:
    """The processes that run a recipe together; alone, it does nothing.

    Attributes:
        leads: Whether this is the first process, or the only one.
    """

    def __init__(self) -> None:
        self._ranks: Ranks | None = None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # else nothing of torch is needed here
            import torch

            from cosmith.training.distributed import start_ranks

            self._ranks, self._device = start_ranks(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        self.leads = self._ranks is None or self._ranks.is_first

    def tell(self, stage: Stage, *, runs: bool) -> None:
        """Let the others know whether a stage that they share runs now."""
        if self._ranks is not None and stage.kind in SHARED:
            self._ranks.from_first(_RUN if runs else _SKIPPED, self._device)

    def follow(self, loaded: LoadedRecipe, run: Path) -> None:
        """Take part in all stages that the first process shares."""
        assert self._ranks is not None
        recipe = loaded.recipe
        artefacts = Artefacts(recipe, run)
        for name, stage in recipe.stages.items():
            if stage.kind in SHARED and self._ranks.from_first(_SKIPPED, self._device) == _RUN:
                artefacts.forget(name)
                context = StageContext(name, recipe, run / name, run, settings_of(recipe, name)["seed"], artefacts)
                stage_function(stage)(stage, context)
