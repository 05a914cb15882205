"""Readers of training rows.

Each finds the columns by their names, and puts aside the rows that cannot be used, with line number and reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from shlex import quote
from typing import Any

from cosmith.data.columns import find_column, find_negatives, is_click_log, is_pair, require_column
from cosmith.data.documents.folder import holds_documents
from cosmith.data.judged_rows import JudgedFiles, judged_files, judged_rows
from cosmith.data.partial_columns import has_value, own_group, rest_of, unused_columns
from cosmith.data.record_values import (
    UnusableError,
    label_of,
    name_of,
    scores_of,
    text_of,
    texts_of,
)
from cosmith.data.records import Record, Table
from cosmith.data.records_file import RecordsFile
from cosmith.data.rows import Rejected, TrainingRow, write_rejected
from cosmith.data.tables import open_table, place_of
from cosmith.errors import ColumnError, NoQueriesError
from cosmith.phrases import counted

_KEPT = ("label", "group", "document_group")
"""What of a record stays as it is, whatever is done with the texts of its row."""


@dataclass(frozen=True)
class RowsRead:
    """What :func:`read_rows` found.

    Attributes:
        rows: The rows that can be used.
        rejected: The others.
        columns: The column of each part that was found: query, positive, label, group, document_group, scores;
            negatives joined by a comma.
        path: The file.
        notes: Which columns are not used, though their names say what they are for, and why.
    """

    rows: list[TrainingRow]
    rejected: list[Rejected]
    columns: Mapping[str, str]
    path: Path
    notes: tuple[str, ...] = ()


def _nothing() -> Iterator[Mapping[str, Any]]:
    return repeat({})


@dataclass(frozen=True)
class RowsFile(RecordsFile[TrainingRow]):
    """Training rows of a file, read one after another; its columns are as :class:`RowsRead` has them.

    Attributes:
        notes: As :class:`RowsRead` has them.
    """

    notes: tuple[str, ...] = ()
    _rest: Callable[[], Iterator[Mapping[str, Any]]] = _nothing

    def rest(self) -> Iterator[Mapping[str, Any]]:
        """What stands beside query, texts and scores in the record of each row that can be used, in their order.

        The file is read anew. Judgements of a folder have nothing beside; then it does not end.
        """
        return self._rest()


def read_rows(
    path: str | Path,
    *,
    query: str = "auto",
    positive: str | None = "auto",
    negative: str | Sequence[str] | None = "auto",
    label: str | None = "auto",
    group: str | None = "auto",
    document_group: str | None = "auto",
    scores: str | None = "auto",
    rejected: str | Path | None = None,
) -> RowsRead:
    """Read training rows from a file, a folder or the hub, as :func:`open_rows` finds them, all into memory.

    Columns are found by their names (``"auto"``): query, anchor, question, sentence1, sentence_A or text1; positive,
    pos, document, passage, answer, sentence2, sentence_B or text2; negative, neg, negatives, negative_1, negative_2,
    …; label; group; document_group; scores or score, or pos_scores with neg_scores. Positives and negatives are a text
    or a list of texts; an empty cell is no negative. Beside two texts of which neither answers the other (sentence1
    and sentence2) a label is their similarity, unless there is a score.

    A row without a group or a document_group is a group of its own. A column of labels or scores that was found by its
    name is not used where fewer than half of the first 1,000 rows have a value; else rows that lack it are rejected.

    Args:
        path: As :func:`open_rows` takes it.
        query: The column of the query.
        positive: The column of positives; None for rows that have a label instead.
        negative: The column of negatives, or several; None for none.
        label: The column of a whole number; None for none. As with group, document_group and scores, a row that lacks
            what stands in a column that is named is rejected.
        group: The column of what a split must keep together; None for none.
        document_group: The column of the document that the positives are parts of; None for none.
        scores: The column of a score for each positive, then each negative; None for none.
        rejected: Where to write the rows that cannot be used, as JSON lines.

    Raises:
        InputError: When the file is missing, empty, not UTF-8 or not of its format, when a column is not there or
            could be several, or when no row can be used.
    """
    file = open_rows(
        path,
        query=query,
        positive=positive,
        negative=negative,
        label=label,
        group=group,
        document_group=document_group,
        scores=scores,
    )
    try:
        rows = list(file)
    finally:
        if rejected is not None:
            write_rejected(rejected, file.rejected)
    return RowsRead(rows, file.rejected, file.columns, file.path, file.notes)


def open_rows(
    path: str | Path,
    *,
    query: str = "auto",
    positive: str | None = "auto",
    negative: str | Sequence[str] | None = "auto",
    label: str | None = "auto",
    group: str | None = "auto",
    document_group: str | None = "auto",
    scores: str | None = "auto",
) -> RowsFile:
    """Training rows that may be larger than memory, read as they are asked for.

    Example::

        source = Source.write("data/pairs", "pairs", open_rows("pairs.jsonl"))

    Args:
        path: What :func:`cosmith.data.open_table` opens: a file (JSONL, CSV, TSV, Parquet, Arrow; the text formats may
            be gzipped), a folder of such files or of `datasets`, a data set of the hub. Or a folder in the layout of
            BEIR or MS MARCO, whose judgements are the rows: those called train, unless ``PATH:SPLIT`` says others.
        query, positive, negative, label, group, document_group, scores: As :func:`read_rows` has them.

    Raises:
        InputError: As :func:`read_rows`; that no row can be used shows when they are gone through.
        NoQueriesError: When there are texts or documents instead.
    """
    place = place_of(path)
    if place.path.is_dir() and (files := judged_files(place.path, place.split)) is not None:
        return open_judged_rows(files)
    if holds_documents(place.path):
        problem = "holds documents, and what is needed are pairs of a query and its answer"
        raise NoQueriesError(problem, path=place.path, field="query")
    table = open_table(path)
    if query == positive == "auto" and is_click_log(table.columns):
        raise _click_log(table)
    found = {
        "query": _query_column(table, query),
        "label": find_column(table.columns, label, "label", table.path),
        "group": find_column(table.columns, group, "group", table.path),
        "document_group": find_column(table.columns, document_group, "document_group", table.path),
        "scores": find_column(table.columns, scores, "scores", table.path),
    }
    if positive is not None:
        found["positive"] = require_column(table.columns, positive, "positive", table.path)
    graded = is_pair(found["query"], found.get("positive"))
    if graded and found["scores"] is None and label == scores == "auto":
        # Beside two texts of which neither answers the other, sentence-transformers has their similarity as `label`.
        found["scores"], found["label"] = found["label"], None
    if found["scores"] is None and scores == "auto":
        found |= {
            part: find_column(table.columns, "auto", part, table.path)
            for part in ("positive_scores", "negative_scores")
        }
    negatives = find_negatives(table.columns, negative, table.path)
    columns = {part: column for part, column in found.items() if column is not None}
    by_name = {"label": label == "auto" and positive is not None, "scores": scores == "auto" and not graded}
    columns, notes = _used(table, columns, negatives, by_name)
    free = [part for part, choice in (("group", group), ("document_group", document_group)) if choice == "auto"]

    def row_of(record: Record) -> TrainingRow:
        return _row_of(_grouped(record, columns, free, table.path), columns, negatives)

    told = columns | ({"negative": ", ".join(negatives)} if negatives else {})
    rest = partial(_rest, table, row_of, [*negatives, *(columns[part] for part in columns if part not in _KEPT)])
    return replace(RowsFile.of(table, row_of, told), notes=notes, _rest=rest)


def _used(
    table: Table, columns: Mapping[str, str], negatives: Sequence[str], by_name: Mapping[str, bool]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The columns without those of labels and scores that hardly any row has a value in, and what is said of these."""
    texts = {part: column for part, column in columns.items() if part in ("query", "positive")}
    first = next((part for part in ("scores", "positive_scores") if part in columns), None)

    def scored(values: Mapping[str, Any]) -> bool:
        there = has_value(values.get(columns[str(first)]))
        if first == "scores" or "negative_scores" not in columns:
            return there
        bare = not any(has_value(values.get(name)) for name in negatives)
        return there and (bare or has_value(values.get(columns["negative_scores"])))

    parts: dict[str, Callable[[Mapping[str, Any]], bool]] = {}
    if by_name["label"] and "label" in columns:
        parts["label"] = lambda values: has_value(values.get(columns["label"]))
    if by_name["scores"] and first is not None:
        parts[first] = scored
    unused = unused_columns(_usable(table, texts, negatives), parts, columns)
    left = set(unused) | ({"negative_scores"} if "positive_scores" in unused else set())
    return {part: column for part, column in columns.items() if part not in left}, tuple(unused.values())


