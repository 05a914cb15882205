"""What a smaller model is and does beside the one that it was made from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosmith.compression.fidelity import TaskChange, cosines_of, task_change
from cosmith.data import general_check_collection
from cosmith.models import Encoder
from cosmith.progress import track
from cosmith.retrieval import search_dense

if TYPE_CHECKING:
    from cosmith.evaluation.tasks import EvaluationTask

NEIGHBOURS = 10
SAMPLE = 1_000
"""The most texts on which models are compared."""
_HELD_SHARE = 0.05


@dataclass(frozen=True)
class ModelSize:
    """A model beside the one that it was made from.

    Attributes:
        name: Which form of it.
        parameters: How many numbers it is made of.
        bytes: What they take in float32.
        dimension: Numbers of a vector.
        texts: On how many texts the following was measured.
        cpu_seconds: Processor time to encode these once.
        mean, first_percentile: Of the cosines of each text's two vectors; None where their lengths differ.
        neighbours: The share of the ten texts that the original has nearest to a text which it has, too, the mean over
            the texts; None with fewer than 12.
        tasks: What it changes on test sets.
    """

    name: str
    parameters: int
    bytes: int
    dimension: int
    texts: int
    cpu_seconds: float
    mean: float | None
    first_percentile: float | None
    neighbours: float | None
    tasks: tuple[TaskChange, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self) | {"tasks": [asdict(each) | {"difference": each.difference} for each in self.tasks]}


def held_out(texts: Sequence[str], seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts to make a smaller model by, and a twentieth of them, at most a thousand, to measure it on.

    Args:
        texts: Equal ones count once. None: it is measured on the general check set's.
        seed: Chooses.
    """
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        collection = general_check_collection()
        return [], [*collection.queries.values(), *collection.documents.values()][:SAMPLE]
    count = max(1, min(SAMPLE, round(_HELD_SHARE * len(distinct))))
    order = np.random.default_rng((seed, 1)).permutation(len(distinct)).tolist()
    return [distinct[number] for number in sorted(order[count:])], [distinct[number] for number in order[:count]]


def measure_smaller(
    original: Encoder,
    smaller: Mapping[str, Encoder],
    texts: Sequence[str],
    tasks: Sequence[EvaluationTask] = (),
    *,
    seed: int = 0,
) -> tuple[ModelSize, ...]:
    """Compare smaller forms of a model with it.

    Args:
        original: The model.
        smaller: What to call each form → the form, in the order of their making.
        texts: Texts that nothing was trained on; the first thousand are taken.
        tasks: Test sets on which the change of the main metric is measured.
        seed: For the intervals.

    Returns:
        The model itself, then its forms.
    """
    sample = list(dict.fromkeys(texts))[:SAMPLE]
    reference, seconds = _encoded(original, sample)
    nearest = _nearest(reference)
    before = [task.evaluate(original, seed=seed, model=original.name) for task in tasks]
    found = [_of(original.name, original, len(sample), seconds)]
    with track("Measuring smaller forms", len(smaller), "models") as bar:
        for name, encoder in smaller.items():
            vectors, seconds = _encoded(encoder, sample)
            near = cosines_of(vectors, reference) if encoder.dimension == original.dimension else None
            found.append(
                _of(
                    name, encoder, len(sample), seconds,
                    mean=None if near is None else float(near.mean()),
                    first_percentile=None if near is None else float(np.percentile(near, 1)),
                    neighbours=None if nearest is None else _shared(nearest, _nearest(vectors)),
                    tasks=tuple(
                        task_change(scores, task.evaluate(encoder, seed=seed, model=name))
                        for task, scores in zip(tasks, before, strict=True)
                    ),
                )
            )  # fmt: skip
            bar.advance()
    return tuple(found)


def _of(name: str, encoder: Encoder, texts: int, seconds: float, **measured: Any) -> ModelSize:
    weights = list(encoder.module.parameters())
    told: dict[str, Any] = {"mean": None, "first_percentile": None, "neighbours": None} | measured
    return ModelSize(
        name,
        sum(weight.numel() for weight in weights),
        sum(weight.numel() * weight.element_size() for weight in weights),
        encoder.dimension,
        texts,
        seconds,
        **told,
    )


def _encoded(encoder: Encoder, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], float]:
    began = time.process_time()
    vectors = encoder.encode(texts, prompt="document")
    return vectors, time.process_time() - began


def _nearest(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.int64] | None:
    """The nearest others of each row, int64 ``[n, 10]``; None of so few that most of them would be."""
    if len(vectors) < NEIGHBOURS + 2:
        return None
    found, _ = search_dense(vectors, vectors, NEIGHBOURS + 1)
    others = found != np.arange(len(vectors))[:, None]
    others[others.all(1), -1] = False  # equals of it stood before itself
    nearest: npt.NDArray[np.int64] = found[others].reshape(len(vectors), NEIGHBOURS)
    return nearest


def _shared(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64] | None) -> float:
    """The mean share of each row of ``left`` that stands in the same row of ``right``."""
    assert right is not None  # they are of equally many texts
    return float((left[:, :, None] == right[:, None, :]).any(2).mean())
