"""Evaluation: how good, by how much better, how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

# Imported on first use: retrieval tasks need the searchers, which need Arrow; scores and intervals need neither.
_PUBLIC = {
    "Breakdown": ".breakdown",
    "Changes": ".changes",
    "Comparison": ".significance",
    "ComparisonReport": ".comparison_report",
    "Contestant": ".contestants",
    "EvaluationTask": ".tasks.task",
    "Interval": ".significance",
    "ModelPair": ".comparing",
    "ModelTable": ".comparing",
    "QueryChange": ".changes",
    "Scores": ".scores",
    "SearchCost": ".sweeping",
    "Shown": ".changes",
    "StoredFormEncoder": ".sweeping",
    "Sweep": ".sweeping",
    "SweptForm": ".sweeping",
    "TaskFound": ".comparison_report",
    "bootstrap_interval": ".significance",
    "bootstrap_intervals": ".significance",
    "bootstrap_statistic": ".resampling",
    "changes_lines": ".comparison_markdown",
    "compare_models": ".comparing",
    "comparison_as_markdown": ".comparison_markdown",
    "evaluate_bm25": ".tasks.retrieval",
    "evaluate_retrieval": ".tasks.retrieval",
    "evaluate_run": ".trec",
    "evaluate_sts": ".tasks.sts",
    "explain_comparison": ".comparison_report",
    "holm": ".correction",
    "interval_of": ".significance",
    "item_texts": ".items",
    "judged_queries": ".tasks.retrieval",
    "largest_changes": ".changes",
    "macro_difference": ".significance",
    "mean_late_interaction_score": ".late_interaction_search",
    "mean_reranked_score": ".reranked_search",
    "mean_score": ".development",
    "mean_score_of": ".reranked_search",
    "mean_sparse_score": ".sparse_search",
    "minimum_detectable_difference": ".detectable",
    "models_by_cut": ".cut",
    "paired_difference": ".significance",
    "read_qrels": ".trec",
    "read_run_on": ".trec",
    "read_task": ".task_files.reading",
    "read_trec_run": ".trec",
    "require_comparable": ".comparing",
    "require_comparable_on": ".comparing",
    "rerank_collection": ".reranked_search",
    "retrieval_metrics": ".metrics",
    "score_hits": ".tasks.retrieval",
    "search_collection": ".tasks.retrieval",
    "search_collection_bm25": ".tasks.retrieval",
    "search_collection_late_interaction": ".late_interaction_search",
    "search_collection_sparse": ".sparse_search",
    "sign_flip_p_value": ".significance",
    "sweep": ".sweeping",
    "sweep_compressed": ".compressing",
    "task_of": ".tasks.kinds",
    "texts_cut": ".cut",
    "write_qrels": ".trec",
    "write_trec_run": ".trec",
}

__all__ = [
    "Breakdown",
    "Changes",
    "Comparison",
    "ComparisonReport",
    "Contestant",
    "EvaluationTask",
    "Interval",
    "ModelPair",
    "ModelTable",
    "QueryChange",
    "Scores",
    "SearchCost",
    "Shown",
    "StoredFormEncoder",
    "Sweep",
    "SweptForm",
    "TaskFound",
    "bootstrap_interval",
    "bootstrap_intervals",
    "bootstrap_statistic",
    "changes_lines",
    "compare_models",
    "comparison_as_markdown",
    "evaluate_bm25",
    "evaluate_retrieval",
    "evaluate_run",
    "evaluate_sts",
    "explain_comparison",
    "holm",
    "interval_of",
    "item_texts",
    "judged_queries",
    "largest_changes",
    "macro_difference",
    "mean_late_interaction_score",
    "mean_reranked_score",
    "mean_score",
    "mean_score_of",
    "mean_sparse_score",
    "minimum_detectable_difference",
    "models_by_cut",
    "paired_difference",
    "read_qrels",
    "read_run_on",
    "read_task",
    "read_trec_run",
    "require_comparable",
    "require_comparable_on",
    "rerank_collection",
    "retrieval_metrics",
    "score_hits",
    "search_collection",
    "search_collection_bm25",
    "search_collection_late_interaction",
    "search_collection_sparse",
    "sign_flip_p_value",
    "sweep",
    "sweep_compressed",
    "task_of",
    "texts_cut",
    "write_qrels",
    "write_trec_run",
]

if TYPE_CHECKING:
    from cosmith.evaluation.breakdown import Breakdown
    from cosmith.evaluation.changes import Changes, QueryChange, Shown, largest_changes
    from cosmith.evaluation.comparing import (
        ModelPair,
        ModelTable,
        compare_models,
        require_comparable,
        require_comparable_on,
    )
    from cosmith.evaluation.comparison_markdown import changes_lines, comparison_as_markdown
    from cosmith.evaluation.comparison_report import ComparisonReport, TaskFound, explain_comparison
    from cosmith.evaluation.compressing import sweep_compressed
    from cosmith.evaluation.contestants import Contestant
    from cosmith.evaluation.correction import holm
    from cosmith.evaluation.cut import models_by_cut, texts_cut
    from cosmith.evaluation.detectable import minimum_detectable_difference
    from cosmith.evaluation.development import mean_score
    from cosmith.evaluation.items import item_texts
    from cosmith.evaluation.late_interaction_search import (
        mean_late_interaction_score,
        search_collection_late_interaction,
    )
    from cosmith.evaluation.metrics import retrieval_metrics
    from cosmith.evaluation.reranked_search import mean_reranked_score, mean_score_of, rerank_collection
    from cosmith.evaluation.resampling import bootstrap_statistic
    from cosmith.evaluation.scores import Scores
    from cosmith.evaluation.significance import (
        Comparison,
        Interval,
        bootstrap_interval,
        bootstrap_intervals,
        interval_of,
        macro_difference,
        paired_difference,
        sign_flip_p_value,
    )
    from cosmith.evaluation.sparse_search import mean_sparse_score, search_collection_sparse
    from cosmith.evaluation.sweeping import SearchCost, StoredFormEncoder, Sweep, SweptForm, sweep
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
    from cosmith.evaluation.trec import (
        evaluate_run,
        read_qrels,
        read_run_on,
        read_trec_run,
        write_qrels,
        write_trec_run,
    )

__getattr__ = on_first_use(__name__, _PUBLIC)
