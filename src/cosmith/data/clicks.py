"""Click logs: who searched for what and did what with which result, gathered by query and document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cosmith.data.columns import find_column, require_column
from cosmith.data.record_values import UnusableError, name_of, shown, text_of
from cosmith.data.records import Record
from cosmith.data.records_file import RecordsFile
from cosmith.data.rows import Rejected, TrainingRow, write_rejected
from cosmith.data.tables import open_table

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_MILLISECONDS = 1e11  # seconds since 1970 stay below it until the year 5138, milliseconds have been above it since 1973


@dataclass(frozen=True)
class Click:
    """An event of a click log: what was searched for, the document's id or text, what was done with it, and when."""

    query: str
    document: str
    action: str
    time: datetime | None


@dataclass(frozen=True)
class ClickedDocument:
    """What was done with one document after one query.

    Attributes:
        query: The query, without space around it.
        document: The document's id or text, as the log has it.
        actions: How often each action was taken; ``click`` in a log that has none.
        first, last: When, with time zone; None in a log without times.
    """

    query: str
    document: str
    actions: Mapping[str, int]
    first: datetime | None
    last: datetime | None

    @property
    def count(self) -> int:
        """How many actions there were in all."""
        return sum(self.actions.values())


@dataclass(frozen=True)
class ClicksRead:
    """What :func:`read_clicks` found.

    Attributes:
        clicks: Each query with each of its documents once, in the order in which they first stand in the log.
        rejected: The records that cannot be used.
        columns: The column of each part that was found: query, document, action, time.
        path: The file.
    """

    clicks: list[ClickedDocument]
    rejected: list[Rejected]
    columns: Mapping[str, str]
    path: Path


def read_clicks(
    path: str | Path,
    *,
    query: str = "auto",
    document: str = "auto",
    action: str | None = "auto",
    time: str | None = "auto",
    actions: Iterable[str] | None = None,
    rejected: str | Path | None = None,
) -> ClicksRead:
    """Read a click log, one event a record, and gather it by query and document.

    In memory is each query with each of its documents once, not each event.

    Args:
        path: As :func:`cosmith.data.open_table` takes it.
        query: The column of the query; ``"auto"`` knows query, search, search_term and q.
        document: That of the document's id or text; ``"auto"`` knows document, document_id, doc_id, item, item_id,
            result and url.
        action: That of what was done (action, event, event_type, type); None, or where there is none, a click.
        time: That of when (time, timestamp, date, datetime, ts), in ISO 8601 (UTC where no zone is said) or in seconds
            or milliseconds since 1970; None for none.
        actions: The actions that count; None for all. Others are passed over.
        rejected: Where to write the records that cannot be used, as JSON lines: those without query or document, and
            those whose time cannot be read, lies before 1990 or in the future.

    Raises:
        InputError: When the file is missing or not of its format, a column is not there or could be several, or no
            record can be used.
    """
    file = open_clicks(path, query=query, document=document, action=action, time=time)
    wanted = None if actions is None else set(actions)
    bad: list[Rejected] = []
    gathered: dict[tuple[str, str], tuple[dict[str, int], list[datetime]]] = {}
    try:
        for each in file.into(bad):
            if wanted is not None and each.action not in wanted:
                continue
            counts, span = gathered.setdefault((each.query, each.document), ({}, []))
            counts[each.action] = counts.get(each.action, 0) + 1
            if each.time is not None:
                span[:] = [min([each.time, *span]), max([each.time, *span])]
    finally:
        if rejected is not None:
            write_rejected(rejected, bad)
    clicks = [
        ClickedDocument(asked, clicked, counts, span[0] if span else None, span[1] if span else None)
        for (asked, clicked), (counts, span) in gathered.items()
    ]
    return ClicksRead(clicks, bad, file.columns, file.path)


def open_clicks(
    path: str | Path, *, query: str = "auto", document: str = "auto", action: str | None = "auto",
    time: str | None = "auto",
) -> RecordsFile[Click]:  # fmt: skip
    """The events of a click log, read as they are asked for.

    Args:
        path, query, document, action, time: As :func:`read_clicks` has them.

    Raises:
        InputError: As there; that no record can be used shows when they are gone through.
    """
    table = open_table(path)
    found = {
        "query": require_column(table.columns, query, "click_query", table.path, argument="query"),
        "document": require_column(table.columns, document, "click_document", table.path, argument="document"),
        "action": find_column(table.columns, action, "click_action", table.path, argument="action"),
        "time": find_column(table.columns, time, "click_time", table.path, argument="time"),
    }
    columns = {part: name for part, name in found.items() if name is not None}
    latest = datetime.now(UTC) + timedelta(days=1)  # clocks and zones differ

    def event_of(record: Record) -> Click:
        values = record.values
        return Click(
            text_of(values.get(columns["query"]), "the query").strip(),
            name_of(values.get(columns["document"]), "the document"),
            name_of(values.get(columns["action"]), "the action") if "action" in columns else "click",
            _time_of(values.get(columns["time"]), latest) if "time" in columns else None,
        )

    return RecordsFile.of(table, event_of, columns)


def clicked_rows(
    clicks: Iterable[ClickedDocument], texts: Mapping[str, str] | None = None, *, least: int = 1
) -> Iterator[TrainingRow]:
    """A training row for each query: its documents by how often they were clicked, the most often first.

    Args:
        clicks: What :func:`read_clicks` gathered.
        texts: The text of each document by the id that the log has; None where the log has the texts themselves.
            Documents that are not there are left out.
        least: Clicks that a document must have; chance and curiosity click too.
    """
    by_query: dict[str, list[ClickedDocument]] = {}
    for each in clicks:
        if each.count >= least and (texts is None or each.document in texts):
            by_query.setdefault(each.query, []).append(each)
    for query, documents in by_query.items():
        best = sorted(documents, key=lambda each: -each.count)
        yield TrainingRow(query, tuple(each.document if texts is None else texts[each.document] for each in best))


def _time_of(value: object, latest: datetime) -> datetime:
    if value in (None, ""):
        raise UnusableError("the time is missing")
    try:
        when = _moment(value)
    except (ValueError, OverflowError, OSError, TypeError):
        raise UnusableError(f"the time {shown(value)} cannot be read") from None
    if not _EARLIEST <= when <= latest:
        raise UnusableError(f"the time {shown(value)} is {'before 1990' if when < _EARLIEST else 'in the future'}")
    return when


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            when = datetime.fromisoformat(value.strip())
            return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        return _moment(number)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS else value, UTC)
