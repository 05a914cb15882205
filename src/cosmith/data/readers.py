"""Readers of training rows, texts and graded pairs from files.

Each finds the columns by their names, and puts aside the rows that cannot be used, with line number and reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cosmith.data.columns import find_column, find_negatives, require_column
from cosmith.data.record_values import (
    UnusableError,
    each_usable,
    label_of,
    name_of,
    score_of,
    scores_of,
    text_of,
    texts_of,
    usable,
)
from cosmith.data.rows import Rejected, TrainingRow, write_rejected
from cosmith.data.tabular import Record, file_format, open_table
from cosmith.data.texts import document_text
from cosmith.errors import InputError
from cosmith.phrases import counted


@dataclass(frozen=True)
class RowsRead:
    """What :func:`read_rows` found.

    Attributes:
        rows: The rows that can be used.
        rejected: The others.
        columns: The column of each part that was found: query, positive, label, group, document_group, scores;
            negatives joined by a comma.
        path: The file.
    """

    rows: list[TrainingRow]
    rejected: list[Rejected]
    columns: Mapping[str, str]
    path: Path


@dataclass(frozen=True)
class RowsFile:
    """Training rows of a file, read one after another, anew each time that they are gone through.

    Attributes:
        path: The file.
        columns: As :class:`RowsRead` has them.
        rejected: The rows that could not be used when they were last gone through.
    """

    path: Path
    columns: Mapping[str, str]
    rejected: list[Rejected]
    _read: Callable[[list[Rejected]], Iterator[TrainingRow]]

    def __iter__(self) -> Iterator[TrainingRow]:
        self.rejected.clear()
        return self._read(self.rejected)


@dataclass(frozen=True)
class TextsRead:
    """What :func:`read_texts` found.

    Attributes:
        ids: The id of each text, all different.
        texts: The texts, as many as ids, those with a title beginning with it.
        titles: The title of each text, empty where it has none.
        rejected: The records that cannot be used.
        columns: The column of each part that was found: text, title, id; none in a plain text file.
        path: The file.
    """

    ids: list[str]
    texts: list[str]
    titles: list[str]
    rejected: list[Rejected]
    columns: Mapping[str, str]
    path: Path

    @property
    def bodies(self) -> list[str]:
        """The texts without their titles; what is nothing but a title has an empty one."""
        return [text[len(title) + 1 :] if title else text for title, text in zip(self.titles, self.texts, strict=True)]


@dataclass(frozen=True)
class ClassesRead:
    """What :func:`read_classes` found.

    Attributes:
        texts: The texts.
        labels: What the class of each is called.
        rejected: The records that cannot be used.
        columns: The column of each part: text, label.
        path: The file.
    """

    texts: list[str]
    labels: list[str]
    rejected: list[Rejected]
    columns: Mapping[str, str]
    path: Path


@dataclass(frozen=True, eq=False)
class StsPairs:
    """Pairs of texts with a graded similarity.

    Attributes:
        first: The first text of each pair [n].
        second: The second [n].
        scores: float64 [n], how similar they are; any scale, higher is more.
        rejected: The records that cannot be used.
        instruction: Put before both texts by models that take instructions.
    """

    first: list[str]
    second: list[str]
    scores: npt.NDArray[np.float64]
    rejected: tuple[Rejected, ...] = ()
    instruction: str = ""

    def __post_init__(self) -> None:
        if not len(self.first) == len(self.second) == len(self.scores):
            raise ValueError(f"{len(self.first)} and {len(self.second)} texts with {len(self.scores)} scores")

    def __len__(self) -> int:
        return len(self.first)


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
    """Read training rows from a JSONL, CSV, TSV or Parquet file (by its suffix; all but Parquet may be gzipped).

    Columns are found by their names (``"auto"``): query, anchor, question, sentence1 or text1; positive, pos,
    document, passage, answer, sentence2 or text2; negative, neg, negatives, negative_1, negative_2, …; label; group;
    document_group; scores or score. Positives and negatives are a text or a list of texts; an empty cell is no
    negative.

    Args:
        path: The file.
        query: The column of the query.
        positive: The column of positives; None for rows that have a label instead.
        negative: The column of negatives, or several; None for none.
        label: The column of a whole number; None for none. As with group and scores, a row that lacks it is rejected
            where there is such a column.
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
    return RowsRead(rows, file.rejected, file.columns, file.path)


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
    """Training rows of a file that may be larger than memory, read as they are asked for.

    Example::

        source = Source.write("data/pairs", "pairs", open_rows("pairs.jsonl"))

    Args:
        path: The file.
        query, positive, negative, label, group, document_group, scores: As :func:`read_rows` has them.

    Raises:
        InputError: As :func:`read_rows`; that no row can be used shows when they are gone through.
    """
    table = open_table(path)
    found = {
        "query": require_column(table.columns, query, "query", table.path),
        "label": find_column(table.columns, label, "label", table.path),
        "group": find_column(table.columns, group, "group", table.path),
        "document_group": find_column(table.columns, document_group, "document_group", table.path),
        "scores": find_column(table.columns, scores, "scores", table.path),
    }
    if positive is not None:
        found["positive"] = require_column(table.columns, positive, "positive", table.path)
    negatives = find_negatives(table.columns, negative, table.path)
    columns = {part: column for part, column in found.items() if column is not None}

    def row_of(record: Record) -> TrainingRow:
        return _row_of(record.values, columns, negatives)

    told = columns | ({"negative": ", ".join(negatives)} if negatives else {})
    return RowsFile(table.path, told, [], partial(each_usable, table, row_of))


