"""Records of files, one after another, each with the line where it stands.

What makes a whole file unusable (missing, empty, of another encoding) is an error; what makes one record unusable is
told with that record, so that the caller may put it aside.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from cosmith.data.column_files import arrow_columns, arrow_records, parquet_columns, parquet_records
from cosmith.data.delimited import open_csv, open_tsv
from cosmith.data.lines import lines_of
from cosmith.data.records import Record, Table, require_file
from cosmith.errors import InputError

FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt")
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
        return open_csv(path)
    if suffix == ".tsv":
        return open_tsv(path)
    if suffix == ".txt":
        return Table(path, ("text",), lambda: _plain_records(path), "plain text", named=False)
    if suffix == ".arrow":
        return Table(path, arrow_columns(path), lambda: arrow_records(path), "Arrow")
    return Table(path, parquet_columns(path), lambda: parquet_records(path), "Parquet")


def json_records(path: Path, what: str = "") -> Iterator[Record]:
    """The records of a file with one JSON object a line; blank lines are passed over.

    Args:
        path: The file.
        what: What the progress is called.

    Raises:
        InputError: When the file cannot be read, see :func:`cosmith.data.lines.lines_of`, or is one JSON array.
    """
    first = True
    for number, line, problem in lines_of(path, what):
        text = line.strip()
        if not text:
            continue
        if problem:
            first = False
            yield Record(number, {}, text, problem)
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


def _plain_records(path: Path) -> Iterator[Record]:
    for number, line, problem in lines_of(path):
        text = line.rstrip("\r\n")
        if text.strip():
            yield Record(number, {"text": text}, text, problem)
