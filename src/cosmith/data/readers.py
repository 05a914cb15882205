"""Readers of texts, of texts with their classes, and of graded pairs.

Each finds the columns by their names, and puts aside the rows that cannot be used, with line number and reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from cosmith.data.columns import find_column, require_column
from cosmith.data.ids import TextIds
from cosmith.data.record_values import (
    name_of,
    score_of,
    text_of,
    usable,
)
from cosmith.data.records import Record, Table
from cosmith.data.records_file import RecordsFile
from cosmith.data.rows import Rejected, RejectedFile, write_rejected
from cosmith.data.tables import open_table
from cosmith.data.texts import document_text

NamedText = tuple[str, str, str]
"""The id of a text, the text, and its title, empty where it has none."""


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
    file = open_texts(path, column=column, part=part)
    bad: list[Rejected] = []
    try:
        read = list(file.into(bad))
    finally:
        if rejected is not None:
            write_rejected(rejected, bad)
    names, texts, titles = ([each[part] for each in read] for part in range(3))
    return TextsRead(names, texts, titles, bad, file.columns, file.path)


def open_texts(
    path: str | Path, *, column: str = "auto", part: Literal["text", "document"] = "text"
) -> RecordsFile[NamedText]:
    """The texts of a file as :func:`read_texts` reads them, one after another, anew each time that they are asked for.

    Args:
        path, column, part: As of :func:`read_texts`.

    Returns:
        Id, text and title of each; that no record can be used, or that an id stands twice, shows when all were gone
        through.

    Raises:
        InputError: As :func:`read_rows`.
    """
    table = open_table(path)
    text_column, title_column = text_columns(table, column, part)
    ids = TextIds.among(table, text_column)

    def named_text(record: Record) -> NamedText:
        title = "" if title_column is None else str(record.values.get(title_column) or "").strip()
        text = titled_text(record, text_column, title_column)
        return ids.of(record), text, title

    found = {"text": text_column, "title": title_column, "id": ids.column} if table.named else {}
    columns = {each: name for each, name in found.items() if name is not None}
    return RecordsFile.of(table, named_text, columns, ids)


@dataclass(frozen=True)
class CheckedTexts:
    """Texts of a file that has been gone through once: there are some, and each has an id of its own.

    Attributes:
        file: The texts.
        count: How many can be used.
        rejected: Those that cannot.
    """

    file: RecordsFile[NamedText]
    count: int
    rejected: RejectedFile

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Id and text of each, read again."""
        return ((name, text) for name, text, _ in self.file.into(_Unheeded()))


class _Unheeded:
    def append(self, row: Rejected) -> None:
        """They were told before."""


def check_texts(path: str | Path, *, column: str = "auto", rejected: str | Path) -> CheckedTexts:
    """Go through the texts of a file, to know before a long work on them that all of it can be done.

    Args:
        path, column: As of :func:`open_texts`.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`read_texts`.
    """
    file = open_texts(path, column=column)
    with RejectedFile(rejected) as bad:
        count = sum(1 for _ in file.into(bad))
    return CheckedTexts(file, count, bad)


def text_columns(table: Table, column: str, part: Literal["text", "document"] = "text") -> tuple[str, str | None]:
    """The columns of a table's texts and of their titles, if they have some, as :func:`read_texts` finds them.

    Raises:
        ColumnError: There is none, or several could be it.
    """
    choice = table.columns[0] if column == "auto" and len(table.columns) == 1 else column
    wanted = find_column(table.columns, choice, part, table.path, argument="column")
    found = wanted or require_column(table.columns, choice, "text", table.path, argument="column")
    return found, "title" if column == "auto" and found == "text" and "title" in table.columns else None


def titled_text(record: Record, column: str, title: str | None) -> str:
    """The text of a record, behind its title.

    Raises:
        UnusableError: It cannot be used.
    """
    value = record.values.get(column)
    return text_of(value if title is None else document_text(record.values.get(title), value), f"the {column}")


def read_classes(
    path: str | Path, *, text: str = "auto", label: str = "auto", rejected: str | Path | None = None
) -> ClassesRead:
    """Read texts and the names of their classes.

    Args:
        path: As :func:`cosmith.data.open_table` takes it.
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
        path: As :func:`cosmith.data.open_table` takes it.
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
