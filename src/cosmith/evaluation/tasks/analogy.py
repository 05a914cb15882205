"""Analogies: is b - a + c near to the word that is to c as b is to a?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.breakdown import Breakdown
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import TaskTexts, scores_from
from cosmith.evaluation.tasks.word_similarity import word_vectors

if TYPE_CHECKING:
    from cosmith.data.rows import Rejected
    from cosmith.data.test_sets import Analogies
    from cosmith.evaluation.scores import Scores
    from cosmith.models import TextEncoder

Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_NUMBERS_AT_A_TIME = 1 << 23
_EPSILON = 0.001


@dataclass(frozen=True)
class AnalogyTask:
    """Analogies as a task: how many are solved, of those of which the model knows all four words.

    The answer is looked for among the vocabulary, without the three words of the question. A word that the model does
    not know has the vector 0. Where no question is known, the score is 0.

    Attributes:
        name: What the test set is called.
        data: The questions.
        main: The metric that counts.
    """

    name: str
    data: Analogies
    main: str = "3cosadd"
    kind: ClassVar[Kind] = "analogy"

    def __post_init__(self) -> None:
        if not len(self.data):
            raise InputError(f"{self.name!r} has no questions", field="questions")

    @property
    def instruction(self) -> str:
        """None: words are compared as they are."""
        return ""

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The lines that cannot be used."""
        return self.data.rejected

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read: the words of the questions, and the vocabulary."""
        words = [word for question in self.data.questions for word in question]
        return (TaskTexts("words", list(dict.fromkeys([*words, *self.data.vocabulary])), None),)

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

        Values: ``3cosadd`` and ``3cosmul``, the shares that :func:`three_cos_add` and :func:`three_cos_mul` solve, and
        ``coverage``, the share of questions that is known. The breakdown has them for each category.
        """
        words = self.texts()[0]
        vectors, known = word_vectors(encoder, words, dim)
        row_of = {word: row for row, word in enumerate(words.texts)}
        questions = np.array([[row_of[word] for word in question] for question in self.data.questions])
        covered = known[questions].all(axis=1)
        kept = np.flatnonzero(covered)
        among = {row_of[word] for word in self.data.vocabulary} or set(range(len(words.texts)))
        answerable = np.array([number in among for number in range(len(words.texts))]) & known
        added: dict[str, npt.NDArray[np.float64]] = {}
        for metric, combine in (("3cosadd", three_cos_add), ("3cosmul", three_cos_mul)):
            found = solved(vectors, questions[kept, :3], answerable, combine) if len(kept) else kept
            added[metric] = (found == questions[kept, 3]).astype(np.float64)
        return scores_from(
            self, encoder, values={"coverage": float(covered.mean())}, per_item=added,
            item_ids=tuple(map(str, kept)), unit="questions", seed=seed, resamples=resamples, model=model,
            breakdown=self._by_category(covered, added), total=len(covered),
        )  # fmt: skip

    def _by_category(self, covered: npt.NDArray[np.bool_], added: dict[str, npt.NDArray[np.float64]]) -> Breakdown:
        names = np.array(self.data.categories)
        rows = {}
        for name in dict.fromkeys(self.data.categories):
            here = names == name
            row = {"coverage": float(covered[here].mean()), "questions": float(here.sum())}
            if covered[here].any():
                row = {metric: float(values[here[covered]].mean()) for metric, values in added.items()} | row
            rows[name or "(none)"] = row
        return Breakdown("category", rows)


def three_cos_add(to_a: Vectors, to_b: Vectors, to_c: Vectors) -> Vectors:
    """cos(x, b) - cos(x, a) + cos(x, c) for each question and word, from these cosines ``[questions, words]``.

    Mikolov, Yih and Zweig, "Linguistic Regularities in Continuous Space Word Representations" (NAACL 2013), in the
    form of Levy and Goldberg (CoNLL 2014), equation 3.
    """
    return to_b - to_a + to_c


def three_cos_mul(to_a: Vectors, to_b: Vectors, to_c: Vectors) -> Vectors:
    """cos(x, b) cos(x, c) / (cos(x, a) + 0.001), of cosines moved to [0, 1] by (cos + 1) / 2.

    Levy and Goldberg, "Linguistic Regularities in Sparse and Explicit Word Representations" (CoNLL 2014), equation 4.
    """
    moved_a, moved_b, moved_c = ((cosines + np.float32(1)) / np.float32(2) for cosines in (to_a, to_b, to_c))
    return np.asarray(moved_b * moved_c / (moved_a + np.float32(_EPSILON)), dtype=np.float32)


def solved(
    vectors: Vectors,
    questions: Ints,
    answerable: npt.NDArray[np.bool_],
    combine: Callable[[Vectors, Vectors, Vectors], Vectors],
) -> Ints:
    """The word that is taken for the answer of each question.

    Args:
        vectors: Unit rows ``[words, D]``.
        questions: a, b, c of each, as rows of ``vectors`` ``[questions, 3]``.
        answerable: Which words may be answers ``[words]``; those of the question itself never are.
        combine: What the words' scores are, from their cosines to a, b and c.
    """
    found = []
    size = max(1, _NUMBERS_AT_A_TIME // len(vectors))
    for start in range(0, len(questions), size):
        part = questions[start : start + size]
        asked, place = np.unique(part, return_inverse=True)
        cosines = vectors[asked] @ vectors.T
        place = place.reshape(part.shape)
        scores = combine(cosines[place[:, 0]], cosines[place[:, 1]], cosines[place[:, 2]])
        scores[:, ~answerable] = -np.inf
        np.put_along_axis(scores, part, -np.inf, axis=1)
        found.append(scores.argmax(axis=1))
    return np.concatenate(found).astype(np.int64)
