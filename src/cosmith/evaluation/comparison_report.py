"""A comparison with all that one wants to read beside its table: queries won and lost, and where each model errs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cosmith.evaluation.analysis.answers import Unlabelled, likely_unlabelled
from cosmith.evaluation.analysis.errors import ErrorAnalysis, analyse_errors
from cosmith.evaluation.changes import QueryChange, largest_changes
from cosmith.evaluation.comparing import MACRO, ModelPair, ModelTable
from cosmith.evaluation.items import item_texts
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.tasks.reranking import RerankingTask
from cosmith.evaluation.tasks.retrieval import RetrievalTask

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.evaluation.tasks.task import EvaluationTask
    from cosmith.models import ReadingEncoder
    from cosmith.retrieval import Hits


@dataclass(frozen=True)
class TaskFound:
    """What is known of a task beside the scores.

    Attributes:
        collection: The test set, where it is one to be searched, or whose candidates are to be ordered.
        hits: Model → what it found there, a row for each of the scores' queries.
        texts: Item → its text, where the task is of another kind.
    """

    collection: Collection | None = None
    hits: Mapping[str, Hits] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, task: EvaluationTask, hits: Mapping[str, Hits]) -> TaskFound:
        """What a task tells, with what models found there, as :meth:`Contestant.score` gives it."""
        if isinstance(task, RetrievalTask):
            return cls(task.data, hits)
        if isinstance(task, RerankingTask):
            return cls(task.collection(), hits)
        return cls(texts=item_texts(task))


@dataclass(frozen=True)
class ItemChange:
    """A query, or pair, that one model answers better than another.

    Attributes:
        item_id: Its id.
        text: Its text, or its id where that is not known.
        first: What the first model scores.
        second: What the second scores.
        found: What both found, where that is known; ``before`` in it is the second model, ``after`` the first.
    """

    item_id: str
    text: str
    first: float
    second: float
    found: QueryChange | None = None


@dataclass(frozen=True)
class WonAndLost:
    """The queries on which two models differ most.

    Attributes:
        pair: The models and the task.
        won: Those that the first answers better, the largest differences first.
        lost: Those that it answers worse.
    """

    pair: ModelPair
    won: tuple[ItemChange, ...]
    lost: tuple[ItemChange, ...]


@dataclass(frozen=True)
class ComparisonReport:
    """Models compared, with examples.

    Attributes:
        table: The scores and which differences are more than chance.
        changes: For each two models and each task the queries won and lost.
        analyses: For each model and each collection where it errs.
        unlabelled: Collection → documents that are likely relevant, by the agreement of all models.
    """

    table: ModelTable
    changes: tuple[WonAndLost, ...]
    analyses: tuple[ErrorAnalysis, ...]
    unlabelled: Mapping[str, tuple[Unlabelled, ...]]

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold."""
        return self.table.to_dict() | {
            "changes": [
                {
                    "task": each.pair.task, "first": each.pair.first, "second": each.pair.second,
                    "won": [asdict(change) for change in each.won], "lost": [asdict(change) for change in each.lost],
                }
                for each in self.changes
            ],
            "analyses": [each.to_dict() for each in self.analyses],
            "unlabelled": {task: [asdict(each) for each in found] for task, found in self.unlabelled.items()},
        }  # fmt: skip


def explain_comparison(
    table: ModelTable,
    found: Mapping[str, TaskFound],
    *,
    encoders: Mapping[str, ReadingEncoder] | None = None,
    examples: int = 5,
    seed: int = 0,
) -> ComparisonReport:
    """Gather the examples of a comparison.

    Args:
        table: What was compared.
        found: Task → what is known of it.
        encoders: Model → the encoder, for those that are one: to count in its tokens and tell what it cuts.
        examples: How many of everything to show; 0: none.
        seed: For intervals.

    Raises:
        InputError: When hits do not belong to the scores.
    """
    known = {task: found.get(task, TaskFound()) for task in table.scores}
    changes = [
        _won_and_lost(pair, table.scores[pair.task], known[pair.task], examples)
        for pair in table.pairs
        if pair.task != MACRO
    ]
    several = len(table.models) > 1
    analyses, unlabelled = [], {}
    for task, of_task in known.items():
        if of_task.collection is None or not of_task.hits:
            continue
        scores = table.scores[task]
        for model, hits in of_task.hits.items():
            analysis = analyse_errors(
                of_task.collection, hits, scores[model], encoder=(encoders or {}).get(model), in_words=several,
                examples=examples, seed=seed,
            )  # fmt: skip
            analyses.append(analysis)
        queries = next(iter(scores.values())).query_ids
        unlabelled[task] = likely_unlabelled(of_task.collection, queries, of_task.hits, examples)
    return ComparisonReport(table, tuple(changes), tuple(analyses), unlabelled)


def _won_and_lost(pair: ModelPair, scores: Mapping[str, Scores], found: TaskFound, n: int) -> WonAndLost:
    first, second = scores[pair.first], scores[pair.second]
    metric = first.main
    details: dict[str, QueryChange] = {}
    texts: Mapping[str, str] = found.texts if found.collection is None else found.collection.queries
    if found.collection is not None and {pair.first, pair.second} <= set(found.hits):
        changed = largest_changes(
            second, first, found.collection, found.hits[pair.second], found.hits[pair.first], n, metric=metric
        )
        details = {change.query_id: change for change in (*changed.gained, *changed.lost)}
    pairs = first.paired(second)
    differences = pairs.first - pairs.second

    def changes(rows: Iterator[int]) -> tuple[ItemChange, ...]:
        ids = [(row, pairs.query_ids[row]) for row in rows]
        return tuple(
            ItemChange(name, texts.get(name, name), float(pairs.first[row]), float(pairs.second[row]),
                       details.get(name))
            for row, name in ids
        )  # fmt: skip

    order = np.argsort(-differences, kind="stable").tolist()
    won = changes(row for row in order[:n] if differences[row] > 0)
    lost = changes(row for row in order[::-1][:n] if differences[row] < 0)
    return WonAndLost(pair, won, lost)
