"""Stages that make training rows and test sets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosmith.atomic import atomic_file
from cosmith.data import (
    Collection,
    RejectedFile,
    Source,
    SourceSettings,
    TrainingRow,
    open_rows,
    read_sts,
    reasons,
    split_by_group,
)
from cosmith.data.python_docs import build_python_docs
from cosmith.data.python_functions import collect_functions
from cosmith.data.split_check import crossing
from cosmith.data.time_splits import split_by_row, split_by_time, time_of, times_of
from cosmith.errors import ColumnError, InputError
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.pair_splits import Limits, Parter, SourceSplit, sampled, split_source
from cosmith.recipes.stage_schemas import CollectionStage, PythonFunctionsStage, SourceStage, StsStage
from cosmith.recipes.stage_settings import StageSettings

_EXAMPLES = 5
_WHOLE = ".rows"  # where all rows wait for being parted


def python_functions(stage: PythonFunctionsStage, context: StageContext) -> dict[str, Any]:
    """Pairs from the installed Python packages."""
    roots = None if stage.search_paths is None else [Path(path) for path in stage.search_paths]
    made = build_python_docs(
        collect_functions(roots),
        context.folder,
        train_pairs=stage.train_pairs,
        dev_queries=stage.dev_queries,
        dev_documents=stage.dev_documents,
        test_queries=stage.test_queries,
        test_documents=stage.test_documents,
        seed=context.seed,
    )
    held_out = [Collection.read_beir(context.folder / name) for name in ("dev", "test")]
    made["splits"]["train"] |= _parted(
        Source.load(context.folder / "train"), held_out, stage.near
    )  # they copy one another
    return made


def source(stage: SourceStage, context: StageContext) -> dict[str, Any]:
    """Rows, parted into training rows, a development and a test set; read, parted and written as they come."""
    settings = SourceSettings(
        task=stage.task, instruction=stage.instruction, loss=stage.loss, temperature=stage.temperature,
        in_batch_negatives=stage.in_batch_negatives,
        prompts=None if stage.prompts is None else (stage.prompts[0], stage.prompts[1]),
    )  # fmt: skip
    with whole_rows(context) as place:
        with columns_by_key(stage, context), RejectedFile(context.folder / "rejected.jsonl") as rejected:
            file = open_rows(
                stage.path, query=stage.query, positive=stage.positive, negative=stage.negative,
                label=stage.label, scores=stage.scores,
                group=stage.group if stage.time is None else stage.time, document_group=stage.document_group,
            )  # fmt: skip
            whole = Source.write(place, "whole", file.into(rejected), settings)
        try:
            split = split_source(
                whole, dev=stage.dev, test=stage.test, seed=context.seed,
                dev_limits=Limits(stage.dev_queries, stage.dev_documents),
                test_limits=Limits(stage.test_queries, stage.test_documents),
                part=_parter(stage, whole, context.seed),
            )  # fmt: skip
            splits = keep_split(whole, split, context.folder, near=stage.near)
        except InputError as error:
            raise InputError(error.problem, path=stage.path, remedy=error.remedy) from error
    return {
        "pairs": len(whole),
        "format": file.format,
        "columns": dict(file.columns),
        "notes": list(file.notes),
        "dropped": dict(rejected.reasons.most_common()),
        "rejected_file": str(rejected.path) if rejected.reasons else None,
        "splits": splits,
        "examples": examples_of(Source.load(context.folder / "train")),
    }


def _parter(stage: SourceStage, whole: Source, seed: int) -> Parter | None:
    """How rows are parted, from what their column of groups, or of times, says; None: by group."""
    if stage.split == "group":
        return None
    if stage.split == "row":
        return lambda shares: split_by_row(len(whole), shares, seed)
    times = times_of(whole.groups or ())
    begins = {} if stage.test_from is None else {"test": time_of(stage.test_from)}
    return lambda shares: split_by_time(times, shares, begins=begins)


@contextmanager
def whole_rows(context: StageContext) -> Iterator[Path]:
    """A place in the stage's folder where all rows wait on the disk while they are parted; it goes with them."""
    place = context.folder / _WHOLE
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def keep_split(whole: Source, split: SourceSplit, folder: Path, *, near: float | None) -> dict[str, dict[str, int]]:
    """Write the parts of a source into a stage's folder, without what crosses, and count them."""
    settings = whole.settings
    train = Source.write(folder / "train", "train", whole.rows_where(split.train), settings)
    splits = {"train": _parted(train, [each for each in (split.dev, split.test) if each is not None], near)}
    for name, held_out in (("dev", split.dev), ("test", split.test)):
        if held_out is not None:
            replace(held_out, instruction=settings.instruction).write_beir(folder / name)
            splits[name] = _counts(held_out)
    return splits


