"""What is in a set of rows or texts: how many, how long, in which languages, how often the same, what of a test set.

The set is gone through once, and may be larger than memory: eight bytes are held for each text and each row, to count
what stands twice, and eight more for each text where it is held against test sets.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.clicks import open_clicks
from cosmith.data.collection import Collection
from cosmith.data.columns import is_click_log
from cosmith.data.documents import is_document_folder, read_documents
from cosmith.data.ids import TextIds
from cosmith.data.readers import text_columns, titled_text
from cosmith.data.records import Record
from cosmith.data.records_file import RecordsFile
from cosmith.data.row_readers import open_rows
from cosmith.data.rows import Rejected, RejectedRows, TrainingRow
from cosmith.data.tables import open_table, place_of
from cosmith.data.tallies import SHOWN, Measure, Part, Tally, normal_hash
from cosmith.data.weak_supervision.forum import Thread, holds_threads, open_threads
from cosmith.errors import ColumnError

DOCUMENTS = ("positive", "negative", "text", "document", "answer")
"""The parts that are searched for."""


@dataclass(frozen=True)
class Shared:
    """Texts of a test set that stand in the data, but for case and spacing.

    Attributes:
        test: The test set.
        role: ``queries`` or ``documents``.
        texts: How many different ones the test set has.
        shared: How many of them stand among the data's texts of that role.
        examples: Some of those.
    """

    test: str
    role: str
    texts: int
    shared: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class RejectedKind:
    """Rows that cannot be used for one reason: how many, and the first of them."""

    reason: str
    count: int
    first: tuple[Rejected, ...]


@dataclass(frozen=True)
class Survey:
    """What :func:`survey` found.

    Attributes:
        path: What was looked at.
        format: What it is, in words.
        columns: The column of each part that was found.
        rows: How many rows (or texts) can be used.
        repeated_rows: How many of them are the same as an earlier one.
        unit: What lengths are counted in: ``tokens`` or ``words``.
        parts: The texts by the part that they play.
        rejected: What cannot be used, the commonest reason first.
        shared: What test sets have in common with it.
        notes: What was passed over or could not be looked at, and why.
    """

    path: str
    format: str
    columns: Mapping[str, str]
    rows: int
    repeated_rows: int
    unit: str
    parts: tuple[Part, ...]
    rejected: tuple[RejectedKind, ...]
    shared: tuple[Shared, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with the sums that the parts tell."""
        value = asdict(self)
        for told, part in zip(value["parts"], self.parts, strict=True):
            told["lengths"] = {str(length): count for length, count in sorted(part.lengths.items())}
            told |= {"total_length": part.total, "cut_length": part.cut}
        return value


def survey(
    path: str | Path,
    *,
    query: str = "auto",
    positive: str = "auto",
    negative: str | Sequence[str] | None = "auto",
    column: str = "auto",
    against: Iterable[str | Path] = (),
    measure: Measure | None = None,
    limit: int | None = None,
    sample: int = 5000,
) -> Survey:
    """Look at training rows or, where a file has no columns of queries and answers, at texts, threads or a click log.

    Args:
        path: What :func:`cosmith.data.open_rows`, :func:`cosmith.data.read_texts`, :func:`cosmith.data.read_clicks`,
            :func:`cosmith.data.weak_supervision.open_threads` or, of a folder,
            :func:`cosmith.data.documents.read_documents` takes.
        query, positive, negative: The columns of rows, as :func:`cosmith.data.open_rows` has them.
        column: The column of texts; where it is said, rows are not looked for.
        against: Test sets: BEIR folders, rows or texts.
        measure: Gives lengths in a model's tokens; None: lengths in words.
        limit: The length at which that model cuts.
        sample: How many texts of a part, chosen by chance, are looked at for languages and near duplicates.

    Raises:
        InputError: When nothing there can be used, or a text's id stands twice.
    """
    tests = list(against)
    found = _opened(path, query, positive, negative, column)
    rejected = _ByReason()
    tallies: dict[str, Tally] = {}
    rows: array[int] = array("Q")
    for file, line, texts in found.read(rejected):
        digest = xxhash.xxh3_64()
        for role, text in texts:
            if role not in tallies:
                tallies[role] = Tally(role, measure, limit, sample, bool(tests))
            digest.update(tallies[role].add(text, file, line))
        rows.append(digest.intdigest())
    notes = list(found.notes)
    for tally in tallies.values():
        tally.look_closer(notes)
    known = {
        "queries": _sorted(tally.normal for role, tally in tallies.items() if role == "query"),
        "documents": _sorted(tally.normal for role, tally in tallies.items() if role in DOCUMENTS),
    }
    return Survey(
        str(path),
        found.format,
        found.columns,
        len(rows),
        len(rows) - len(np.unique(np.array(rows, dtype=np.uint64))),
        "words" if measure is None else "tokens",
        tuple(tally.part() for tally in tallies.values()),
        rejected.kinds(),
        tuple(shared for test in tests for shared in _shared(test, known)),
        tuple(dict.fromkeys(notes)),
    )


@dataclass(frozen=True)
class _Opened:
    format: str
    columns: Mapping[str, str]
    read: Callable[[RejectedRows], Iterator[tuple[Path, int, Sequence[tuple[str, str]]]]]
    notes: list[str] = field(default_factory=list)  # there when all is read


