"""Pair classification: do vectors tell the pairs that mean the same from those that do not?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.contributions import (
    average_precision_contributions,
    bounded_mean,
    f1_contributions,
    resampled_average_precision,
    resampled_f1,
)
from cosmith.evaluation.scikit import scikit
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_unscaled_texts, scores_from, symmetric_prompt

if TYPE_CHECKING:
    from cosmith.data.test_sets import JudgedPairs
    from cosmith.evaluation.scores import Scores
    from cosmith.models import TextEncoder

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_EXACT_UP_TO = 500
"""Pairs of which resamples' average precision is computed itself: of more it would take longer than encoding them, and
what each pair adds is as good."""


@dataclass(frozen=True)
class PairClassificationTask(OfData):
    """Judged pairs as a task, by MTEB's protocol.

    Every similarity is scored by itself: ``cosine_ap``, ``dot_f1``, … ``max_ap`` is the best of the four. A constant
    model, of which all similarities are equal, has the share of pairs alike as ``ap`` and 0 in what needs a threshold.

    Attributes:
        name: What the test set is called.
        data: The pairs.
        main: The metric that counts.
    """

    name: str
    data: JudgedPairs
    main: str = "max_ap"
    kind: ClassVar[Kind] = "pair-classification"

    def __post_init__(self) -> None:
        if self.data.alike.all() or not self.data.alike.any():
            says = "alike" if len(self.data) and self.data.alike.all() else "not alike"
            raise InputError(
                f"all {len(self.data):,} pairs of {self.name!r} are {says}", field="label",
                remedy="Give pairs of both kinds.",
            )  # fmt: skip

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        return (TaskTexts("texts", [*self.data.first, *self.data.second], symmetric_prompt(self.instruction)),)

    def evaluate(
        self,
        encoder: TextEncoder,
        *,
        dim: int | None = None,
        seed: int = 0,
        resamples: int = 10_000,
        model: str | None = None,
    ) -> Scores:
        """Score an encoder; arguments and errors as :meth:`EvaluationTask.evaluate`."""
        count, alike = len(self.data), self.data.alike
        vectors = encode_unscaled_texts(encoder, self.texts()[0], instruction=self.instruction, dim=dim)
        judged = {
            name: JudgedSimilarity.of(scores, alike)
            for name, scores in pair_similarities(vectors[:count], vectors[count:]).items()
        }
        values = {f"{name}_{metric}": value for name, each in judged.items() for metric, value in each.values.items()}
        for metric in ("ap", "accuracy", "f1", "precision", "recall"):
            values[f"max_{metric}"] = max(each.values[metric] for each in judged.values())
        values["cosine_accuracy_threshold"] = judged["cosine"].accuracy_threshold
        values["cosine_f1_threshold"] = judged["cosine"].f1_threshold
        best = {
            metric: max(judged.values(), key=lambda each: each.values[metric]) for metric in ("ap", "accuracy", "f1")
        }
        per_pair = {f"max_{metric}": each.per_pair[metric] for metric, each in best.items()}
        per_pair |= {f"cosine_{metric}": added for metric, added in judged["cosine"].per_pair.items()}
        # Which similarity is the best, and the threshold, are held fixed, as in what each pair adds.
        shown = {f"max_{metric}": best[metric] for metric in ("ap", "f1")}
        shown |= {f"cosine_{metric}": judged["cosine"] for metric in ("ap", "f1")}
        statistics = {name: each.resampled[name.partition("_")[2]] for name, each in shown.items()}
        return scores_from(
            self, encoder, values=values, per_item=per_pair, item_ids=tuple(map(str, range(count))), unit="pairs",
            seed=seed, resamples=resamples, model=model, statistics=statistics,
        )  # fmt: skip


def pair_similarities(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """The four similarities of the rows of two arrays ``[n, D]``, higher being more alike; distances negated.

    In the vectors' own precision, through scikit-learn, so that equal pairs tie as they do in MTEB.
    """
    pairwise = scikit("metrics.pairwise")
    found = {
        "cosine": 1 - pairwise.paired_cosine_distances(first, second),
        "dot": np.einsum("ij,ij->i", first, second),
        "euclidean": -pairwise.paired_euclidean_distances(first, second),
        "manhattan": -pairwise.paired_manhattan_distances(first, second),
    }
    return {name: np.asarray(scores, dtype=np.float64) for name, scores in found.items()}


@dataclass(frozen=True)
class JudgedSimilarity:
    """How well one similarity tells pairs apart.

    Attributes:
        values: ``ap``; ``accuracy`` at its best threshold; ``f1`` at its, with the ``precision`` and ``recall`` there.
        per_pair: What each pair adds to ``ap``, ``accuracy`` and ``f1``.
        resampled: ``ap`` and ``f1`` from how often each pair was drawn.
        accuracy_threshold: The similarity from which on pairs count as alike, for the best accuracy.
        f1_threshold: The same for the best F1.
    """

    values: dict[str, float]
    per_pair: dict[str, Floats]
    resampled: dict[str, Callable[[Floats], Floats]]
    accuracy_threshold: float
    f1_threshold: float

    @classmethod
    def of(cls, scores: Floats, alike: Bools) -> JudgedSimilarity:
        """Score a similarity.

        A threshold lies between two different scores, never within equal ones and not beyond the last, so that not
        all pairs can count as alike; of equally good ones the highest is taken. Without any, what needs one is 0.
        """
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        cuts = np.flatnonzero(ordered[:-1] != ordered[1:])
        average_precision = float(scikit("metrics").average_precision_score(alike, scores))
        added = {"ap": average_precision_contributions(scores, alike)}
        exact = len(scores) <= _EXACT_UP_TO
        resampled = {"ap": resampled_average_precision(scores, alike) if exact else bounded_mean(added["ap"])}
        if not len(cuts):
            none = dict.fromkeys(("accuracy", "f1", "precision", "recall"), 0.0)
            zero = np.zeros(len(scores))
            resampled["f1"] = resampled_f1(alike, np.zeros_like(alike))
            return cls({"ap": average_precision} | none, added | {"accuracy": zero, "f1": zero}, resampled, 0.0, 0.0)
        above = cuts + 1
        true = np.cumsum(alike[order])[cuts]
        positives = int(alike.sum())
        accuracy = (2 * true - above + len(scores) - positives) / len(scores)
        precision, recall = true / above, true / positives
        f1 = 2 * true / (above + positives)
        at_accuracy, at_f1 = int(accuracy.argmax()), int(f1.argmax())
        said = [scores >= ordered[cuts[place]] for place in (at_accuracy, at_f1)]
        thresholds = [float(ordered[cuts[place]] + ordered[cuts[place] + 1]) / 2 for place in (at_accuracy, at_f1)]
        values = {
            "ap": average_precision,
            "accuracy": float(accuracy[at_accuracy]),
            "f1": float(f1[at_f1]),
            "precision": float(precision[at_f1]),
            "recall": float(recall[at_f1]),
        }
        added |= {"accuracy": (said[0] == alike).astype(np.float64), "f1": f1_contributions(alike, said[1])}
        resampled["f1"] = resampled_f1(alike, said[1])
        return cls(values, added, resampled, thresholds[0], thresholds[1])
