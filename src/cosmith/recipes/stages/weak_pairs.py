"""The stage that makes training rows of documents without labels."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.atomic import write_json_lines
from cosmith.data import (
    PairLimits,
    Source,
    SourceSettings,
    WeakPairs,
    read_clicks,
    reasons,
    weak_pairs,
    write_rejected,
)
from cosmith.data.numbering import TextNumbering
from cosmith.data.weak_supervision import form_named, open_threads
from cosmith.errors import InputError
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.pair_splits import split_source
from cosmith.recipes.row_schemas import WeakPairsStage
from cosmith.recipes.stages.data import keep_split, whole_rows
from cosmith.recipes.text_names import name_among

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
            folder=context.folder,
        )
        with whole_rows(context) as place:
            whole = Source.write(place, "whole", found.rows, SourceSettings(instruction=stage.instruction))
            split = split_source(whole, dev=stage.dev, test=stage.test, seed=context.seed)
            splits = keep_split(whole, split, context.folder, near=stage.near)
    except InputError as error:
        raise context.of_stage(error) from error
    rejected = [*(threads.rejected if threads else ()), *(clicks.rejected if clicks else ())]
    rejected_file = context.folder / "rejected.jsonl"
    write_rejected(rejected_file, rejected)
    if stage.texts:
        _keep_readable(stage, context, _HeldOut(found, split.train))
    return {
        "documents": found.documents,
        "pairs": len(found),
        **({"from_titles": found.counts["title"].kept} if "title" in found.counts else {}),
        "forms": {name: asdict(counts) for name, counts in found.counts.items()},
        "dropped": reasons(rejected),
        "rejected_file": str(rejected_file) if rejected else None,
        "splits": splits,
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
            yield replace(document, id=name_among(stage.texts, name, document.id))


class _HeldOut:
    """Where, in each document, the queries of its pairs stand that are held out; in memory are 24 bytes for each.

    Args:
        found: The pairs.
        train: Which of them are for training, bool [pairs].
    """

    def __init__(self, found: WeakPairs, train: npt.NDArray[np.bool_]) -> None:
        documents, starts, stops = array("Q"), array("q"), array("q")
        for pair, trained in zip(found.pairs, train, strict=True):
            if not trained and pair.origin == pair.document:
                documents.append(_hash(pair.document))
                starts.append(pair.start)
                stops.append(pair.stop)
        order = np.argsort(np.array(documents, dtype=np.uint64), kind="stable")
        self._documents = np.array(documents, dtype=np.uint64)[order]
        self._spans = np.stack([np.array(starts, dtype=np.int64)[order], np.array(stops, dtype=np.int64)[order]])

    def of(self, document: str) -> list[tuple[int, int]]:
        """The places in a document; from 0 to 0 for what stands elsewhere, as in its title."""
        key = np.uint64(_hash(document))
        first, last = (int(np.searchsorted(self._documents, key, side=side)) for side in ("left", "right"))
        return list(zip(*self._spans[:, first:last].tolist(), strict=True))


def _keep_readable(stage: WeakPairsStage, context: StageContext, held_out: _HeldOut) -> None:
    """Write the documents, each text once: those with pairs that are held out without their titles and queries."""
    readable = TextNumbering(context.folder)
    for document in _documents(stage, context):
        title, text = document.title, document.text
        if spans := held_out.of(document.id):
            title, text = "", _without(text, spans)
        if left := f"{title} {text}".strip():
            readable.add(left.encode())
    folder = context.folder / "texts"
    folder.mkdir(parents=True, exist_ok=True)
    texts = enumerate(readable.finish().distinct())
    write_json_lines(folder / "texts.jsonl", ({"_id": str(number), "text": text} for number, text in texts))


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """A text with some spans cut out."""
    kept, end = [], 0
    for start, stop in sorted(spans):
        kept.append(text[end : max(start, end)])
        end = max(end, stop)
    return "".join([*kept, text[end:]]).strip()


def _hash(document: str) -> int:
    return xxhash.xxh3_64_intdigest(document.encode("utf-8", "surrogatepass"))
