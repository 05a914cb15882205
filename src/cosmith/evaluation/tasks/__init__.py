"""The kinds of task, a file each: data under a name, and one verb that takes an encoder and gives scores.

=======================  =====================================================  =====================
kind                     asks                                                   main metric
=======================  =====================================================  =====================
``retrieval``            is the relevant document found in the corpus?          ndcg@10
``reranking``            does the answer come first of a query's candidates?    map@1000
``sts``                  do cosines follow graded similarity?                   spearman
``pair-classification``  are pairs that mean the same told from the others?     max_ap
``classification``       are classes learnt from a few texts of each?           accuracy
``clustering``           do clusters of vectors agree with labels?              v_measure
``bitext-mining``        is the nearest text the translation?                   f1
``summarisation``        are good summaries near to those by people?            cosine_spearman
``word-similarity``      do cosines of words follow graded similarity?          spearman
``analogy``              is b - a + c near to the fourth word?                  3cosadd
=======================  =====================================================  =====================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

# Imported on first use: retrieval tasks need the searchers, which need Arrow.
_PUBLIC = {
    "AnalogyTask": ".analogy",
    "BitextMiningTask": ".bitext_mining",
    "ClassificationTask": ".classification",
    "ClusteringTask": ".clustering",
    "EvaluationTask": ".task",
    "PairClassificationTask": ".pair_classification",
    "RerankingTask": ".reranking",
    "RetrievalTask": ".retrieval",
    "StsTask": ".sts",
    "SubsetsTask": ".subsets",
    "SummarisationTask": ".summarisation",
    "TaskTexts": ".task",
    "WordSimilarityTask": ".word_similarity",
    "task_of": ".kinds",
}

__all__ = [
    "AnalogyTask",
    "BitextMiningTask",
    "ClassificationTask",
    "ClusteringTask",
    "EvaluationTask",
    "PairClassificationTask",
    "RerankingTask",
    "RetrievalTask",
    "StsTask",
    "SubsetsTask",
    "SummarisationTask",
    "TaskTexts",
    "WordSimilarityTask",
    "task_of",
]

if TYPE_CHECKING:
    from cosmith.evaluation.tasks.analogy import AnalogyTask
    from cosmith.evaluation.tasks.bitext_mining import BitextMiningTask
    from cosmith.evaluation.tasks.classification import ClassificationTask
    from cosmith.evaluation.tasks.clustering import ClusteringTask
    from cosmith.evaluation.tasks.kinds import task_of
    from cosmith.evaluation.tasks.pair_classification import PairClassificationTask
    from cosmith.evaluation.tasks.reranking import RerankingTask
    from cosmith.evaluation.tasks.retrieval import RetrievalTask
    from cosmith.evaluation.tasks.sts import StsTask
    from cosmith.evaluation.tasks.subsets import SubsetsTask
    from cosmith.evaluation.tasks.summarisation import SummarisationTask
    from cosmith.evaluation.tasks.task import EvaluationTask, TaskTexts
    from cosmith.evaluation.tasks.word_similarity import WordSimilarityTask

__getattr__ = on_first_use(__name__, _PUBLIC)
