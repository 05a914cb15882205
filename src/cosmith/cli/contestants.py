"""What the commands that evaluate can score: models, BM25, and what other systems found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.evaluation import Scores
    from cosmith.evaluation.tasks import EvaluationTask
    from cosmith.models import TextEncoder
    from cosmith.retrieval import Hits

BM25 = "bm25"
"""What it is called where a model's name stands."""


def is_run(model: str) -> bool:
    """Whether this is the file of a run of another system."""
    return Path(model).is_file()


def score(
    model: str, called: str, encoder: TextEncoder | None, task: EvaluationTask, *, dim: int | None, seed: int
) -> tuple[Scores, Hits | None]:
    """Score a model, a run or BM25.

    Args:
        model: What was given: its name, the run's file, or :data:`BM25`.
        called: What to call it.
        encoder: The model; None for a run and BM25.
        task: On what.
        dim: Compare only this many numbers of each vector.
        seed: For the intervals.

    Returns:
        The scores, and on retrieval tasks what was found, a row for each of the scores' queries.

    Raises:
        InputError: When a run or BM25 is to be scored on another kind of task, or a run is of another test set.
    """
    from cosmith.evaluation import cut_offs_for, read_run_on, score_hits, search_collection, search_collection_bm25
    from cosmith.evaluation.tasks import RetrievalTask

    if not isinstance(task, RetrievalTask):
        if encoder is None:
            raise InputError(
                f"{called} cannot be scored on {task.name}, which is a task of the kind {task.kind}", field="--task",
                remedy="Give it retrieval tasks.",
            )  # fmt: skip
        return task.evaluate(encoder, dim=dim, seed=seed, model=called), None
    collection, ks = replace(task.data, name=task.name), task.ks
    depth = max(*ks, int(task.main.partition("@")[2]))
    if encoder is not None:
        hits = search_collection(encoder, collection, depth, dim=dim)
    elif model == BM25:
        hits = search_collection_bm25(collection, depth)
    else:
        hits = read_run_on(model, collection)
        ks = cut_offs_for(hits)
    return score_hits(hits, collection, model=called, ks=ks, main=task.main, seed=seed), hits


def write_run(output: Path, scores: Scores, hits: Hits) -> None:
    """What was found as a TREC run beside the scores, ``TASK--MODEL.run``."""
    from cosmith.evaluation import write_trec_run

    write_trec_run(output / f"{file_name(scores)}.run", hits, scores.query_ids, tag=scores.model)


def file_name(scores: Scores) -> str:
    """How the files of a model on a task are called."""
    return f"{scores.task}--{scores.model}".replace("/", "-")
