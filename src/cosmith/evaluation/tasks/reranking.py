"""Reranking: among a query's own candidates, do those that answer it come first?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cosmith.errors import InputError, nearest
from cosmith.evaluation.equal_vectors import distinct_rows
from cosmith.evaluation.metrics import retrieval_metrics
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_texts, scores_from
from cosmith.phrases import one_line
from cosmith.retrieval.hits import Hits
from cosmith.retrieval.makers import model_name

if TYPE_CHECKING:
    from cosmith.data.test_sets import CandidateLists
    from cosmith.evaluation.scores import Scores
    from cosmith.models import PairScorer, TextEncoder

KS = (1, 3, 5, 10, 100, 1000)
_HEADLINES = ("map@1000", "mrr@10", "ndcg@10", "precision@1")


@dataclass(frozen=True)
class RerankingTask(OfData):
    """Queries with candidates as a task, by MTEB's protocol.

    Each query's own candidates are ordered by cosine, and the order is scored as a search's is
    (:mod:`cosmith.evaluation.metrics`). Of equal scores a negative goes first, so that a constant model gains nothing.

    Attributes:
        name: What the test set is called.
        data: The queries and their candidates.
        main: The metric that counts; ``map@1000`` is what MTEB calls ``map``.
    """

    name: str
    data: CandidateLists
    main: str = "map@1000"
    kind: ClassVar[Kind] = "reranking"

    def __post_init__(self) -> None:
        if not len(self.data):
            raise InputError(f"{self.name!r} has no queries", field="queries")
        valid = [f"{metric}@{k}" for metric in ("map", "mrr", "ndcg", "recall", "precision", "success") for k in KS]
        if self.main not in valid:
            raise InputError(f"{self.main!r} is not a metric", field="main", remedy=nearest(self.main, valid))

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        candidates = [text for texts in self._candidates() for text in texts]
        return TaskTexts("candidates", candidates, "document"), TaskTexts("queries", self.data.queries, "query")

    def _candidates(self) -> list[tuple[str, ...]]:
        """Each query's candidates, the answers first."""
        return [(*answers, *others) for answers, others in zip(self.data.positives, self.data.negatives, strict=True)]

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
        candidates, queries = (
            encode_texts(encoder, part, instruction=self.instruction, dim=dim) for part in self.texts()
        )
        scores, start = [], 0
        for query, texts in zip(queries, self._candidates(), strict=True):
            own = candidates[start : start + len(texts)]
            first, group_of = distinct_rows(own)
            scores.append((own[first] @ query)[group_of])
            start += len(texts)
        return self._of_scores(scores, encoder, seed, resamples, model)

    def evaluate_scorer(
        self, scorer: PairScorer, *, seed: int = 0, resamples: int = 10_000, model: str | None = None
    ) -> Scores:
        """Score a model that reads a query and a candidate together, e.g. a cross-encoder.

        Args:
            scorer: The model; it is told the task's instruction.
            seed: For the intervals.
            resamples: For the intervals; 0 leaves them out.
            model: What to call it; by default its own name.

        Raises:
            InputError: When a score is not finite.
        """
        candidates = self._candidates()
        asked = [query for query, texts in zip(self.data.queries, candidates, strict=True) for _ in texts]
        read = [text for texts in candidates for text in texts]
        found = scorer.score(asked, read, instruction=self.instruction, show_progress="Scoring candidates")
        finite = np.isfinite(found)
        if not finite.all():
            raise InputError(
                f"{model or model_name(scorer)} gives scores that are not finite, e.g. for"
                f" {one_line(read[int(finite.argmin())], 60)!r}",
                field="scorer",
                remedy="Load it in float32; if that does not help, its weights are damaged.",
            )
        scores = np.split(found, np.cumsum([len(texts) for texts in candidates])[:-1])
        return self._of_scores(scores, scorer, seed, resamples, model)

    def _of_scores(
        self,
        scores: Sequence[np.ndarray],
        encoder: TextEncoder | PairScorer,
        seed: int,
        resamples: int,
        model: str | None,
    ) -> Scores:
        """What the scores of each query's candidates are worth."""
        answers = list(map(len, self.data.positives))
        query_ids = tuple(map(str, range(len(scores))))
        relevance = {
            query: {_name(number, count): 1 for number in range(count)}
            for query, count in zip(query_ids, answers, strict=True)
        }
        per_query = retrieval_metrics(_hits(scores, answers), query_ids, relevance, ks=KS)
        shown = dict.fromkeys([self.main, *_HEADLINES])
        return scores_from(
            self, encoder, values={metric: float(values.mean()) for metric, values in per_query.items()},
            per_item={metric: per_query[metric] for metric in shown}, item_ids=query_ids, unit="queries", seed=seed,
            resamples=resamples, model=model,
        )  # fmt: skip


def _hits(scores: Sequence[np.ndarray], answers: Sequence[int]) -> Hits:
    """The candidates of each query, named so that of equal scores the negatives go first, as in MTEB."""
    width = max(map(len, scores))
    ids = np.full((len(scores), width), "", dtype=object)
    filled = np.full((len(scores), width), -np.inf, dtype=np.float32)
    for row, (values, count) in enumerate(zip(scores, answers, strict=True)):
        ids[row, : len(values)] = [_name(number, count) for number in range(len(values))]
        filled[row, : len(values)] = values
    return Hits(ids, filled)


def _name(number: int, answers: int) -> str:
    return f"apositive_{number:05}" if number < answers else f"negative_{number - answers:05}"
