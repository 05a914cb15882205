"""Stages that measure: how good a model is, and whether it is better than another."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cosmith.atomic import atomic_file, atomic_folder
from cosmith.data import Collection, Cut, reasons
from cosmith.data.hub import is_hub_name
from cosmith.data.tables import place_of
from cosmith.errors import InputError
from cosmith.evaluation import (
    Changes,
    QueryChange,
    Scores,
    Shown,
    largest_changes,
    rerank_collection,
    score_hits,
    search_collection,
    search_collection_bm25,
    search_collection_late_interaction,
    search_collection_sparse,
    texts_cut,
)
from cosmith.evaluation.analysis import analyse_errors
from cosmith.evaluation.task_files import read_task
from cosmith.evaluation.tasks import EvaluationTask, RetrievalTask
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.stage_schemas import CompareStage, EvaluateStage, TaskStage
from cosmith.recipes.stages.documents import chunks_for_search
from cosmith.retrieval import Hits

_LONGEST_EXAMPLE = 2_000
"""Characters of a document in a result."""


def bring_task(stage: TaskStage, context: StageContext) -> dict[str, Any]:
    """A test set of any kind: read, to see that it can be, and copied as it is."""
    rejected_file = context.folder / "rejected.jsonl"
    read = read_task(
        stage.path, kind=stage.task, split=stage.split, name=context.name, instruction=stage.instruction,
        rejected=rejected_file,
    )  # fmt: skip
    with atomic_folder(context.folder / "task") as folder:
        place = place_of(stage.path).path
        if place.is_dir():
            shutil.copytree(place, folder / place.name, ignore=shutil.ignore_patterns(".*"))
        elif not is_hub_name(stage.path):
            shutil.copy(place, folder / place.name)
    return {
        "task": read.task.kind,
        "because": read.because,
        "splits": {texts.what: {"texts": len(texts.texts)} for texts in read.task.texts()},
        "dropped": reasons(read.task.rejected),
        "rejected_file": str(rejected_file) if read.task.rejected else None,
    }


def evaluate(stage: EvaluateStage, context: StageContext) -> dict[str, Any]:
    """Score every model on every task; the hits are kept beside the scores."""
    folder = context.artefacts.folder(context.name)
    found: list[dict[str, Any]] = []
    cut: list[dict[str, Any]] = []
    for name in stage.tasks:
        counted: dict[tuple[str, ...], tuple[Cut, ...]] = {}  # once for all models that read the texts alike
        task = context.artefacts.task(name)
        for model in stage.models:
            if isinstance(task, RetrievalTask):
                hits = _search(model, task.data, stage, context)
                scores = score_hits(hits, task.data, model=model, seed=context.seed)
                save_hits(hits, task.data, _hits_file(folder, name, model))
            else:
                scores = _by_vectors(task, model, stage, context)
            scores.to_json(folder / f"{name}--{model}.json")
            found.append(scores.to_dict())
            if context.artefacts.kind(model) == "model":
                cut += [
                    {"task": name, "model": model, **asdict(each)}
                    for each in _cut(task, model, counted, context)
                    if stage.chunk_tokens is None or each.what != "documents"  # chunks are never cut
                ]
    return {"scores": found, "cut": cut}


def _cut(
    task: EvaluationTask, model: str, counted: dict[tuple[str, ...], tuple[Cut, ...]], context: StageContext
) -> tuple[Cut, ...]:
    encoder = context.artefacts.encoder(model)
    key = tuple(encoder.token_key(prompt=name, instruction=task.instruction) for name in ("query", "document", None))
    if key not in counted:
        counted[key] = texts_cut(encoder, task)
    return counted[key]


def _search(model: str, collection: Collection, stage: EvaluateStage, context: StageContext) -> Hits:
    if context.artefacts.kind(model) != "reranker":
        return first_hits(model, collection, context, stage)
    assert stage.first is not None  # the recipe was checked
    found = first_hits(stage.first, collection, context, stage)
    passages = stage.chunk_tokens is not None
    return rerank_collection(context.artefacts.reranker(model), collection, found, top=stage.rerank, passages=passages)


def first_hits(model: str, collection: Collection, context: StageContext, stage: EvaluateStage | None = None) -> Hits:
    """What a model of any kind that searches by itself, or BM25, finds in a collection; ``stage`` may say how."""
    chunks = None if stage is None else chunks_for_search(stage, model, collection, context)
    match context.artefacts.kind(model):
        case "lexical":
            return search_collection_bm25(collection, chunks=chunks)
        case "sparse":
            return search_collection_sparse(context.artefacts.sparse_encoder(model), collection, chunks=chunks)
        case "late-interaction":
            pool_factor = 1.0 if stage is None else stage.pool_factor
            return search_collection_late_interaction(
                context.artefacts.late_interaction(model), collection, pool_factor=pool_factor, chunks=chunks
            )
        case _:
            dim = None if stage is None else stage.dim
            return search_collection(context.artefacts.remembering(model), collection, dim=dim, chunks=chunks)


def _by_vectors(task: EvaluationTask, model: str, stage: EvaluateStage, context: StageContext) -> Scores:
    if context.artefacts.kind(model) != "model":
        raise InputError(
            f"{model} cannot be scored on the {task.kind} set {task.name!r}", field=f"stages.{context.name}",
            remedy=f"Give the {task.kind} set an evaluate stage of its own, without {model}.",
        )  # fmt: skip
    return task.evaluate(context.artefacts.remembering(model), dim=stage.dim, seed=context.seed, model=model)


def compare(stage: CompareStage, context: StageContext) -> dict[str, Any]:
    """Is the model `after` better than `before`?"""
    before = _measured(stage.scores, stage.before, context)
    after = _measured(stage.scores, stage.after, context)
    tasks = [task for task in after if task in before]
    if not tasks:
        raise InputError(
            f"no task was scored for both {stage.before!r} and {stage.after!r}", field=f"stages.{context.name}.scores",
            remedy="Name the evaluate stages that scored the two on the same tasks.",
        )  # fmt: skip
    everyone = [scores for name in stage.scores for scores in context.artefacts.scores(name) if scores.task in tasks]
    changes = _changes(tasks[0], before[tasks[0]], after[tasks[0]], stage.examples, context)
    texts = _texts(tasks[0], context)
    return {
        "before": stage.before,
        "after": stage.after,
        "tasks": [_row(before[task].scores, after[task].scores, context.seed) for task in tasks],
        "gained": [_example(change, texts) for change in changes.gained],
        "lost": [_example(change, texts) for change in changes.lost],
        "errors": _errors(tasks[0], [before[tasks[0]], after[tasks[0]]], stage.examples, context),
        "metrics": [{"task": each.task, "model": each.model, "values": dict(each.values)} for each in everyone],
    }


@dataclass(frozen=True)
class _Measured:
    """A model's scores on a task, and where its hits are."""

    scores: Scores
    hits_file: Path