def _parted(train: Source, held_out: Sequence[Collection], near: float | None) -> dict[str, int]:
    """Leave out of training rows on the disk those that ask what is held out, or nearly that; count them."""
    found = crossing(train, held_out, near=near)
    counts = {"crossing": int(found.same.sum()), "nearly_crossing": int(found.nearly.sum())}
    if not any(counts.values()):
        return {"pairs": len(train)}
    assert train.folder is not None
    left = Source.write(train.folder, train.name, train.rows_where(found.kept), train.settings)
    return {"pairs": len(left), **{name: count for name, count in counts.items() if count}}


def collection(stage: CollectionStage, context: StageContext) -> dict[str, Any]:
    """A BEIR folder: its test set and, where asked for, training rows and a development set."""
    splits: dict[str, dict[str, int]] = {}
    rejected_file = context.folder / "rejected.jsonl"
    sets = {"test": Collection.read_beir(stage.path, split=stage.test_split, rejected=rejected_file)}
    rejected = sets["test"].rejected
    result: dict[str, Any] = {
        "dropped": reasons(rejected),
        "rejected_file": str(rejected_file) if rejected else None,
        "splits": splits,
        "examples": [],
    }
    if stage.dev_split is not None:
        sets["dev"] = Collection.read_beir(stage.path, split=stage.dev_split)
    if stage.train_split is not None:
        training = Collection.read_beir(stage.path, split=stage.train_split)
        if stage.dev:
            training, sets["dev"] = _part_queries(training, stage.dev, context.seed)
        rows = _rows(training)
        settings = SourceSettings(task="retrieval", instruction=_instruction(training, stage))
        train = Source.write(context.folder / "train", "train", rows, settings)
        splits["train"] = {"pairs": len(train)}
        result |= {"pairs": len(train), "examples": examples_of(train)}
    if "dev" in sets:
        sets["dev"] = sampled(sets["dev"], Limits(stage.dev_queries, stage.dev_documents), context.seed)
    for name, each in sets.items():
        replace(each, instruction=_instruction(each, stage)).write_beir(context.folder / name)
        splits[name] = _counts(each)
    return result


def sts(stage: StsStage, context: StageContext) -> dict[str, Any]:
    """Scored text pairs, checked and written as JSON lines."""
    rejected_file = context.folder / "rejected.jsonl"
    pairs = read_sts(stage.path, rejected=rejected_file)
    with atomic_file(context.folder / "sts" / "pairs.jsonl") as handle:
        for first, second, score in zip(pairs.first, pairs.second, pairs.scores.tolist(), strict=True):
            row = {"sentence1": first, "sentence2": second, "score": score}
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
    return {
        "pairs": len(pairs),
        "dropped": reasons(pairs.rejected),
        "rejected_file": str(rejected_file) if pairs.rejected else None,
    }


@contextmanager
def columns_by_key(stage: StageSettings, context: StageContext) -> Iterator[None]:
    """Tell which column is missing by the stage's key that names it.

    Raises:
        ColumnError: In place of that of a reader.
        InputError: The same, where the stage has no such key.
    """
    try:
        yield
    except ColumnError as error:
        key = str(error.field)
        if key not in type(stage).model_fields:
            remedy = f"Call the right one {key!r}, which goes before the others."
            raise InputError(error.problem, path=error.path, remedy=remedy) from error
        raise error.told_as(f"stages.{context.name}.{key}", f"--set {context.name}.{key}=") from error


def _instruction(read: Collection, stage: CollectionStage) -> str:
    return read.instruction if stage.instruction is None else stage.instruction


def _part_queries(whole: Collection, share: float, seed: int) -> tuple[Collection, Collection]:
    """Two collections over the same documents, with no query in both: the rest, and ``share`` of the queries."""
    names = list(whole.relevance)
    parts = split_by_group([whole.queries[name] for name in names], {"rest": 1 - share, "part": share}, seed)
    chosen = {part: {names[number] for number in numbers} for part, numbers in parts.items()}

    def only(part: str, name: str) -> Collection:
        queries = {key: text for key, text in whole.queries.items() if key in chosen[part]}
        relevance = {key: documents for key, documents in whole.relevance.items() if key in chosen[part]}
        return replace(whole, name=name, queries=queries, relevance=relevance, rejected=())

    return only("rest", "train"), only("part", "dev")


def _rows(training: Collection) -> list[TrainingRow]:
    """A row for each query, with all its relevant documents as positives, the most relevant first."""
    rows = []
    for query, judged in training.relevance.items():
        relevant = sorted((name for name, grade in judged.items() if grade > 0), key=lambda name: (-judged[name], name))
        rows.append(TrainingRow(training.queries[query], tuple(training.documents[name] for name in relevant)))
    return rows


def _counts(collection_: Collection) -> dict[str, int]:
    return {"queries": len(collection_.queries), "documents": len(collection_.documents)}


def examples_of(rows: Source) -> list[dict[str, str]]:
    """Some of the rows, evenly spread, to be shown."""
    chosen = map(rows.row, range(0, len(rows), max(1, len(rows) // _EXAMPLES))[:_EXAMPLES])
    return [{"query": row.query, "document": row.positives[0] if row.positives else ""} for row in chosen]