def _usable(table: Table, texts: Mapping[str, str], negatives: Sequence[str]) -> Iterator[Record]:
    """The records whose texts can be used."""
    for record in table.records():
        if not record.problem:
            with suppress(UnusableError):
                _row_of(record.values, texts, negatives)
                yield record


def _rest(table: Table, row_of: Callable[[Record], TrainingRow], played: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    def rest(record: Record) -> Mapping[str, Any]:
        row_of(record)  # what cannot be used is left out
        return rest_of(record.values, played)

    return iter(RecordsFile.of(table, rest, {}))


def _grouped(record: Record, columns: Mapping[str, str], free: Sequence[str], path: Path) -> Mapping[str, Any]:
    """The values of a record, with a group of its own where it has none."""
    lacking = [columns[part] for part in free if part in columns and not has_value(record.values.get(columns[part]))]
    return {**record.values, **dict.fromkeys(lacking, own_group(record, path))} if lacking else record.values


def _click_log(table: Table) -> ColumnError:
    """What was chosen after a query need not answer it, though a column ``document`` may look as if it did."""
    made = f"cosmith data pairs --clicks {quote(str(table.path))} --output pairs.jsonl"
    return ColumnError(
        "is a click log, and what is needed are pairs of a query and its answer", path=table.path, field="positive",
        advice=f"Make pairs of it first: {made}. Or say which column holds answers:",
        column=find_column(table.columns, "auto", "positive", table.path) or "COLUMN",
    )  # fmt: skip


def _query_column(table: Table, choice: str) -> str:
    try:
        return require_column(table.columns, choice, "query", table.path)
    except ColumnError:
        # No pair has its query or its answer in a column of this name.
        if choice != "auto" or "text" not in table.columns:
            raise
    there = "the column 'text'" if table.named else "lines of text"
    problem = f"has {there} and no queries, and what is needed are pairs of a query and its answer"
    raise NoQueriesError(problem, path=table.path, field="query")


def open_judged_rows(files: JudgedFiles) -> RowsFile:
    """Training rows of documents, queries and judgements or triples of ids, read as they are asked for.

    Args:
        files: The three files; :func:`open_rows` finds them in a folder.
    """
    return RowsFile(files.judgements, files.columns, files.format, partial(judged_rows, files))


def _row_of(values: Mapping[str, Any], columns: Mapping[str, str], negative_columns: Sequence[str]) -> TrainingRow:
    query = text_of(values.get(columns["query"]), "the query")
    positives = texts_of(values.get(columns["positive"]), "positive") if "positive" in columns else ()
    if not positives and ("positive" in columns or "label" not in columns):
        raise UnusableError("has no positive")
    negatives = tuple(text for column in negative_columns for text in texts_of(values.get(column), "negative"))
    scores = None
    of_both = "positive_scores" in columns and ("negative_scores" in columns or not negative_columns)
    if "scores" in columns or of_both:
        scores = (
            _scores_of_both(values, columns, bool(negatives)) if of_both else scores_of(values.get(columns["scores"]))
        )
        if len(scores) != len(positives) + len(negatives):
            texts = counted(len(positives) + len(negatives), "text")
            raise UnusableError(f"has {counted(len(scores), 'score')} for {texts}")
    return TrainingRow(
        query,
        positives,
        negatives,
        scores=scores,
        label=label_of(values.get(columns["label"])) if "label" in columns else None,
        group=name_of(values.get(columns["group"]), "the group") if "group" in columns else None,
        document_group=(
            name_of(values.get(columns["document_group"]), "the document group")
            if "document_group" in columns
            else None
        ),
    )


def _scores_of_both(values: Mapping[str, Any], columns: Mapping[str, str], negatives: bool) -> tuple[float, ...]:
    """The scores of positives and negatives, which FlagEmbedding has in a column each."""
    scores = scores_of(values.get(columns["positive_scores"]))
    return scores + (scores_of(values.get(columns["negative_scores"])) if negatives else ())
