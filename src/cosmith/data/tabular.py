"""Records of files, one after another, each with the line where it stands.

What makes a whole file unusable (missing, empty, not UTF-8) is an error; what makes one record unusable is told with
that record, so that the caller may put it aside.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from cosmith.data.column_files import arrow_columns, arrow_records, parquet_columns, parquet_records
from cosmith.data.columns import is_known
from cosmith.data.records import Record, Table, column_names, require_file
from cosmith.errors import InputError
from cosmith.progress import track

FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt")
_TRIPLE = ("query", "positive", "negative")
_PACKED = (".parquet", ".arrow")  # by themselves


def file_format(path: Path) -> str:
    """The suffix that says what a file is, ``.gz`` left out.

    Raises:
        InputError: When it is none of :data:`FORMATS`.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in FORMATS:
        remedy = f"Name it by what it holds: {', '.join(FORMATS)}; all but {' and '.join(_PACKED)} may end in .gz."
        raise InputError(f"its suffix {suffix!r} does not say how to read it", path=path, remedy=remedy)
    return suffix


def open_file(path: Path) -> Table:
    """Open a file of records by its suffix.

    Raises:
        InputError: When it is missing, empty, not UTF-8 or not of the format that its suffix says.
    """
    require_file(path)
    suffix = file_format(path)
    if suffix in (".jsonl", ".json"):
        return Table(path, _json_keys(path), lambda: json_records(path), "JSON lines")
    if suffix == ".csv":
        return Table(path, column_names(path, _csv_header(path), 1), lambda: _csv_records(path), "CSV")
    if suffix == ".tsv":
        return _open_tsv(path)
    if suffix == ".txt":
        return Table(path, ("text",), lambda: _plain_records(path), "plain text", named=False)
    if suffix == ".arrow":
        return Table(path, arrow_columns(path), lambda: arrow_records(path), "Arrow")
    return Table(path, parquet_columns(path), lambda: parquet_records(path), "Parquet")


