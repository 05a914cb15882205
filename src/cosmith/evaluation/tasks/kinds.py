"""Which kind of task data is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from cosmith.data import Collection, StsPairs
from cosmith.data.test_sets import (
    Analogies,
    CandidateLists,
    JudgedPairs,
    LabelledTexts,
    ParallelTexts,
    Summaries,
    TrainAndTest,
    WordPairs,
)
from cosmith.evaluation.tasks.analogy import AnalogyTask
from cosmith.evaluation.tasks.bitext_mining import BitextMiningTask
from cosmith.evaluation.tasks.classification import ClassificationTask
from cosmith.evaluation.tasks.clustering import ClusteringTask
from cosmith.evaluation.tasks.pair_classification import PairClassificationTask
from cosmith.evaluation.tasks.reranking import RerankingTask
from cosmith.evaluation.tasks.retrieval import RetrievalTask
from cosmith.evaluation.tasks.sts import StsTask
from cosmith.evaluation.tasks.summarisation import SummarisationTask
from cosmith.evaluation.tasks.task import EvaluationTask
from cosmith.evaluation.tasks.word_similarity import WordSimilarityTask

TaskData: TypeAlias = (
    Collection
    | StsPairs
    | JudgedPairs
    | TrainAndTest
    | LabelledTexts
    | CandidateLists
    | ParallelTexts
    | Summaries
    | WordPairs
    | Analogies
)

_TASK_OF: Mapping[type, Callable[[str, Any], EvaluationTask]] = {
    Collection: RetrievalTask,
    CandidateLists: RerankingTask,
    StsPairs: StsTask,
    JudgedPairs: PairClassificationTask,
    TrainAndTest: ClassificationTask,
    LabelledTexts: ClusteringTask,
    ParallelTexts: BitextMiningTask,
    Summaries: SummarisationTask,
    WordPairs: WordSimilarityTask,
    Analogies: AnalogyTask,
}


def task_of(name: str, data: TaskData | EvaluationTask) -> EvaluationTask:
    """The task that data of this type is for, with the usual settings.

    Args:
        name: What to call it.
        data: A collection, graded or judged pairs, labelled texts (alone: to be clustered; with others to learn from:
            to be classified), candidates, translations, summaries, words or analogies. A task stays what it is.

    Raises:
        InputError: When the data cannot be scored, e.g. has one class only.
    """
    make = _TASK_OF.get(type(data))
    return make(name, data) if make is not None else cast(EvaluationTask, data)
