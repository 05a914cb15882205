"""Evaluation: how good, by how much better, how sure."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Imported on first use: retrieval tasks need the searchers, which need Arrow; scores and intervals need neither.
_PUBLIC = {
    "Breakdown": "scores",
    "Changes": "changes",
    "Comparison": "significance",
    "EvaluationTask": "tasks.task",
    "Interval": "significance",
    "QueryChange": "changes",
    "Scores": "scores",
    "Shown": "changes",
    "bootstrap_interval": "significance",
    "bootstrap_intervals": "significance",
    "bootstrap_statistic": "significance",
    "evaluate_bm25": "tasks.retrieval",
    "evaluate_retrieval": "tasks.retrieval",
    "evaluate_sts": "tasks.sts",
    "interval_of": "significance",
    "judged_queries": "tasks.retrieval",
    "largest_changes": "changes",
    "mean_late_interaction_score": "late_interaction_search",
    "mean_reranked_score": "reranked_search",
    "mean_score": "development",
    "mean_score_of": "reranked_search",
    "mean_sparse_score": "sparse_search",
    "models_by_cut": "cut",
    "minimum_detectable_difference": "significance",
    "paired_difference": "significance",
    "rerank_collection": "reranked_search",
    "read_task": "task_files.reading",
    "retrieval_metrics": "metrics",
    "score_hits": "tasks.retrieval",
    "search_collection": "tasks.retrieval",
    "search_collection_bm25": "tasks.retrieval",
    "search_collection_late_interaction": "late_interaction_search",
    "search_collection_sparse": "sparse_search",
    "sign_flip_p_value": "significance",
    "task_of": "tasks.kinds",
    "texts_cut": "cut",
}

__all__ = [
    "Breakdown",
    "Changes",
    "Comparison",
    "EvaluationTask",
    "Interval",
    "QueryChange",
    "Scores",
    "Shown",
    "bootstrap_interval",
    "bootstrap_intervals",
    "bootstrap_statistic",
    "evaluate_bm25",
    "evaluate_retrieval",
    "evaluate_sts",
    "interval_of",
    "judged_queries",
    "largest_changes",
    "mean_late_interaction_score",
    "mean_reranked_score",
    "mean_score",
    "mean_score_of",
    "mean_sparse_score",
    "minimum_detectable_difference",
    "models_by_cut",
    "paired_difference",
    "read_task",
    "rerank_collection",
    "retrieval_metrics",
    "score_hits",
    "search_collection",
    "search_collection_bm25",
    "search_collection_late_interaction",
    "search_collection_sparse",
    "sign_flip_p_value",
    "task_of",
    "texts_cut",
]

if TYPE_CHECKING:
    from cosmith.evaluation.changes import Changes, QueryChange, Shown, largest_changes
    from cosmith.evaluation.cut import models_by_cut, texts_cut
    from cosmith.evaluation.development import mean_score
    from cosmith.evaluation.late_interaction_search import (
        mean_late_interaction_score,
        search_collection_late_interaction,
    )
    from cosmith.evaluation.metrics import retrieval_metrics
    from cosmith.evaluation.reranked_search import mean_reranked_score, mean_score_of, rerank_collection
    from cosmith.evaluation.scores import Breakdown, Scores
    from cosmith.evaluation.significance import (
        Comparison,
        Interval,
        bootstrap_interval,
        bootstrap_intervals,
        bootstrap_statistic,
        interval_of,
        minimum_detectable_difference,
        paired_difference,
        sign_flip_p_value,
    )
    from cosmith.evaluation.sparse_search import mean_sparse_score, search_collection_sparse
    from cosmith.evaluation.task_files.reading import read_task
    from cosmith.evaluation.tasks.kinds import task_of
    from cosmith.evaluation.tasks.retrieval import (
        evaluate_bm25,
        evaluate_retrieval,
        judged_queries,
        score_hits,
        search_collection,
        search_collection_bm25,
    )
    from cosmith.evaluation.tasks.sts import evaluate_sts
    from cosmith.evaluation.tasks.task import EvaluationTask


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
