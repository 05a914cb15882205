"""Stages that read documents and cut them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cosmith.data import Collection, reasons, write_rejected
from cosmith.data.chunking import (
    Chunk,
    Chunking,
    TextMeasure,
    WordMeasure,
    chunk_documents,
    chunk_texts,
    write_chunks,
)
from cosmith.data.documents import Document, read_documents, with_text, write_documents
from cosmith.errors import InputError
from cosmith.phrases import one_line
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.document_schemas import BestChunkSettings, ChunksStage, DocumentsStage
from cosmith.recipes.text_names import name_among

_EXAMPLES = 5
_SHOWN = 300  # characters of an example


def documents(stage: DocumentsStage, context: StageContext) -> dict[str, Any]:
    """The documents of a folder, one JSON line each; what cannot be read is told in ``rejected.jsonl``."""
    folder = context.artefacts.folder(context.name)
    folder.mkdir(parents=True, exist_ok=True)
    rejected_file = context.folder / "rejected.jsonl"
    characters = sections = titles = 0

    def seen(read: Iterator[Document]) -> Iterator[Document]:
        nonlocal characters, sections, titles
        for document in read:
            characters += len(document.text)
            sections += len(document.sections)
            titles += bool(document.title)
            yield document

    found = None
    try:
        found = read_documents(stage.path, patterns=stage.patterns, formats=stage.formats, largest=stage.largest)
        write_documents(folder / "texts.jsonl", seen(iter(found)))
    except InputError as error:
        raise context.of_stage(error) from error
    finally:
        if found is not None:
            write_rejected(rejected_file, found.rejected)
    return {
        "documents": found.formats.total(),
        "formats": dict(found.formats.most_common()),
        "characters": characters,
        "titles": titles,
        "sections": sections,
        "passed_over": dict(found.passed_over.most_common()),
        "dropped": reasons(found.rejected),
        "rejected_file": str(rejected_file) if found.rejected else None,
    }


def chunks(stage: ChunksStage, context: StageContext) -> dict[str, Any]:
    """Texts in parts, one JSON line each; a part's id says its text and where it stands there."""
    folder = context.artefacts.folder(context.name)
    folder.mkdir(parents=True, exist_ok=True)
    measure = context.artefacts.encoder(stage.model).measure()
    lengths: list[int] = []
    whole: set[str] = set()
    examples: list[dict[str, str]] = []

    def seen(cut: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in cut:
            lengths.append(measure.count(chunk.in_context))
            whole.add(chunk.document)
            if len(examples) < _EXAMPLES:
                shown = one_line(chunk.text, _SHOWN)
                examples.append({"id": chunk.id, "headings": chunk.context, "text": shown})
            yield chunk

    try:
        chunking = Chunking(stage.how, stage.tokens, stage.overlap)
        cut = chunk_documents(_documents(stage.texts, context), chunking, measure)
        count = write_chunks(folder / "texts.jsonl", seen(cut))
    except InputError as error:
        raise context.of_stage(error) from error
    if not count:
        raise InputError("the texts hold nothing to cut", field=f"stages.{context.name}.texts",
                         remedy="Give texts that say something.")  # fmt: skip
    return {
        "texts": len(whole),
        "chunks": count,
        "tokens": {"mean": round(float(np.mean(lengths)), 1), "most": max(lengths), "limit": chunking.limit(measure)},
        "examples": examples,
    }


def chunks_for_search(
    stage: BestChunkSettings, model: str, collection: Collection, context: StageContext
) -> list[Chunk] | None:
    """A collection's documents in the parts by which a stage scores them with a model; None: it scores them whole."""
    if stage.chunk_tokens is None:
        return None
    chunking = Chunking("sentences", stage.chunk_tokens, stage.chunk_overlap)
    measure = _measure(model, collection, context)
    try:
        return list(chunk_texts(collection.documents, chunking, measure))
    except InputError as error:
        raise InputError(
            error.problem, path=error.path, field=f"stages.{context.name}.chunk_{error.field}", remedy=error.remedy
        ) from error


def _measure(model: str, collection: Collection, context: StageContext) -> TextMeasure:
    """The tokens that a model of any kind that searches by itself counts; of BM25 words."""
    artefacts, told = context.artefacts, collection.instruction
    match artefacts.kind(model):
        case "lexical":
            return WordMeasure()
        case "sparse":
            return artefacts.sparse_encoder(model).measure(instruction=told)
        case "late-interaction":
            return artefacts.late_interaction(model).measure(instruction=told)
        case _:
            return artefacts.encoder(model).measure(instruction=told)


def _documents(names: list[str], context: StageContext) -> Iterator[Document]:
    """The texts of all inputs as documents, with their sections where they have some.

    The ids of several inputs begin with the input's name, since two may have the same.
    """
    for name in names:
        for each in context.artefacts.documents(name):
            yield replace(with_text(each), id=name_among(names, name, each.id))
