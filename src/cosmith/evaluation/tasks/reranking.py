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
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_compared_texts, scores_from
from cosmith.models.similarity import similarity_of
from cosmith.phrases import one_line
from cosmith.retrieval.hits import Hits
from cosmith.retrieval.makers import model_name
from cosmith.retrieval.similarities import similarities

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.data.test_sets import CandidateLists
    from cosmith.evaluation.scores import Scores
    from cosmith.models import PairScorer, TextEncoder

KS = (1, 3, 5, 10, 100, 1000)
_HEADLINES = ("map@1000", "mrr@10", "ndcg@10", "precision@1")


@dataclass(frozen=True)
class RerankingTask(OfData):
    """Queries with candidates as a task, by MTEB's protocol.

    Each query's own candidates are ordered by the model's similarity, and the order is scored as a search's is
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
        hits = self.ranked(encoder, dim=dim)
        return self.score_ranked(hits, seed=seed, resamples=resamples, model=model or model_name(encoder))

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
        hits = self.ranked_by(scorer, model=model)
        return self.score_ranked(hits, seed=seed, resamples=resamples, model=model or model_name(scorer))

    def ranked(self, encoder: TextEncoder, *, dim: int | None = None) -> Hits:
        """Each query's own candidates by their similarity to it, named as in :meth:`collection`.

        Raises:
            InputError: When a vector is not finite.
        """
        candidates, queries = (
            encode_compared_texts(encoder, part, instruction=self.instruction, dim=dim) for part in self.texts()
        )
        similarity = similarity_of(encoder)
        scores, start = [], 0
        for query, texts in zip(queries, self._candidates(), strict=True):
            own = candidates[start : start + len(texts)]
            first, group_of = distinct_rows(own)
            scores.append(similarities(own[first], query[None], similarity)[group_of, 0])
            start += len(texts)
        return self._hits(scores)

    def ranked_by(self, scorer: PairScorer, *, model: str | None = None) -> Hits:
        """The same by a model that reads a query and a candidate together; arguments as :meth:`evaluate_scorer`.

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
        return self._hits(np.split(found, np.cumsum([len(texts) for texts in candidates])[:-1]))

    def score_ranked(self, hits: Hits, *, model: str, seed: int = 0, resamples: int = 10_000) -> Scores:
        """What an order of each query's candidates is worth.

        Args:
            hits: As :meth:`ranked` gives them.
            model: What to call what ordered them.
            seed: For the intervals.
            resamples: For the intervals; 0 leaves them out.
        """
        relevance = self._relevance()
        query_ids = tuple(relevance)
        per_query = retrieval_metrics(hits, query_ids, relevance, ks=KS)
        shown = dict.fromkeys([self.main, *_HEADLINES])
        return scores_from(
            self, None, values={metric: float(values.mean()) for metric, values in per_query.items()},
            per_item={metric: per_query[metric] for metric in shown}, item_ids=query_ids, unit="queries", seed=seed,
            resamples=resamples, model=model,
        )  # fmt: skip

    def collection(self) -> Collection:
        """The queries and all their candidates as a retrieval set, in which each query's candidates are judged."""
        from cosmith.data import Collection

        documents = {
            name: text
            for number, texts in enumerate(self._candidates())
            for name, text in zip(self._names(number), texts, strict=True)
        }
        queries = {str(number): query for number, query in enumerate(self.data.queries)}
        return Collection(self.name, documents, queries, self._relevance(), instruction=self.instruction)

    def _relevance(self) -> dict[str, dict[str, int]]:
        return {
            str(number): {name: int(place < len(answers)) for place, name in enumerate(self._names(number))}
            for number, answers in enumerate(self.data.positives)
        }

    def _names(self, number: int) -> list[str]:
        """The names of a query's candidates, such that of equal scores the others go before the answers, as in MTEB."""
        answers, others = len(self.data.positives[number]), len(self.data.negatives[number])
        return [f"{number}/answer-{place:05}" for place in range(answers)] + [
            f"{number}/other-{place:05}" for place in range(others)
        ]

    def _hits(self, scores: Sequence[np.ndarray]) -> Hits:
        """The candidates of each query, best first."""
        width = max(map(len, scores))
        ids = np.full((len(scores), width), "", dtype=object)
        filled = np.full((len(scores), width), -np.inf, dtype=np.float32)
        for row, values in enumerate(scores):
            # Stable, from the greatest name to the least: of equal scores the greater name comes first.
            order = np.argsort(-values[::-1], kind="stable")
            names = np.array(self._names(row), dtype=object)[::-1]
            ids[row, : len(values)], filled[row, : len(values)] = names[order], values[::-1][order]
        return Hits(ids, filled)
