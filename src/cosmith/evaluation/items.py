"""The items of a task as people read them: what stands for each in lists of those won and lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cosmith.evaluation.tasks.subsets import SubsetsTask

if TYPE_CHECKING:
    from cosmith.evaluation.tasks.task import EvaluationTask


def item_texts(task: EvaluationTask) -> dict[str, str]:
    """Item, named as in the scores' ``query_ids`` → its text; of a pair both, of an analogy the whole of it.

    Summaries of one text are known by the first of those that people wrote.
    """
    if isinstance(task, SubsetsTask):
        return {f"{part.name}/{name}": text for part in task.parts for name, text in item_texts(part).items()}
    data: Any = getattr(task, "data", None)
    if task.kind == "retrieval":
        return dict(data.queries)
    return {str(number): text for number, text in enumerate(_texts(task.kind, data))}


def _texts(kind: str, data: Any) -> Sequence[str]:
    """The texts of the items in the order of the data, by whose numbers scores name them."""
    if kind in ("sts", "pair-classification", "bitext-mining", "word-similarity"):
        return [f"{first} ↔ {second}" for first, second in zip(data.first, data.second, strict=True)]
    if kind == "analogy":
        return [f"{a} : {b} = {c} : {answer}" for a, b, c, answer in data.questions]
    if kind == "summarisation":
        return [summaries[0] for summaries in data.human]
    if kind == "reranking":
        return list(data.queries)
    return list(data.test.texts if kind == "classification" else data.texts)
