"""Classification: does a simple classifier learn the classes from a few vectors of each?"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.breakdown import Breakdown
from cosmith.evaluation.contributions import bounded_mean, class_f1_contributions
from cosmith.evaluation.scikit import scikit
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_unscaled_texts, scores_from, symmetric_prompt
from cosmith.progress import track

if TYPE_CHECKING:
    from cosmith.data.test_sets import TrainAndTest
    from cosmith.evaluation.scores import Scores
    from cosmith.models import TextEncoder

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MTEB_SEED = 42


@dataclass(frozen=True)
class ClassificationTask(OfData):
    """Labelled texts as a task, by MTEB's protocol.

    Ten times, some texts of each class are drawn, logistic regression learns from their vectors, and all test texts
    are classified; values are means over the ten. A class with fewer texts gives all it has; a test text whose class
    does not occur in training counts as wrong.

    Attributes:
        name: What the test set is called.
        data: Labelled texts to learn from and to be tested on.
        samples: Training texts of each class that are drawn; MTEB takes 8 for most sets.
        experiments: How many draws.
        main: The metric that counts.
    """

    name: str
    data: TrainAndTest
    samples: int = 8
    experiments: int = 10
    main: str = "accuracy"
    kind: ClassVar[Kind] = "classification"

    def __post_init__(self) -> None:
        for field, value in (("samples", self.samples), ("experiments", self.experiments)):
            if value < 1:
                raise InputError(f"must be at least 1, got {value}", field=field)
        if not len(self.data.test):
            raise InputError(f"{self.name!r} has no test texts", field="test")
        if len(self.data.train.classes) < 2:
            raise InputError(
                f"the training texts of {self.name!r} are of {len(self.data.train.classes)} class", field="label",
                remedy="Give texts of two classes or more.",
            )  # fmt: skip

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read: the training texts that are drawn, and the test texts."""
        drawn = sorted({number for draw in self.draws() for number in draw})
        prompt = symmetric_prompt(self.instruction)
        return (
            TaskTexts("training texts", [self.data.train.texts[number] for number in drawn], prompt),
            TaskTexts("test texts", self.data.test.texts, prompt),
        )

    def draws(self) -> list[list[int]]:
        """The training texts of each experiment."""
        return balanced_draws(self.data.train.labels, self.samples, self.experiments)

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

        Values: ``accuracy``; ``f1``, ``precision`` and ``recall``, means over classes; the same ``_weighted`` by the
        classes' sizes; and with two classes ``ap``, average precision of the decisions, as MTEB has it. The breakdown
        has precision, recall and F1 of each class.
        """
        train, test = (
            encode_unscaled_texts(encoder, part, instruction=self.instruction, dim=dim) for part in self.texts()
        )
        draws = self.draws()
        row_of = {number: row for row, number in enumerate(sorted({number for draw in draws for number in draw}))}
        classes = sorted({*self.data.train.labels, *self.data.test.labels}, key=_order(self.data))
        number_of = {label: number for number, label in enumerate(classes)}
        known = np.array([number_of[label] for label in self.data.train.labels])
        true = np.array([number_of[label] for label in self.data.test.labels])
        predictions = []
        with track("Classifying", len(draws), "experiments") as bar:
            for draw in draws:
                predictions.append(predicted(train[[row_of[number] for number in draw]], known[draw], test))
                bar.advance()
        scored = [ClassScores.of(true, each, len(classes)) for each in predictions]
        values = {metric: float(np.mean([each.values[metric] for each in scored])) for metric in scored[0].values}
        per_text = {
            metric: np.mean([each.per_text[metric] for each in scored], axis=0) for metric in scored[0].per_text
        }
        return scores_from(
            self, encoder, values=values, per_item=per_text, item_ids=tuple(map(str, range(len(true)))), unit="texts",
            seed=seed, resamples=resamples, model=model, breakdown=_by_class(classes, scored, np.bincount(true)),
            statistics={metric: bounded_mean(per_text[metric]) for metric in ("f1", "f1_weighted")},
        )  # fmt: skip


def balanced_draws(labels: Sequence[str], samples: int, experiments: int) -> list[list[int]]:
    """The texts that each experiment learns from, drawn as MTEB draws them.

    The numbers of all texts are shuffled in place with the seed 42, again and again, so that experiment i has the
    i-th power of one permutation; each takes the first ``samples`` of every class.
    """
    numbers = list(range(len(labels)))
    draws = []
    for _ in range(experiments):
        np.random.RandomState(_MTEB_SEED).shuffle(numbers)
        taken: Counter[str] = Counter()
        drawn = []
        for number in numbers:
            if taken[labels[number]] < samples:
                taken[labels[number]] += 1
                drawn.append(number)
        draws.append(drawn)
    return draws


def predicted(train: npt.NDArray[np.float32], labels: Ints, test: npt.NDArray[np.float32]) -> Ints:
    """What logistic regression with MTEB's settings (100 iterations, seed 42, vectors as they are) takes texts for.

    Args:
        train: Vectors to learn from ``[n, D]``.
        labels: The class of each ``[n]``.
        test: Vectors to classify ``[m, D]``.
    """
    classifier = scikit("linear_model").LogisticRegression(max_iter=100, random_state=_MTEB_SEED)
    with warnings.catch_warnings():
        # Reaching the hundredth iteration is part of the protocol.
        warnings.simplefilter("ignore", scikit("exceptions").ConvergenceWarning)
        classifier.fit(train, labels)
    return np.asarray(classifier.predict(test), dtype=np.int64)


@dataclass(frozen=True)
class ClassScores:
    """How well one classifier did.

    Attributes:
        values: Metric → value.
        per_text: What each text adds to ``accuracy``, ``f1`` and ``f1_weighted``.
        by_class: precision, recall and F1 ``[3, classes]``, NaN where a class neither occurs nor was predicted.
    """

    values: Mapping[str, float]
    per_text: Mapping[str, Floats]
    by_class: Floats

    @classmethod
    def of(cls, true: Ints, predictions: Ints, classes: int) -> ClassScores:
        """Score the predictions ``[n]`` of the true classes ``[n]``, both numbered below ``classes``."""
        metrics = scikit("metrics")
        present = np.unique(np.concatenate([true, predictions]))  # the classes that count, as in scikit-learn
        per_class = np.array(
            metrics.precision_recall_fscore_support(true, predictions, labels=present, zero_division=0)[:3]
        )
        support = np.bincount(true, minlength=classes)[present] / len(true)
        values = {"accuracy": float((true == predictions).mean())}
        for name, row in zip(("precision", "recall", "f1"), per_class, strict=True):
            values |= {name: float(row.mean()), f"{name}_weighted": float(row @ support)}
        if len(np.unique(true)) == 2:
            values["ap"] = float(metrics.average_precision_score(true == true.max(), predictions))
        weights = np.zeros((2, classes))
        weights[:, present] = np.array([np.full(len(present), 1 / len(present)), support])
        by_class = np.full((3, classes), np.nan)
        by_class[:, present] = per_class
        return cls(
            values,
            {
                "accuracy": (true == predictions).astype(np.float64),
                "f1": class_f1_contributions(true, predictions, weights[0]),
                "f1_weighted": class_f1_contributions(true, predictions, weights[1]),
            },
            by_class,
        )


def _by_class(classes: Sequence[str], scored: Sequence[ClassScores], support: Ints) -> Breakdown:
    means = np.mean([np.nan_to_num(each.by_class) for each in scored], axis=0)
    rows = {}
    for number, name in enumerate(classes):
        if number < len(support) and support[number]:
            precision, recall, f1 = means[:, number].tolist()
            rows[name] = {"precision": precision, "recall": recall, "f1": f1, "texts": float(support[number])}
    return Breakdown("class", dict(sorted(rows.items(), key=lambda row: row[1]["f1"])))


def _order(data: TrainAndTest) -> Any:
    """How classes are sorted: whole numbers by value, as where MTEB has them as numbers."""
    whole = all(label.lstrip("-").isdecimal() for label in {*data.train.labels, *data.test.labels})
    return int if whole else str
