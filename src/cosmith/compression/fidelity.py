"""How near the vectors of a model in another form are to its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cosmith.evaluation import Scores
    from cosmith.models import TextEncoder


@dataclass(frozen=True)
class TaskChange:
    """What a form changes on a test set.

    Attributes:
        task, metric: Where and by what it is measured.
        before, after: The model's value in float32 by torch, and this form's.
        low, high: The 95 % interval of their paired difference.
    """

    task: str
    metric: str
    before: float
    after: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """What it gained."""
        return self.after - self.before


@dataclass(frozen=True)
class Fidelity:
    """How near a form's vectors are to those of the model in float32 by torch.

    Attributes:
        runtime, precision: Which form.
        bytes: Of its files.
        texts: On how many texts the cosines were taken.
        mean: The mean of the cosines of each text's two vectors.
        first_percentile: One in a hundred texts has a lower cosine.
        least: The lowest.
        tasks: What it changes on test sets.
    """

    runtime: str
    precision: str
    bytes: int
    texts: int
    mean: float
    first_percentile: float
    least: float
    tasks: tuple[TaskChange, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self) | {"tasks": [asdict(each) | {"difference": each.difference} for each in self.tasks]}


def cosines(
    encoder: TextEncoder, texts: Sequence[str], reference: npt.NDArray[np.float32], *, show_progress: str | None = None
) -> npt.NDArray[np.float64]:
    """The cosine of each text's vector to that of another form of the model, float64 ``[texts]``.

    Args:
        encoder: Makes the vectors, with the prompt of documents.
        texts: Of what.
        reference: Unit rows of the other form.
        show_progress: What to call this step in the progress display; None shows nothing.
    """
    return cosines_of(encoder.encode(texts, prompt="document", show_progress=show_progress), reference)


def cosines_of(vectors: npt.NDArray[np.float32], reference: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The cosine of each row to the same row of a reference ``[n, D]``, float64 ``[n]``; of two that are 0 it is 1."""
    rows, others = vectors.astype(np.float64), reference.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    both_nothing = (np.abs(rows).sum(1) == 0) & (np.abs(others).sum(1) == 0)
    found: npt.NDArray[np.float64] = (rows * others).sum(1) / np.where(lengths == 0, 1, lengths)
    return np.where(both_nothing, 1.0, found)


def task_change(before: Scores, after: Scores) -> TaskChange:
    """What the main metric of a task changed from one form to another, on the same queries."""
    found = after.compare(before)
    return TaskChange(
        before.task, found.metric, before.value, after.value, found.interval.low, found.interval.high
    )  # fmt: skip
