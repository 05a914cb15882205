"""Documents of a table: a document a record, with its title where there is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosmith.data.columns import find_column, require_column
from cosmith.data.documents.document import Document, document_of
from cosmith.data.ids import TextIds
from cosmith.data.record_values import UnusableError, text_of
from cosmith.data.records import Record
from cosmith.data.records_file import RecordsFile
from cosmith.data.tables import open_table


def open_documents(path: str | Path, *, column: str = "auto") -> RecordsFile[Document]:
    """Documents of a JSONL, CSV, TSV, Parquet or plain text file (.txt: one a line), read as they are asked for.

    A file that :func:`cosmith.data.documents.write_documents` wrote gives the documents with their sections and links.
    A record of another file has a text, and may have a ``title`` and an id; its line is its id where it has none.

    Args:
        path: The file.
        column: The column of the text; ``"auto"`` finds it by its name, as :func:`cosmith.data.read_texts` does.

    Raises:
        InputError: When the file is missing, empty, not UTF-8 or not of its format, or a column is not there or could
            be several; that no record can be used, or that an id stands twice, shows when they are gone through.
    """
    table = open_table(path)
    choice = table.columns[0] if column == "auto" and len(table.columns) == 1 else column
    text_column = find_column(table.columns, choice, "document", table.path, argument="column")
    text_column = text_column or require_column(table.columns, choice, "text", table.path, argument="column")
    ids = TextIds.among(table, text_column)

    def built(record: Record) -> Document:
        values = dict(record.values)
        given = ids.of(record)
        title = values.get("title") or ""
        if not isinstance(title, str):
            raise UnusableError(f"the title is not a text but of type {type(title).__name__}")
        text = values.get(text_column)
        if text or not title:
            text = text_of(text, f"the {text_column}")
        try:
            return document_of({**_structure(values), "_id": given, "title": title, "text": text or ""})
        except (KeyError, TypeError, ValueError) as error:
            raise UnusableError(f"its sections or links cannot be understood ({error})") from error

    columns = {"text": text_column} | ({"id": ids.column} if ids.column is not None else {})
    return RecordsFile.of(table, built, columns, ids)


def _structure(values: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`write_documents` writes beside the texts, where all of it is there."""
    keys = ("format", "sections", "links")
    if not all(key in values for key in keys):
        return {}
    return {key: json.loads(values[key]) if key != "format" and isinstance(values[key], str) else values[key]
            for key in keys}  # fmt: skip
