"""What a training run has come to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Generic, TypeVar

from cosmith.atomic import write_json
from cosmith.models import Trainable
from cosmith.training.merging import Mixed

RESULT = "result.json"

Model = TypeVar("Model", bound=Trainable)


@dataclass(frozen=True)
class TrainingResult(Generic[Model]):
    """What a training run has come to.

    Attributes:
        encoder: The model that came of it: the best mixture of base and tuned model, or the best or last weights (as
            settings say).
        steps: Steps done; fewer than planned where the run stopped early.
        stopped_early: Whether patience ran out.
        base_score, best_score: On the development set, before training and at the best evaluation; None without one.
        best_step: The step of that evaluation.
        final_score: Of ``encoder`` on the development set; None without one.
        mixtures: The scores of the mixtures of base and tuned model; empty without interpolation.
        alpha: The share of the tuned model in the result.
        seconds: Time spent on training, evaluations included, interruptions not.
    """

    encoder: Model
    steps: int
    stopped_early: bool
    base_score: float | None
    best_score: float | None
    best_step: int
    final_score: float | None
    mixtures: tuple[Mixed, ...]
    alpha: float
    seconds: float

    def write(self, folder: Path) -> None:
        """Write all but the encoder into ``result.json``."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "encoder"}
        write_json(folder / RESULT, told | {"mixtures": [asdict(mixed) for mixed in self.mixtures]})