def numbered_lines(path: Path, what: str = "") -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file (gzip if it ends in .gz) with their ends, counted from 1, without byte order mark.

    Args:
        path: The file.
        what: What the progress is called; ``Reading NAME`` when left out.

    Raises:
        InputError: When it is missing, empty, not UTF-8, or not a whole gzip file.
    """
    require_file(path)
    packed = path.suffix.lower() == ".gz"
    size, seen = path.stat().st_size // 1000, 0
    with path.open("rb") as file, track(what or f"Reading {path.name}", size, "kB") as bar:
        lines = gzip.GzipFile(fileobj=file) if packed else file
        number = 0
        try:
            for number, line in enumerate(lines, 1):
                yield number, _decoded(line, number, path)
                if number % 256 == 0:
                    here = file.tell() // 1000  # of a gzip file: of what is packed
                    bar.advance(here - seen)
                    seen = here
            bar.advance(size - seen)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(
                f"is not a whole gzip file ({error})", path=path, line=number + 1, remedy="Pack or copy it again."
            ) from error
        if not number:
            raise InputError("is empty", path=path, remedy="Give a file that holds something.")


def _decoded(line: bytes, number: int, path: Path) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1} of the line",
            path=path,
            line=number,
            remedy=f"Save it as UTF-8, for example: iconv -f latin1 -t utf-8 {path.name}",
        ) from error


def json_records(path: Path, what: str = "") -> Iterator[Record]:
    """The records of a file with one JSON object a line; blank lines are passed over.

    Args:
        path: The file.
        what: What the progress is called.

    Raises:
        InputError: When the file cannot be read, see :func:`numbered_lines`, or is one JSON array.
    """
    first = True
    for number, line in numbered_lines(path, what):
        text = line.strip()
        if not text:
            continue
        if first and text.startswith("[") and parsed_json(number, text).problem:
            raise InputError(
                "is a JSON array; one object a line is needed",
                path=path,
                line=number,
                remedy=f"Convert it, for example: jq -c '.[]' {quote(path.name)} > {quote(path.stem + '.lines.jsonl')}",
            )
        first = False
        yield parsed_json(number, text)
    if first:
        raise InputError("holds blank lines only", path=path, remedy="Give a file that holds something.")


def _json_keys(path: Path) -> tuple[str, ...]:
    """All keys of a JSONL file, in the order of their first occurrence."""
    keys: dict[str, None] = {}
    first_problem: Record | None = None
    for record in json_records(path, f"Finding the columns of {path.name}"):
        keys.update(dict.fromkeys(record.values))
        first_problem = first_problem or (record if record.problem else None)
    if not keys and first_problem is not None:
        remedy = 'Give a file with a JSON object a line, e.g. {"query": "…", "positive": "…"}.'
        raise InputError(first_problem.problem, path=path, line=first_problem.line, remedy=remedy)
    return tuple(keys)


def parsed_json(number: int, text: str) -> Record:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        return Record(number, {}, text, f"is not JSON: {error.msg} at character {error.pos + 1}")
    except ValueError as error:  # e.g. an integer of more digits than Python takes
        return Record(number, {}, text, f"is not JSON that can be read: {error}")
    except RecursionError:
        return Record(number, {}, text, "is nested too deeply")
    if isinstance(values, list) and len(values) >= 2 and all(isinstance(each, str) for each in values):
        # ["anchor", "positive", "negative"], as the sets that sentence-transformers were trained on have it.
        names = ["query", "positive", *(f"negative_{place}" for place in range(1, len(values) - 1))]
        return Record(number, dict(zip(names, values, strict=True)), text)
    if not isinstance(values, dict):
        return Record(number, {}, text, f"is not a JSON object but of type {type(values).__name__}")
    return Record(number, values, text)


class _Lines:
    """The lines of a file for csv.reader, with what it took since the last record."""

    def __init__(self, path: Path) -> None:
        self._lines = numbered_lines(path)
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self.taken.append(line)
        return line


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str], str, str]]:
    """Rows of a CSV file: the line where each begins, its fields, its text, why it cannot be read."""
    lines = _Lines(path)
    # The default limit of 131,072 characters a field is for guarding against files that are not CSV. It can only be
    # set for the whole process; a text of a megabyte is nothing unusual here.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    reader = csv.reader(lines, strict=True)
    while True:
        start = lines.number + 1
        lines.taken.clear()
        try:
            fields, problem = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise InputError(
                    "a quote is opened and never closed", path=path, line=start, remedy='Close it, or double it: "".'
                ) from error
            fields, problem = [], f"is not CSV: {error}"
        if fields or problem:
            yield start, fields, "".join(lines.taken).rstrip("\r\n"), problem


def _csv_header(path: Path) -> list[str]:
    for line, fields, _, problem in _csv_rows(path):
        if problem:
            raise InputError(f"its header {problem}", path=path, line=line, remedy="Mend the header.")
        return fields
    raise InputError("holds blank lines only", path=path, remedy="Give a file that holds something.")


def _csv_records(path: Path) -> Iterator[Record]:
    rows = _csv_rows(path)
    _, names, _, _ = next(rows)
    for line, fields, raw, problem in rows:
        yield _delimited_record(line, names, fields, raw, problem)


def _tsv_rows(path: Path) -> Iterator[tuple[int, list[str], str]]:
    # Tab-separated values have no quoting: a quote at the begin of a field is part of the text.
    for number, line in numbered_lines(path):
        raw = line.rstrip("\r\n")
        if raw:
            yield number, raw.split("\t"), raw


def _open_tsv(path: Path) -> Table:
    first = next((fields for _, fields, _ in _tsv_rows(path)), None)
    if first is None:
        raise InputError("holds blank lines only", path=path, remedy="Give a file that holds something.")
    if len(first) == len(_TRIPLE) and "triples" in path.name.lower() and not any(map(is_known, first)):
        # MS MARCO's triples of texts have no header.
        return Table(path, _TRIPLE, lambda: _tsv_records(path, list(_TRIPLE)), "triples of texts as MS MARCO has them")
    return Table(path, column_names(path, first, 1), lambda: _tsv_records(path), "TSV")


def _tsv_records(path: Path, names: list[str] | None = None) -> Iterator[Record]:
    rows = _tsv_rows(path)
    if names is None:
        _, names, _ = next(rows)
    for line, fields, raw in rows:
        yield _delimited_record(line, names, fields, raw, "")


def _delimited_record(line: int, names: list[str], fields: list[str], raw: str, problem: str) -> Record:
    if not problem and len(fields) != len(names):
        problem = f"has {len(fields)} fields, but the header has {len(names)}"
    return Record(line, {} if problem else dict(zip(names, fields, strict=True)), raw, problem)


def _plain_records(path: Path) -> Iterator[Record]:
    for number, line in numbered_lines(path):
        text = line.rstrip("\r\n")
        if text.strip():
            yield Record(number, {"text": text}, text)
