"""Stages that put a model to use: an index with example searches, and the report."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.stage_schemas import IndexStage, ReportStage
from cosmith.recipes.stages.documents import chunks_for_search
from cosmith.retrieval import Hits, Index

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

_BEFORE = ".before"  # the index of the model to compare with, while it is searched


def index(stage: IndexStage, context: StageContext) -> dict[str, Any]:
    """Index a collection's documents and show what some searches find, with this model and with another."""
    artefacts = context.artefacts
    collection = artefacts.collection(stage.documents)
    folder = artefacts.folder(context.name)
    started = time.monotonic()
    path = str(artefacts.folder(stage.model).resolve()) if stage.model != "base" else artefacts.recipe.base
    encoder, built = _built(stage, stage.model, collection, context, folder, dim=stage.dim, form=stage.form, model=path)
    seconds = time.monotonic() - started
    queries = [*stage.queries, *_some_queries(collection, stage.examples, context.seed)]
    after = built.search(encoder, queries, stage.k) if queries else None
    before = _search_before(stage, queries, collection, context) if queries and stage.before else None
    relevant = {collection.queries[name]: [each for each, grade in grades.items() if grade > 0]
                for name, grades in collection.relevance.items()}  # fmt: skip
    return {
        "documents": len(built),
        "chunks": built.card.chunks,
        "dimension": built.card.dim,
        "form": built.card.form,
        "seconds": round(seconds, 3),
        "bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "folder": str(folder),
        "model": stage.model,
        "before_model": stage.before,
        "searches": [
            {
                "query": query,
                "before": _shown(before, row, collection),
                "after": _shown(after, row, collection),
                "relevant": relevant.get(query, []),
            }
            for row, query in enumerate(queries)
        ],
    }


def _some_queries(collection: Collection, count: int, seed: int) -> list[str]:
    """Queries by chance, not the flattering ones."""
    queries = list(collection.queries.values())
    chosen = np.random.default_rng(seed).permutation(len(queries))[:count]
    return [queries[number] for number in chosen]


def _search_before(stage: IndexStage, queries: list[str], collection: Collection, context: StageContext) -> Hits:
    assert stage.before is not None
    folder = None if stage.engine == "local" else context.folder / _BEFORE  # several processes need one
    encoder, built = _built(stage, stage.before, collection, context, folder)
    found = built.search(encoder, queries, stage.k)
    if folder is not None:
        shutil.rmtree(folder)
    return found


def _built(
    stage: IndexStage, name: str, collection: Collection, context: StageContext, folder: Path | None, **said: Any
) -> tuple[TextEncoder, Index]:
    """The index that a model makes of the documents, and the model."""
    artefacts, engine = context.artefacts, stage.made_by()
    # Its workers would remember shards where this process looks for whole lists.
    encoder: TextEncoder = artefacts.remembering(name) if engine.kind == "local" else artefacts.encoder(name)
    chunks = chunks_for_search(stage, name, collection, context)
    try:
        return encoder, Index.build(
            encoder, collection.documents, chunks=chunks, folder=folder, instruction=collection.instruction,
            engine=engine, **said,
        )  # fmt: skip
    except InputError as error:
        raise context.of_stage(error) from error


def _shown(hits: Hits | None, row: int, collection: Collection) -> list[dict[str, Any]]:
    if hits is None:
        return []
    found, spans = hits.of(row), hits.spans_of(row)
    texts = [collection.documents[name] for name, _ in found]
    if spans is not None:
        texts = [text[start:stop] for text, (start, stop) in zip(texts, spans, strict=True)]
    return [
        {"id": name, "score": round(score, 6), "text": text} for (name, score), text in zip(found, texts, strict=True)
    ]


def report(stage: ReportStage, context: StageContext) -> dict[str, Any]:
    """One page of everything that the stages above found."""
    from cosmith.inspection import write_report

    return {"report": str(write_report(context.run))}