def read_texts(
    path: str | Path,
    *,
    column: str = "auto",
    part: Literal["text", "document"] = "text",
    rejected: str | Path | None = None,
) -> TextsRead:
    """Read texts from a JSONL, CSV, TSV, Parquet or plain text file (.txt: a text a line; blank lines are passed over).

    Args:
        path: The file.
        column: The column of the text. ``"auto"``: text, or whichever one there is of document, passage, content,
            sentence, positive, pos, answer, query, question and anchor, or the only column; and where a BEIR corpus
            has ``title`` beside ``text``, the two as :meth:`cosmith.data.Collection.read_beir` joins them.
        part: What is wanted of a file of pairs: ``"document"``, the texts that are searched for, so that an answer
            goes before a query; ``"text"``, of which the two are equally one, so that ``column`` must say which.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Returns:
        The texts with their ids: the column ``_id`` or ``id``, or the line number where there is none.

    Raises:
        InputError: As :func:`read_rows`; and when an id stands twice.
    """
    table = open_table(path)
    choice = table.columns[0] if column == "auto" and len(table.columns) == 1 else column
    wanted = find_column(table.columns, choice, part, table.path, argument="column")
    text_column = wanted or require_column(table.columns, choice, "text", table.path, argument="column")
    others = [name for name in table.columns if name != text_column]
    id_column = find_column(others, "auto", "id", table.path, remedy="Call the right one '_id'.")
    title_column = "title" if column == "auto" and text_column == "text" and "title" in table.columns else None
    line_of: dict[str, int] = {}

    def named_text(record: Record) -> tuple[str, str, str]:
        value, title = record.values.get(text_column), ""
        if title_column is not None:
            value = document_text(record.values.get(title_column), value)
            title = str(record.values.get(title_column) or "").strip()
        text = text_of(value, f"the {text_column}")
        given = str(record.line) if id_column is None else name_of(record.values.get(id_column), "the id")
        if given in line_of:
            raise InputError(
                f"the id {given!r} stands on line {line_of[given]} already",
                path=table.path,
                line=record.line,
                field=id_column,
                remedy="Give each text an id of its own.",
            )
        line_of[given] = record.line
        return given, text, title

    read, bad = usable(table, named_text, rejected)
    found = {} if file_format(table.path) == ".txt" else {"text": text_column, "title": title_column, "id": id_column}
    columns = {each: name for each, name in found.items() if name is not None}
    ids, texts, titles = ([each[part] for each in read] for part in range(3))
    return TextsRead(ids, texts, titles, bad, columns, table.path)


def read_classes(
    path: str | Path, *, text: str = "auto", label: str = "auto", rejected: str | Path | None = None
) -> ClassesRead:
    """Read texts and the names of their classes.

    Args:
        path: A JSONL, CSV, TSV or Parquet file.
        text: The column of the text; ``"auto"`` knows the usual names, as :func:`read_texts`.
        label: The column of the class, a text or a whole number; ``"auto"``: label, class, category, intent, cluster.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`read_rows`.
    """
    table = open_table(path)
    label_column = require_column(table.columns, label, "class", table.path, argument="label")
    others = [name for name in table.columns if name != label_column]
    text_column = require_column(others, text, "text", table.path)

    def pair_of(record: Record) -> tuple[str, str]:
        return (
            text_of(record.values.get(text_column), f"the {text_column}"),
            name_of(record.values.get(label_column), f"the {label_column}"),
        )

    pairs, bad = usable(table, pair_of, rejected)
    columns = {"text": text_column, "label": label_column}
    return ClassesRead([pair[0] for pair in pairs], [pair[1] for pair in pairs], bad, columns, table.path)


def read_sts(path: str | Path, *, rejected: str | Path | None = None) -> StsPairs:
    """Read graded pairs from the columns sentence1 (or text1), sentence2 (or text2) and score.

    Args:
        path: A JSONL, CSV, TSV or Parquet file.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`read_rows`.
    """
    table = open_table(path)
    remedy = "Call the columns sentence1, sentence2 and score."
    first, second, score = (
        require_column(table.columns, "auto", part, table.path, remedy=remedy) for part in ("first", "second", "score")
    )

    def pair_of(record: Record) -> tuple[str, str, float]:
        values = record.values
        return (
            text_of(values.get(first), first),
            text_of(values.get(second), second),
            score_of(values.get(score), f"the {score}"),
        )

    pairs, bad = usable(table, pair_of, rejected)
    return StsPairs(
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
        np.array([pair[2] for pair in pairs], dtype=np.float64),
        tuple(bad),
    )


def _row_of(values: Mapping[str, Any], columns: Mapping[str, str], negative_columns: Sequence[str]) -> TrainingRow:
    query = text_of(values.get(columns["query"]), "the query")
    positives = texts_of(values.get(columns["positive"]), "positive") if "positive" in columns else ()
    if not positives and ("positive" in columns or "label" not in columns):
        raise UnusableError("has no positive")
    negatives = tuple(text for column in negative_columns for text in texts_of(values.get(column), "negative"))
    scores = None
    if "scores" in columns:
        scores = scores_of(values.get(columns["scores"]))
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