def _opened(
    path: str | Path,
    query: str = "auto",
    positive: str = "auto",
    negative: str | Sequence[str] | None = "auto",
    column: str = "auto",
) -> _Opened:
    """Documents, a click log, rows, threads, or else texts."""
    if is_document_folder(path):
        return _opened_documents(Path(path))
    if column != "auto":
        return _opened_texts(path, column)
    try:
        file = open_rows(path, query=query, positive=positive, negative=negative)
    except ColumnError as no_rows:
        if (query, positive) != ("auto", "auto"):
            raise
        table = open_table(path)
        if is_click_log(table.columns):
            return _opened_clicks(path)
        if holds_threads(table):
            return _opened_threads(path)
        try:
            return _opened_texts(path, column)
        except ColumnError:
            raise no_rows from None
    return _Opened(
        file.format,
        file.columns,
        lambda bad: ((place, line, _texts(row)) for place, line, row in file.placed(bad)),
        list(file.notes),
    )


def _opened_documents(folder: Path) -> _Opened:
    documents = read_documents(folder)
    notes: list[str] = []

    def read(rejected: RejectedRows) -> Iterator[tuple[Path, int, Sequence[tuple[str, str]]]]:
        for document in documents:
            yield folder / document.id, 1, [("text", f"{document.title} {document.text}".strip())]
        for unreadable in documents.rejected:
            rejected.append(unreadable)
        notes.append(documents.describe())

    return _Opened("a folder of documents", {}, read, notes)


def _opened_clicks(path: str | Path) -> _Opened:
    file = open_clicks(path)
    note = (
        "of a click log pairs are made of queries after which people chose the same document:"
        f" cosmith data pairs --clicks {quote(str(path))} --output pairs.jsonl; in Python, read_clicks and clicked_rows"
        " make rows of queries and documents"
    )
    return _Opened(
        f"{file.format}, a click log",
        file.columns,
        lambda bad: (
            (place, line, [("query", click.query), ("document", click.document)])
            for place, line, click in file.placed(bad)
        ),
        [note],
    )


def _opened_threads(path: str | Path) -> _Opened:
    file = open_threads(path)
    note = (
        "of threads pairs are made of questions and their accepted or best answers:"
        f" cosmith data pairs --threads {quote(str(path))} --output pairs.jsonl"
    )

    def texts_of(thread: Thread) -> list[tuple[str, str]]:
        query = f"{thread.title.strip()} {thread.post.strip()}".strip()
        return [("query", query), *(("answer", answer.text) for answer in thread.answers)]

    return _Opened(
        f"{file.format}, threads with answers",
        file.columns,
        lambda bad: ((place, line, texts_of(thread)) for place, line, thread in file.placed(bad)),
        [note],
    )


def _opened_texts(path: str | Path, column: str) -> _Opened:
    table = open_table(path)
    found, title = text_columns(table, column, "document")

    def text_of(record: Record) -> Sequence[tuple[str, str]]:
        return [("text", titled_text(record, found, title))]

    columns = {"text": found} | ({"title": title} if title else {})
    file = RecordsFile.of(table, text_of, columns if table.named else {}, TextIds.among(table, found))
    return _Opened(file.format, file.columns, file.placed)


def _texts(row: TrainingRow) -> list[tuple[str, str]]:
    return [
        ("query", row.query),
        *(("positive", text) for text in row.positives),
        *(("negative", text) for text in row.negatives),
    ]


class _ByReason:
    """Counts what cannot be used by the reason, and keeps the first of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, list[Rejected]] = {}

    def append(self, row: Rejected) -> None:
        self._counts[row.reason] += 1
        first = self._first.setdefault(row.reason, [])
        if len(first) < SHOWN:
            first.append(row)

    def kinds(self) -> tuple[RejectedKind, ...]:
        return tuple(
            RejectedKind(reason, count, tuple(self._first[reason])) for reason, count in self._counts.most_common()
        )


def _shared(test: str | Path, known: Mapping[str, npt.NDArray[np.uint64]]) -> Iterator[Shared]:
    """What a test set has in common with the texts whose hashes are known, by role."""
    seen: dict[str, set[int]] = {"queries": set(), "documents": set()}
    found: Counter[str] = Counter()
    examples: dict[str, list[str]] = {role: [] for role in seen}
    for role, text in _test_texts(test):
        value = normal_hash(text)
        if value in seen[role]:
            continue
        seen[role].add(value)
        place = int(np.searchsorted(known[role], np.uint64(value)))
        if place < len(known[role]) and int(known[role][place]) == value:
            found[role] += 1
            if len(examples[role]) < SHOWN:
                examples[role].append(text)
    for role, values in seen.items():
        if values:
            yield Shared(str(test), role, len(values), found[role], tuple(examples[role]))


def _test_texts(test: str | Path) -> Iterator[tuple[str, str]]:
    place = place_of(test)
    if (place.path / "corpus.jsonl").is_file() and place.split in (None, "test"):
        collection = Collection.read_beir(place.path)
        yield from (("queries", text) for text in collection.queries.values())
        yield from (("documents", text) for text in collection.documents.values())
        return
    for _, _, texts in _opened(test).read([]):
        yield from (("queries" if role == "query" else "documents", text) for role, text in texts)


def _sorted(parts: Iterable[array[int]]) -> npt.NDArray[np.uint64]:
    return np.unique(
        np.concatenate([np.zeros(0, dtype=np.uint64), *(np.array(part, dtype=np.uint64) for part in parts)])
    )
