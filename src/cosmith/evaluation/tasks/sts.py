"""Semantic textual similarity: do cosines follow human judgement?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.correlation import (
    pearson_contributions,
    resampled_pearson,
    resampled_spearman,
    spearman_contributions,
)
from cosmith.evaluation.resampling import bootstrap_statistic
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.significance import interval_of
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_texts, symmetric_prompt
from cosmith.retrieval.makers import model_name

if TYPE_CHECKING:
    from cosmith.data import StsPairs
    from cosmith.models import TextEncoder


@dataclass(frozen=True)
class StsTask(OfData):
    """Graded pairs as a task; see :func:`evaluate_sts`.

    Attributes:
        name: What the test set is called.
        data: The pairs.
    """

    name: str
    data: StsPairs
    main: ClassVar[str] = "spearman"
    kind: ClassVar[Kind] = "sts"

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        return (_texts(self.data, None),)

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
        return evaluate_sts(encoder, self.data, name=self.name, dim=dim, seed=seed, resamples=resamples, model=model)


def evaluate_sts(
    encoder: TextEncoder,
    pairs: StsPairs,
    *,
    name: str,
    dim: int | None = None,
    prompt: str | None = None,
    seed: int = 0,
    resamples: int = 10_000,
    model: str | None = None,
) -> Scores:
    """Correlate the cosines of pairs of texts with their gold scores, over the whole set (MTEB's protocol).

    Args:
        encoder: Makes the vectors.
        pairs: First texts, second texts, gold scores, and the instruction for both sides.
        name: What to call the test set.
        dim: Compare only this many numbers of each vector.
        prompt: The encoder's prompt for both sides; by default ``"query"`` for pairs with an instruction, which is how
            such a model is trained, else none, as MTEB has it.
        seed: For the intervals.
        resamples: For the intervals, over pairs; 0 leaves them out.
        model: What to call the encoder; by default its own name.

    Returns:
        ``spearman`` (the main one) and ``pearson``. ``per_query`` holds what each pair adds to the correlation (see
        :func:`~cosmith.evaluation.correlation.spearman_contributions`), so that two models compare as on any task.
        A model whose cosines are all equal scores 0.

    Raises:
        InputError: When there are fewer than two pairs, all gold scores are equal, or a vector is not finite.
    """
    gold = np.asarray(pairs.scores, dtype=np.float64)
    count = len(gold)
    if count < 2 or gold.min() == gold.max():
        raise InputError(
            f"the {count} gold scores of {name!r} are all equal, so nothing can be correlated with them",
            field="scores",
            remedy="Give two pairs or more with different scores.",
        )
    vectors = encode_texts(encoder, _texts(pairs, prompt), instruction=pairs.instruction, dim=dim)
    cosines = np.einsum("ij,ij->i", vectors[:count], vectors[count:], dtype=np.float64)
    statistics = {"spearman": resampled_spearman(cosines, gold), "pearson": resampled_pearson(cosines, gold)}
    once = np.ones((1, count))
    return Scores(
        task=name,
        model=model or model_name(encoder),
        main="spearman",
        values={metric: float(statistic(once)[0]) for metric, statistic in statistics.items()},
        intervals={
            metric: interval_of(bootstrap_statistic(statistic, count, resamples=resamples, seed=seed))
            for metric, statistic in statistics.items()
            if resamples
        },
        per_query={
            "spearman": spearman_contributions(cosines, gold),
            "pearson": pearson_contributions(cosines, gold),
        },
        query_ids=tuple(map(str, range(count))),
        unit="pairs",
    )


def _texts(pairs: StsPairs, prompt: str | None) -> TaskTexts:
    return TaskTexts("texts", [*pairs.first, *pairs.second], prompt or symmetric_prompt(pairs.instruction))
