"""Bitext mining: is the nearest text in the other language the translation?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_compared_texts, scores_from, symmetric_prompt
from cosmith.models.similarity import Similarity, similarity_of
from cosmith.retrieval.compressed.transforms import unit_rows
from cosmith.retrieval.similarities import similarities

if TYPE_CHECKING:
    from cosmith.data.test_sets import ParallelTexts
    from cosmith.evaluation.scores import Scores
    from cosmith.models import TextEncoder

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

_AT_ONCE = 1024
_NEIGHBOURS = 4


@dataclass(frozen=True)
class BitextMiningTask(OfData):
    """Texts and their translations as a task, by MTEB's protocol, and by margin beside it.

    For each text the nearest of all translations is taken. A constant model finds the first for all.

    Attributes:
        name: What the test set is called.
        data: The texts and their translations.
        main: The metric that counts.
    """

    name: str
    data: ParallelTexts
    main: str = "f1"
    kind: ClassVar[Kind] = "bitext-mining"

    def __post_init__(self) -> None:
        if not len(self.data):
            raise InputError(f"{self.name!r} has no texts", field="first")

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        prompt = symmetric_prompt(self.instruction)
        return TaskTexts("texts", self.data.first, prompt), TaskTexts("translations", self.data.second, prompt)

    def evaluate(
        self,
        encoder: TextEncoder,
        *,
        dim: int | None = None,
        seed: int = 0,
        resamples: int = 10_000,
        model: str | None = None,
    ) -> Scores:
        """Score an encoder; arguments and errors as :meth:`EvaluationTask.evaluate`.

        Values: ``f1``, ``precision`` and ``accuracy`` (recall is the same) of the nearest by the model's similarity;
        ``margin_f1`` and ``margin_accuracy`` of the best by :func:`margin_nearest`.
        """
        first, second = (
            encode_compared_texts(encoder, part, instruction=self.instruction, dim=dim) for part in self.texts()
        )
        own = similarity_of(encoder)
        nearest = found_pairs(nearest_rows(first, second, own))
        if own != "cosine":
            first, second = unit_rows(first), unit_rows(second)
        by_margin = found_pairs(margin_nearest(first, second))
        per_text = nearest | {f"margin_{metric}": by_margin[metric] for metric in ("f1", "accuracy")}
        return scores_from(
            self, encoder, values={}, per_item=per_text, item_ids=tuple(map(str, range(len(first)))), unit="texts",
            seed=seed, resamples=resamples, model=model,
        )  # fmt: skip


def found_pairs(chosen: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """What each text adds to ``f1``, ``precision`` and ``accuracy``, where text i's translation is i.

    As MTEB has it, every translation is a class of one text, and the classes' F1 and precision are averaged by size:
    a class that is found, and is taken for c texts in all, has the precision 1 / c and the recall 1.

    Args:
        chosen: The translation that was taken for each text ``[n]``.
    """
    right = chosen == np.arange(len(chosen))
    taken = np.bincount(chosen, minlength=len(chosen))[chosen]  # how often what it took was taken
    return {
        "f1": right * 2.0 / (1 + taken),
        "precision": right / taken,
        "accuracy": right.astype(np.float64),
    }


def nearest_rows(first: Vectors, second: Vectors, similarity: Similarity = "dot") -> npt.NDArray[np.int64]:
    """For each row of ``first [n, D]`` the most similar row of ``second [m, D]``, of equal ones the first; unit rows,
    where they are compared by cosine."""
    parts = [
        similarities(first[start : start + _AT_ONCE], second, similarity).argmax(axis=1)
        for start in range(0, len(first), _AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.int64)


def margin_nearest(first: Vectors, second: Vectors, neighbours: int = _NEIGHBOURS) -> npt.NDArray[np.int64]:
    """As :func:`nearest_rows`, by ratio margin: the cosine over the mean cosine to each side's nearest neighbours.

    Artetxe and Schwenk, "Margin-based Parallel Corpus Mining with Multilingual Sentence Embeddings"
    (arXiv:1811.01136), equation 3 with margin(a, b) = a / b; 4 neighbours, as there.

    Args:
        first: Unit rows ``[n, D]``.
        second: Unit rows ``[m, D]``.
        neighbours: How many of each side; all where there are fewer.
    """
    of_first, of_second = _mean_nearest(first, second, neighbours), _mean_nearest(second, first, neighbours)
    parts = []
    for start in range(0, len(first), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        around = (of_first[part, None] + of_second[None, :]) / 2
        # Where the surroundings are orthogonal or opposed, a ratio to them says nothing: they count as barely alike.
        parts.append((first[part] @ second.T / np.maximum(around, 1e-6)).argmax(axis=1))
    return np.concatenate(parts).astype(np.int64)


def _mean_nearest(rows: Vectors, others: Vectors, neighbours: int) -> Vectors:
    """The mean cosine of each row to its nearest among the others ``[n]``."""
    k = min(neighbours, len(others))
    means = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        cosines = rows[start : start + _AT_ONCE] @ others.T
        means[start : start + _AT_ONCE] = np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)
    return means
