"""What runs share that are contrastive but for what a step embeds, or for its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Generic

import torch

from cosmith.errors import InputError
from cosmith.losses import ContrastiveSpec, LossSpec, MarginMseSpec, ScoreKlSpec, loss_name
from cosmith.training.contrastive import ContrastiveJob, Model
from cosmith.training.encoding import Strategy
from cosmith.training.health import ProbeText
from cosmith.training.settings import TrainingSettings


@dataclass(frozen=True)
class ContrastiveVariant(Generic[Model]):
    """All of a :class:`cosmith.training.step.Job` that is as in a contrastive run; ``work`` is for the variant to say.

    Attributes:
        run: The contrastive run.
    """

    run: ContrastiveJob[Model]

    @property
    def encoder(self) -> Model:
        """What is trained."""
        return self.run.encoder

    @property
    def module(self) -> torch.nn.Module:
        """Its weights."""
        return self.run.module

    @property
    def device(self) -> torch.device:
        """Where."""
        return self.run.device

    @property
    def settings(self) -> TrainingSettings:
        """What the user decided."""
        return self.run.settings

    @property
    def steps(self) -> int:
        """How many."""
        return self.run.steps

    @property
    def strategy(self) -> Strategy:
        """How many graphs are kept."""
        return self.run.strategy

    @property
    def lanes(self) -> int:
        """Threads that share a step."""
        return self.run.lanes

    @property
    def facts(self) -> Mapping[str, Any]:
        """As of the contrastive run, but that scores are no cosines."""
        return {**self.run.facts, "scores": "unbounded"}

    @property
    def probe(self) -> Sequence[ProbeText]:
        """No text is followed: none has a single dense vector that could be drawn on a map."""
        return []

    def compute_in(self) -> AbstractContextManager[object]:
        """The context of the run's precision."""
        return self.run.compute_in()


def require_no_dense_settings(settings: TrainingSettings) -> None:
    """Refuse what is made for one dense vector a text."""
    for name in ("dims", "quantise", "spread_out"):
        if getattr(settings, name):
            raise InputError("is for dense vectors", field=name, remedy="Leave it out.")


def require_merged_adapter(settings: TrainingSettings, what: str) -> None:
    """Refuse an adapter that is to be kept apart, for models whose folder has no place for it."""
    if settings.adapter is not None and not settings.merge_adapter:
        raise InputError(f"the adapter of a {what} cannot be kept apart", field="merge_adapter",
                         remedy="Leave it out, and the adapter is merged.")  # fmt: skip


def on_unbounded_scores(spec: LossSpec, temperature: float | None, what: str) -> LossSpec:
    """The loss as it is for scores of any size: temperature and margin of a preset are made for cosines.

    Args:
        spec: The loss as it is for cosines.
        temperature: The one that is asked for; None: 1.
        what: The kind of model, for the error.

    Raises:
        InputError: When it is none that makes sense of such scores.
    """
    if isinstance(spec, ContrastiveSpec):
        if spec.guided:
            raise InputError("a guided loss is for dense vectors", field="loss", remedy="Take another one.")
        return replace(spec, temperature=temperature or 1.0, margin=None)
    if isinstance(spec, ScoreKlSpec):
        return replace(spec, temperature=temperature or 1.0)
    if isinstance(spec, MarginMseSpec):
        return spec
    raise InputError(f"a {what} does not learn by {loss_name(spec)!r}", field="loss",
                     remedy="Take a contrastive loss, margin-mse or score-kl.")  # fmt: skip
