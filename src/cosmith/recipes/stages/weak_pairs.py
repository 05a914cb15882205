"""The stage that makes training rows of documents without labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import xxhash

from cosmith.atomic import atomic_file
from cosmith.data import (
    PairLimits,
    SourceSettings,
    TrainingRow,
    WeakPairs,
    read_clicks,
    reasons,
    weak_pairs,
    write_rejected,
)
from cosmith.data.weak_pairs import form_named, open_threads
from cosmith.errors import InputError
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.pair_splits import split_pairs
from cosmith.recipes.row_schemas import WeakPairsStage
from cosmith.recipes.stages.data import keep_split

if TYPE_CHECKING:
    from cosmith.data.documents import Document


def pairs_of_documents(stage: WeakPairsStage, context: StageContext) -> dict[str, Any]:
    """Rows of what goes together in documents, parted into training rows, a development and a test set."""
    try:
        threads = None if stage.threads is None else open_threads(stage.threads)
        clicks = None if stage.clicks is None else read_clicks(stage.clicks)
        found = weak_pairs(
            _documents(stage, context),
            [form_named(form, shortest_query=stage.shortest_query, seed=context.seed) for form in stage.forms],
            limits=PairLimits(stage.shortest_document, stage.most_shared, stage.most_per_document),
            threads=threads,
            clicks=None if clicks is None else clicks.clicks,
        )
        split = split_pairs(list(found.rows), dev=stage.dev, test=stage.test, seed=context.seed)
    except InputError as error:
        raise context.of_stage(error) from error
    rejected = [*(threads.rejected if threads else ()), *(clicks.rejected if clicks else ())]
    rejected_file = context.folder / "rejected.jsonl"
    write_rejected(rejected_file, rejected)
    if stage.texts:
        _keep_readable(stage, context, found, split.train)
    return {
        "documents": found.documents,
        "pairs": len(found),
        **({"from_titles": found.counts["title"].kept} if "title" in found.counts else {}),
        "forms": {name: asdict(counts) for name, counts in found.counts.items()},
        "dropped": reasons(rejected),
        "rejected_file": str(rejected_file) if rejected else None,
        "splits": keep_split(split, SourceSettings(instruction=stage.instruction), context.folder),
        "examples": [
            {"form": name, "query": pair.query, "document": pair.positive, "origin": pair.origin}
            for name, pairs in found.examples.items()
            for pair in pairs
        ],
    }


def _documents(stage: WeakPairsStage, context: StageContext) -> Iterator[Document]:
    """The documents of all inputs; of several inputs their ids begin with the name of theirs."""
    for name in stage.texts:
        for document in context.artefacts.documents(name):
            yield replace(document, id=f"{name}/{document.id}") if len(stage.texts) > 1 else document


def _keep_readable(stage: WeakPairsStage, context: StageContext, found: WeakPairs, train: list[TrainingRow]) -> None:
    """Write the documents, each text once: those with pairs that are held out without their titles and queries."""
    trained = {row.query for row in train}
    held_out: dict[str, list[tuple[int, int]]] = {}
    for pair in found.pairs:
        if pair.query not in trained and pair.origin == pair.document:
            held_out.setdefault(pair.document, []).append((pair.start, pair.stop))
    folder = context.folder / "texts"
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[int] = set()
    with atomic_file(folder / "texts.jsonl") as handle:
        for document in _documents(stage, context):
            title, text = document.title, document.text
            if document.id in held_out:
                title, text = "", _without(text, held_out[document.id])
            readable = f"{title} {text}".strip()
            known = xxhash.xxh3_64_intdigest(readable.encode())
            if readable and known not in seen:
                handle.write(json.dumps({"_id": str(len(seen)), "text": readable}, ensure_ascii=False) + "\n")
                seen.add(known)


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """A text with some spans cut out."""
    kept, end = [], 0
    for start, stop in sorted(spans):
        kept.append(text[end : max(start, end)])
        end = max(end, stop)
    return "".join([*kept, text[end:]]).strip()
