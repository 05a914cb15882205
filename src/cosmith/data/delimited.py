"""Records of CSV and TSV files.

CSV is read strictly, as RFC 4180 has it, so that a quote that went astray costs the record in which it stands and no
other: where a record cannot be read, its first line is put aside, and the lines behind it are read anew.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cosmith.data.columns import is_known
from cosmith.data.lines import Line, lines_of
from cosmith.data.records import Record, Table, column_names
from cosmith.errors import InputError

_TRIPLE = ("query", "positive", "negative")
_OTHERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What stands between columns where it is not commas: Excel writes semicolons in most of Europe."""
_SAMPLE = 100  # records by which it is told what stands between columns
_LARGEST_FIELD = 1 << 25  # characters; a text of a megabyte is nothing unusual


class _Row(NamedTuple):
    """A record of a file: the line where it begins, its fields, its text, and why it cannot be read."""

    line: int
    fields: list[str]
    raw: str
    problem: str = ""


def open_csv(path: Path) -> Table:
    """Open a CSV file; where its header has no comma, but semicolons, tabs or bars, these part its columns.

    Raises:
        InputError: When its header cannot be read, or names a column twice; or when it has semicolons, tabs or bars
            instead of commas, and the rows have others.
    """
    delimiter = _delimiter(path)
    columns = column_names(path, _csv_header(path, delimiter), 1)
    between = "" if delimiter == "," else f" with {_OTHERS[delimiter]} between its columns"
    return Table(path, columns, lambda: _csv_records(path, delimiter), f"CSV{between}")


def open_tsv(path: Path) -> Table:
    """Open a TSV file.

    Raises:
        InputError: As :func:`open_csv`.
    """
    first = next(_tsv_rows(path), None)
    if first is None:
        raise InputError("holds blank lines only", path=path, remedy="Give a file that holds something.")
    if len(first.fields) == len(_TRIPLE) and "triples" in path.name.lower() and not any(map(is_known, first.fields)):
        # MS MARCO's triples of texts have no header.
        return Table(path, _TRIPLE, lambda: _tsv_records(path, list(_TRIPLE)), "triples of texts as MS MARCO has them")
    return Table(path, column_names(path, _header(first, path), 1), lambda: _tsv_records(path), "TSV")


class _Lines:
    """The lines of a file for csv.reader, with what it took since the last record."""

    def __init__(self, path: Path) -> None:
        self._lines = lines_of(path)
        self._again: deque[Line] = deque()
        self.taken: list[Line] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        return line.text

    def give_back(self) -> None:
        """Let all that was taken since the last record come again, but for the first line."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _csv_rows(path: Path, delimiter: str) -> Iterator[_Row]:
    lines = _Lines(path)
    # The default limit of 131,072 characters a field is for guarding against files that are not CSV, and can only be
    # set for the whole process. Some limit there must be: a quote that is never closed takes in all that is behind it.
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_FIELD))
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.taken.clear()
        fields: list[str] = []
        problem = ""
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            open_still = "unexpected end of data" in str(error)
            problem = "opens a quote and never closes it" if open_still else f"is not CSV: {error}"
            lines.give_back()
        problem = next((line.problem for line in lines.taken if line.problem), problem)
        if fields or problem:
            raw = "".join(line.text for line in lines.taken).rstrip("\r\n")
            yield _Row(lines.taken[0].number, fields, raw, problem)


def _delimiter(path: Path) -> str:
    """What stands between the columns of a CSV file."""
    header = next((line.text for line in lines_of(path) if line.text.strip()), "")
    candidates = [each for each in _OTHERS if each in header.strip()]
    if "," in header or not candidates:
        return ","
    widths = {each: _widths(path, each) for each in candidates}
    fitting = [each for each, (width, rows) in widths.items() if width > 1 and rows.count(width) >= 0.9 * len(rows)]
    if fitting:
        return max(fitting, key=lambda each: widths[each][0])
    if all(width == 1 for _, rows in widths.values() for width in rows):
        return ","  # one column, whose name holds such a sign
    raise InputError(
        f"its header has {_OTHERS[candidates[0]]} and no commas, its rows have other columns",
        path=path, line=1, remedy="Put commas between all columns, and quotes around texts that hold some.",
    )  # fmt: skip


def _widths(path: Path, delimiter: str) -> tuple[int, list[int]]:
    """How many fields the header has, and how many the first rows."""
    header, *rows = islice(_csv_rows(path, delimiter), 1 + _SAMPLE)
    return len(header.fields), [len(row.fields) for row in rows]


def _csv_header(path: Path, delimiter: str) -> list[str]:
    for row in _csv_rows(path, delimiter):
        return _header(row, path)
    raise InputError("holds blank lines only", path=path, remedy="Give a file that holds something.")


def _header(row: _Row, path: Path) -> list[str]:
    if row.problem:
        raise InputError(f"its header {row.problem}", path=path, line=row.line, remedy="Mend the header.")
    return row.fields


def _csv_records(path: Path, delimiter: str) -> Iterator[Record]:
    rows = _csv_rows(path, delimiter)
    names = next(rows).fields
    for row in rows:
        yield _record(row, names)


def _tsv_rows(path: Path) -> Iterator[_Row]:
    # Tab-separated values have no quoting: a quote at the begin of a field is part of the text.
    for number, line, problem in lines_of(path):
        raw = line.rstrip("\r\n")
        if raw:
            yield _Row(number, raw.split("\t"), raw, problem)


def _tsv_records(path: Path, names: list[str] | None = None) -> Iterator[Record]:
    rows = _tsv_rows(path)
    if names is None:
        names = next(rows).fields
    for row in rows:
        yield _record(row, names)


def _record(row: _Row, names: list[str]) -> Record:
    problem = row.problem
    if not problem and len(row.fields) != len(names):
        problem = f"has {len(row.fields)} fields, but the header has {len(names)}"
    return Record(row.line, {} if problem else dict(zip(names, row.fields, strict=True)), row.raw, problem)
