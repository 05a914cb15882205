"""Records of Parquet files and of Arrow's, in both of its formats: the file's and the stream's.

`datasets` writes its shards as streams, other programs write files; both are called ``.arrow``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from cosmith.data.records import Record, column_names
from cosmith.errors import InputError
from cosmith.progress import track

_ROWS = 1024  # that are Python objects at a time


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The columns of a Parquet file.

    Raises:
        InputError: When it is none, is not whole, or has two columns of one name; so the functions below.
    """
    with _parquet(path) as file:
        return column_names(path, list(file.schema_arrow.names))


def parquet_records(path: Path) -> Iterator[Record]:
    """The records of a Parquet file."""
    with _parquet(path) as file, track(f"Reading {path.name}", file.metadata.num_rows, "rows") as bar:
        numbers = count(1)
        for batch in file.iter_batches(batch_size=_ROWS):
            yield from _records(batch, numbers)
            bar.advance(len(batch))


def arrow_columns(path: Path) -> tuple[str, ...]:
    """The columns of an Arrow file."""
    with _arrow(path) as (schema, _):
        return column_names(path, list(schema.names))


def arrow_records(path: Path) -> Iterator[Record]:
    """The records of an Arrow file."""
    size = path.stat().st_size // 1000
    with _arrow(path) as (_, batches), track(f"Reading {path.name}", size, "kB") as bar:
        numbers, seen = count(1), 0
        for batch in batches:
            batch.validate(full=True)  # offsets that lead nowhere would be read all the same
            for start in range(0, len(batch), _ROWS):
                yield from _records(batch.slice(start, _ROWS), numbers)
            here = min(seen + batch.nbytes // 1000, size)
            bar.advance(here - seen)
            seen = here
        bar.advance(size - seen)


def _records(batch: Any, numbers: Iterator[int]) -> Iterator[Record]:
    binary = [field.name for field in batch.schema if str(field.type) in ("binary", "large_binary")]
    for values in batch.to_pylist():
        for name in binary:
            values[name] = _text_or_bytes(values[name])
        yield Record(next(numbers), values, json.dumps(values, ensure_ascii=False, default=str))


def _text_or_bytes(value: bytes | None) -> str | bytes | None:
    """Bytes that are UTF-8 as text: some programs write texts as columns of bytes."""
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return value


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    """Open a Parquet file, and explain what it refuses while it is read."""
    import pyarrow.parquet as pq

    with _explained(path, "Parquet"), pq.ParquetFile(path) as file:
        yield file


@contextmanager
def _arrow(path: Path) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Open an Arrow file, and explain what it refuses while it is read; gives its schema and its batches."""
    import pyarrow as pa

    with _explained(path, "Arrow"), pa.OSFile(str(path)) as file:
        try:
            reader = pa.ipc.open_file(file)
        except pa.ArrowInvalid:
            file.seek(0)
            stream = pa.ipc.open_stream(file)
            yield stream.schema, iter(stream)
        else:
            yield reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(
            "a text is not UTF-8", path=path, remedy="Write the file again with texts in UTF-8."
        ) from error
    # What a damaged file makes Arrow say is of many kinds: dates beyond Python's are ValueErrors, for example.
    except (pa.ArrowException, OSError, ValueError, OverflowError, RuntimeError, TypeError, KeyError) as error:
        raise InputError(f"is not a whole {what} file ({error})", path=path, remedy="Write it again.") from error
