"""Word similarity: do cosines of words follow human judgement?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.correlation import resampled_spearman, spearman_contributions
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import TaskTexts, encode_texts, scores_from

if TYPE_CHECKING:
    from cosmith.data.rows import Rejected
    from cosmith.data.test_sets import WordPairs
    from cosmith.evaluation.scores import Scores
    from cosmith.models import TextEncoder


@dataclass(frozen=True)
class WordSimilarityTask:
    """Scored pairs of words as a task: Spearman's correlation over the pairs of which the model knows both words.

    A word that a model does not know has the vector 0, as those of static models have. Fewer than two known pairs, or
    cosines that are all equal, score 0.

    Attributes:
        name: What the test set is called.
        data: The pairs.
        main: The metric that counts.
    """

    name: str
    data: WordPairs
    main: str = "spearman"
    kind: ClassVar[Kind] = "word-similarity"

    def __post_init__(self) -> None:
        if len(self.data) < 2 or self.data.scores.min() == self.data.scores.max():
            raise InputError(
                f"the {len(self.data)} scores of {self.name!r} are all equal, so nothing can be correlated with them",
                field="scores",
                remedy="Give two pairs or more with different scores.",
            )

    @property
    def instruction(self) -> str:
        """None: words are compared as they are."""
        return ""

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The lines that cannot be used."""
        return self.data.rejected

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        return (TaskTexts("words", list(dict.fromkeys([*self.data.first, *self.data.second])), None),)

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

        Values: ``spearman`` over the known pairs, and ``coverage``, their share.
        """
        words = self.texts()[0]
        vectors, known = word_vectors(encoder, words, dim)
        row_of = {word: row for row, word in enumerate(words.texts)}
        first, second = (np.array([row_of[word] for word in side]) for side in (self.data.first, self.data.second))
        both = known[first] & known[second]
        kept = np.flatnonzero(both)
        values = {"coverage": float(both.mean()), "spearman": 0.0}
        added = np.zeros(len(kept))
        statistics = {}
        gold = self.data.scores[kept]
        if len(kept) >= 2 and gold.min() < gold.max():
            cosines = np.einsum("ij,ij->i", vectors[first[kept]], vectors[second[kept]], dtype=np.float64)
            statistics["spearman"] = resampled_spearman(cosines, gold)
            values["spearman"] = float(statistics["spearman"](np.ones((1, len(kept))))[0])
            added = spearman_contributions(cosines, gold)
        return scores_from(
            self, encoder, values=values, per_item={"spearman": added},
            item_ids=tuple(map(str, kept)), unit="pairs", seed=seed, resamples=resamples, model=model,
            statistics=statistics, total=len(self.data),
        )  # fmt: skip


def word_vectors(
    encoder: TextEncoder, words: TaskTexts, dim: int | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The unit vectors of words ``[words, dim]``, and which of them the model knows ``[words]``.

    Raises:
        InputError: As :func:`~cosmith.evaluation.tasks.task.encode_texts`.
    """
    vectors = encode_texts(encoder, words, dim=dim)
    lengths = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.where(lengths > 0, lengths, 1)[:, None]
    return unit.astype(np.float32), lengths > 0