def _measured(stages: list[str], model: str, context: StageContext) -> dict[str, _Measured]:
    """What was measured of a model, by task; a later stage's scores go before an earlier one's."""
    found = {}
    for name in stages:
        folder = context.artefacts.folder(name)
        for scores in context.artefacts.scores(name):
            if scores.model == model:
                found[scores.task] = _Measured(scores, _hits_file(folder, scores.task, model))
    return found


def _row(before: Scores, after: Scores, seed: int) -> dict[str, Any]:
    comparison = after.compare(before, seed=seed)
    return {
        "task": after.task,
        "metric": comparison.metric,
        "before": before.values[comparison.metric],
        "after": after.values[comparison.metric],
        "difference": comparison.difference,
        "low": comparison.interval.low,
        "high": comparison.interval.high,
        "level": comparison.interval.level,
        "p_value": comparison.p_value,
        "wins": comparison.wins,
        "losses": comparison.losses,
        "ties": comparison.ties,
        "unit": comparison.unit,
        "detectable": comparison.detectable,
        "left_out": comparison.left_out,
        "fewest": comparison.fewest,
    }


def _changes(task: str, before: _Measured, after: _Measured, count: int, context: StageContext) -> Changes:
    collection = _collection(task, context)
    if not count or collection is None:
        return Changes(after.scores.main, (), ())
    hits = [load_hits(collection, measured.hits_file) for measured in (before, after)]
    return largest_changes(before.scores, after.scores, collection, hits[0], hits[1], count)


def _errors(task: str, found: list[_Measured], examples: int, context: StageContext) -> list[dict[str, Any]]:
    """Where each of the models errs; nothing where none searches, or no examples are wanted."""
    collection = _collection(task, context)
    if not examples or collection is None:
        return []
    analyses = []
    for each in found:
        model = each.scores.model
        encoder = context.artefacts.encoder(model) if context.artefacts.kind(model) == "model" else None
        hits = load_hits(collection, each.hits_file)
        analysis = analyse_errors(
            collection, hits, each.scores, encoder=encoder, in_words=True, examples=examples, seed=context.seed
        )
        analyses.append(analysis.to_dict())
    return analyses


def _texts(task: str, context: StageContext) -> Mapping[str, str]:
    """The documents of a task, with their line breaks: they may be code."""
    collection = _collection(task, context)
    return {} if collection is None else collection.documents


def _collection(task: str, context: StageContext) -> Collection | None:
    """What is searched in a task; None where nothing is."""
    found = context.artefacts.task(task)
    return found.data if isinstance(found, RetrievalTask) else None


def _example(change: QueryChange, texts: Mapping[str, str]) -> dict[str, Any]:
    def text(shown: Shown | None) -> str:
        return texts[shown.document_id][:_LONGEST_EXAMPLE] if shown else ""

    return {
        "query": change.query,
        "document": text(change.answer),
        "before": change.before,
        "after": change.after,
        "rank_before": change.rank_before,
        "rank_after": change.rank_after,
        "top_before": text(change.top_before),
        "top_after": text(change.top_after),
    }


def _hits_file(folder: Path, task: str, model: str) -> Path:
    return folder / f"{task}--{model}.hits.npz"


def save_hits(hits: Hits, collection: Collection, path: Path) -> None:
    """Write hits as positions in the collection's documents: int32 and float32 [queries, k]."""
    position = {name: number for number, name in enumerate(collection.documents)} | {"": -1}
    positions = np.array([[position[name] for name in row] for row in hits.ids], np.int32).reshape(hits.ids.shape)
    with atomic_file(path, "wb") as handle:
        np.savez_compressed(handle, positions=positions, scores=hits.scores)


def load_hits(collection: Collection, path: Path) -> Hits:
    """Read what :func:`save_hits` wrote.

    Raises:
        InputError: It is not there or not whole.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            positions, scores = arrays["positions"], arrays["scores"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError("holds no hits", path=path, remedy="Run the recipe again.") from error
    names = Hits.names_of(list(collection.documents))
    return Hits.from_positions(names, positions.astype(np.int64), scores)
