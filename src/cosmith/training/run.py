"""What the steps of a run share: the job, its optimizer, where it is scored and kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from cosmith.errors import CosmithError
from cosmith.models import Encoder, Trainable
from cosmith.training.checkpoint import BestWeights, Checkpoints, Progress
from cosmith.training.distributed import Ranks
from cosmith.training.interruption import Interruption
from cosmith.training.remining import MinedRows
from cosmith.training.sharding import Pieces
from cosmith.training.step import Job

Model = TypeVar("Model", bound=Trainable)

Score = Callable[[Model], float]
"""The score of a model, higher is better."""

Dev = Score[Encoder]
"""The score of an encoder."""


@dataclass(frozen=True)
class Run(Generic[Model]):
    """What the steps of a run share."""

    job: Job[Model]
    optimizer: torch.optim.Optimizer
    pieces: Pieces[Model]
    dev: Score[Model] | None
    general: Score[Model] | None
    best: BestWeights
    checkpoints: Checkpoints
    interruption: Interruption
    ranks: Ranks
    folder: Path | None
    base: Model
    mined: MinedRows | None = None

    def evaluates(self, progress: Progress) -> bool:
        """Whether the weights are to be scored before the next step."""
        every = self.job.settings.evaluate_every or max(1, self.job.steps // 10)
        due = progress.step % every == 0 or progress.step == self.job.steps
        return self.dev is not None and due and progress.evaluated != progress.step

    def watches(self, progress: Progress) -> bool:
        """Whether the next step is looked at closely; one process does, or all where each holds a part."""
        every = self.job.settings.watch_every
        looks = self.ranks.is_first or self.ranks.sharded
        return looks and self.folder is not None and every is not None and progress.step % every == 0

    def has_ended(self, progress: Progress) -> bool:
        """Whether all steps are done, or patience has run out."""
        patience = self.job.settings.patience
        return progress.step == self.job.steps or (patience is not None and progress.without_gain >= patience)

    def score(self, encoder: Model) -> float:
        """The development score."""
        assert self.dev is not None
        return self.scored(encoder, self.dev, "dev")

    def scored(self, encoder: Model, scorer: Score[Model], name: str) -> float:
        """A score; with several ranks the first one's, on all of them.

        Raises:
            CosmithError: When it is not a finite number, or the first rank could not work it out.
        """
        value, failure = 0.0, None
        if self.ranks.is_first:
            # No other rank may be left waiting: with several of them a signal has to wait for the evaluation, and so
            # has an error until they know of it.
            with self.interruption.deferred() if self.ranks.world > 1 else nullcontext():
                try:
                    value = float(scorer(encoder))
                except Exception as error:
                    failure = error
        if self.ranks.any(failure is not None, self.job.device):
            raise failure or CosmithError(f"the first process could not work out the {name} score", field=name,
                                          remedy="It says why.")  # fmt: skip
        value = self.ranks.from_first(value, self.job.device)
        if not math.isfinite(value):
            raise CosmithError(f"the {name} score is {value}", field=name,
                               remedy="It must be a finite number, higher for a better encoder.")  # fmt: skip
        return value

    def checkpoint_is_due(self, progress: Progress) -> bool:
        """Whether one is to be written now; clocks differ, so the first rank's decides."""
        return bool(self.ranks.from_first(self.checkpoints.are_due(progress), self.job.device))

    def save(self, progress: Progress) -> None:
        """Write a checkpoint; a signal waits until it stands.

        Raises:
            StorageError: When it cannot be written.
            CosmithError: Likewise, on the other ranks.
        """
        with self.interruption.deferred():
            if self.checkpoints.lack(progress):
                self.pieces.gather()
            self.ranks.together(lambda: self.checkpoints.save(progress), self.job.device)
            self.pieces.drop_state()

    def resume(self) -> Progress:
        """Go back to where the last checkpoint left the run; without one, all stays as it is."""
        progress = self.ranks.together(self.checkpoints.resume, self.job.device)
        if self.checkpoints.found:
            self.pieces.scatter()
        return progress
