"""What can be scored on tasks, whatever it is: models of every kind, BM25, and what other systems found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cosmith.errors import InputError
from cosmith.evaluation.reranked_search import rerank_collection
from cosmith.evaluation.sparse_search import search_collection_sparse
from cosmith.evaluation.tasks.reranking import RerankingTask
from cosmith.evaluation.tasks.retrieval import (
    RetrievalTask,
    score_hits,
    search_collection,
    search_collection_bm25,
)
from cosmith.evaluation.tasks.subsets import SubsetsTask
from cosmith.evaluation.trec import read_run_on
from cosmith.models.fingerprint_parts import EmbeddingFingerprint, vectors_fingerprint
from cosmith.retrieval.lexical import Bm25Scorer
from cosmith.retrieval.makers import model_name

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.evaluation.scores import Scores
    from cosmith.evaluation.tasks.task import EvaluationTask
    from cosmith.models import LateInteractionEncoder, PairScorer, SparseEncoder, TextEncoder
    from cosmith.retrieval import Hits

Search = Callable[["Collection", int], "Hits"]
"""Searches a collection with its own queries: the best so many documents of each."""


@dataclass(frozen=True)
class Contestant:
    """Something that can be scored on tasks, by what it can do.

    Every one of them searches; those that score a query and a document together reorder candidates, and those that make
    a vector of a text do tasks of all kinds.

    Attributes:
        name: What to call it.
        search: Finds documents.
        scorer: Says how well a document answers a query.
        encoder: Makes vectors.
        dim: Compare only this many numbers of each vector.
    """

    name: str
    search: Search
    scorer: PairScorer | None = None
    encoder: TextEncoder | None = None
    dim: int | None = None

    @classmethod
    def dense(cls, encoder: TextEncoder, *, dim: int | None = None, name: str | None = None) -> Contestant:
        """A model that makes a vector of a text."""
        return cls(
            name or model_name(encoder), lambda collection, k: search_collection(encoder, collection, k, dim=dim),
            encoder=encoder, dim=dim,
        )  # fmt: skip

    @classmethod
    def sparse(cls, encoder: SparseEncoder, *, name: str | None = None) -> Contestant:
        """A model that makes a sparse vector of a text."""
        return cls(
            name or encoder.name, lambda collection, k: search_collection_sparse(encoder, collection, k), scorer=encoder
        )

    @classmethod
    def late_interaction(cls, encoder: LateInteractionEncoder, *, name: str | None = None) -> Contestant:
        """A model that makes a vector of each token."""
        from cosmith.evaluation.late_interaction_search import search_collection_late_interaction

        return cls(
            name or encoder.name, lambda collection, k: search_collection_late_interaction(encoder, collection, k),
            scorer=encoder,
        )  # fmt: skip

    @classmethod
    def reranker(
        cls, scorer: PairScorer, candidates: Contestant, *, top: int = 100, name: str | None = None
    ) -> Contestant:
        """A model that reads query and document together, over what another one finds.

        Args:
            scorer: E.g. a :class:`cosmith.models.CrossEncoder`.
            candidates: Searches first; on reranking tasks, which bring candidates of their own, it plays no part.
            top: How many documents of each query are read.
            name: What to call it.
        """
        if top < 1:
            raise InputError(f"must be at least 1, got {top}", field="top")

        def search(collection: Collection, k: int) -> Hits:
            found = candidates.search(collection, max(k, top))
            return rerank_collection(scorer, collection, found, top=top).top(k)

        return cls(name or model_name(scorer), search, scorer=scorer)

    @classmethod
    def bm25(cls, *, language: str | None = "english", name: str = "bm25") -> Contestant:
        """Search by words; of reranking tasks the candidates of all queries are the corpus whose words are weighed."""
        return cls(
            name, lambda collection, k: search_collection_bm25(collection, k, language=language),
            scorer=Bm25Scorer(language),
        )  # fmt: skip

    @classmethod
    def run(cls, path: str | Path, *, name: str | None = None) -> Contestant:
        """What another system found: a TREC run file, of which the search gives all that there is."""
        return cls(name or Path(path).name, lambda collection, k: read_run_on(path, collection))

    def score(self, task: EvaluationTask, *, seed: int = 0, resamples: int = 10_000) -> tuple[Scores, Hits | None]:
        """Score it.

        Args:
            task: On what.
            seed: For the intervals.
            resamples: For the intervals; 0 leaves them out.

        Returns:
            The scores, and on retrieval and reranking tasks what was found, a row for each of the scores' queries; of
            the latter with the names of :meth:`RerankingTask.collection`. A run that is not as deep as a cut-off is
            scored as it is, as trec_eval does.

        Raises:
            InputError: When it cannot be scored on tasks of this kind, or a run is of another test set.
        """
        self.require_scorable(task)
        if isinstance(task, RetrievalTask):
            collection = replace(task.data, name=task.name)
            hits = self.search(collection, task.depth)
            scores = score_hits(
                hits.filled(task.depth), collection, model=self.name, ks=task.ks, main=task.main, seed=seed,
                resamples=resamples,
            )  # fmt: skip
            return replace(scores, fingerprint=self._fingerprint), hits
        if isinstance(task, RerankingTask):
            ranked = self._ranked(task)
            scores = task.score_ranked(ranked, model=self.name, seed=seed, resamples=resamples)
            return replace(scores, fingerprint=self._fingerprint), ranked
        if self.encoder is not None:
            scores = task.evaluate(self.encoder, dim=self.dim, seed=seed, resamples=resamples, model=self.name)
            return replace(scores, fingerprint=self._fingerprint), None
        assert isinstance(task, SubsetsTask)
        assert self.scorer is not None
        return task.evaluate_scorer(self.scorer, seed=seed, resamples=resamples, model=self.name), None

    def _ranked(self, task: RerankingTask) -> Hits:
        if self.encoder is not None:
            return task.ranked(self.encoder, dim=self.dim)
        assert self.scorer is not None
        return task.ranked_by(self.scorer, model=self.name)

    @property
    def _fingerprint(self) -> EmbeddingFingerprint | None:
        """That of its vectors; each kind of task asks for prompts of its own, so none is said."""
        if self.encoder is None:
            return None
        return vectors_fingerprint(self.encoder, prompt=None, instruction="", dim=self.dim)

    def require_scorable(self, task: EvaluationTask) -> None:
        """Refuse a task of a kind that it cannot be scored on.

        Raises:
            InputError: Naming the kinds that it can.
        """
        if not self.can_score(task):
            kinds = "retrieval" if self.scorer is None else "retrieval or reranking"
            raise InputError(
                f"{self.name} cannot be scored on {task.name}, which is a task of the kind {task.kind}", field="--task",
                remedy=f"Give it {kinds} tasks.",
            )  # fmt: skip

    def can_score(self, task: EvaluationTask) -> bool:
        """Whether it can be scored on a task of this kind."""
        ranks = self.scorer is not None and task.kind == "reranking"
        return self.encoder is not None or ranks or isinstance(task, RetrievalTask)
