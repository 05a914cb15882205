"""Which column of a file plays which part."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from cosmith.errors import ColumnError, InputError

_DOCUMENT = ("text", "document", "passage", "content", "sentence", "positive", "positives", "pos", "answer")
_FIRST = ("sentence1", "text1", "sentence_a", "text_a")
_SECOND = ("sentence2", "text2", "sentence_b", "text_b")

# The first of each is the canonical name: where it is there, others are not taken into account.
SYNONYMS = {
    "query": ("query", "anchor", "question", *_FIRST),
    "positive": ("positive", "positives", "pos", "document", "passage", "answer", *_SECOND),
    "positive_scores": ("pos_scores", "positive_scores"),
    "negative_scores": ("neg_scores", "negative_scores"),
    "label": ("label",),
    "class": ("label", "class", "category", "intent", "cluster"),
    "group": ("group",),
    "document_group": ("document_group",),
    "scores": ("scores", "score", "similarity_score"),
    "id": ("_id", "id"),
    "document": _DOCUMENT,
    "text": (*_DOCUMENT, "query", "question", "anchor"),
    "first": _FIRST,
    "second": _SECOND,
    "score": ("score", "similarity_score", "label"),
    "verdict": ("label", "labels", "score", "is_duplicate", "similarity_score"),
    "first_word": ("word1", "word_1"),
    "second_word": ("word2", "word_2"),
    "human_summaries": ("human_summaries",),
    "machine_summaries": ("machine_summaries",),
    "summary_score": ("relevance", "scores"),
    "click_query": ("query", "search", "search_term", "q"),
    "click_document": ("document", "document_id", "doc_id", "item", "item_id", "result", "url"),
    "click_action": ("action", "event", "event_type", "type"),
    "click_time": ("time", "timestamp", "date", "datetime", "ts"),
}
_NEGATIVE = re.compile(r"neg(?:ative)?s?(?:[_ -]?(\d+))?", re.IGNORECASE)


def is_known(name: str) -> bool:
    """Whether a name is one of those that columns usually have."""
    plain = name.strip().lower()
    return _NEGATIVE.fullmatch(plain) is not None or any(plain in names for names in SYNONYMS.values())


def is_pair(first: str | None, second: str | None) -> bool:
    """Whether two columns are those of two texts of which neither is the other's answer."""
    return (first or "").lower() in _FIRST and (second or "").lower() in _SECOND


def is_click_log(columns: Sequence[str]) -> bool:
    """Whether columns are those of a click log, and not of pairs or texts.

    A column ``document`` may well be that of a pair: beside it there must be what was done.
    """
    names = {column.strip().lower() for column in columns}
    texts = names & {*SYNONYMS["positive"], *SYNONYMS["document"]}
    if not names & {*SYNONYMS["click_query"]} or not names & {*SYNONYMS["click_document"]} or texts - {"document"}:
        return False
    done, when = names & {*SYNONYMS["click_action"]}, names & {*SYNONYMS["click_time"]}
    return bool(done - {"type"} or (done and when)) if texts else bool(done or when)


def find_column(
    columns: Sequence[str],
    choice: str | None,
    part: str,
    path: Path,
    *,
    argument: str | None = None,
    remedy: str | None = None,
) -> str | None:
    """Find the column of a part, e.g. the query.

    Args:
        columns: The columns that there are.
        choice: A column's name, ``"auto"`` to find it among the part's synonyms (case does not count), None for none.
        part: A key of :data:`SYNONYMS`.
        path: The file, for the message.
        argument: The argument that gives the choice; by default called as the part.
        remedy: What to do where several could be meant; by default to say which.

    Returns:
        The column's name; None where there is none.

    Raises:
        ColumnError: When the named column is not there, or several could be meant.
        InputError: The latter, with ``remedy``.
    """
    argument = argument or part
    if choice is None:
        return None
    if choice != "auto":
        return _named(columns, choice, argument, path)
    names = SYNONYMS[part]
    if names[0] in columns:
        return names[0]
    found = [column for column in columns if column.strip().lower() in names]
    if len(found) > 1:
        problem = f"several columns could be the {part}: {', '.join(map(repr, found))}"
        if remedy is not None:
            raise InputError(problem, path=path, field=argument, remedy=remedy)
        raise ColumnError(problem, path=path, field=argument, advice="Say which:", column=found[0])
    return found[0] if found else None


def require_column(
    columns: Sequence[str],
    choice: str,
    part: str,
    path: Path,
    *,
    argument: str | None = None,
    remedy: str | None = None,
) -> str:
    """As :func:`find_column`, for a part that there must be.

    Args:
        columns, choice, part, path, argument: As there.
        remedy: What to do where there is none, or several; by default to say which it is.

    Raises:
        ColumnError: As there, and when there is none; it names the columns that there are.
        InputError: The same, with ``remedy``.
    """
    argument = argument or part
    column = find_column(columns, choice, part, path, argument=argument, remedy=remedy)
    if column is None:
        names = SYNONYMS[part]
        close = next((name for name in columns if difflib.get_close_matches(name.lower(), names, n=1)), None)
        problem = f"no column is called {' or '.join(names)}; its columns: {', '.join(map(repr, columns)) or 'none'}"
        if remedy is not None:
            raise InputError(problem, path=path, field=argument, remedy=remedy)
        raise ColumnError(problem, path=path, field=argument, **_which(close))
    return column


def find_negatives(columns: Sequence[str], choice: str | Sequence[str] | None, path: Path) -> tuple[str, ...]:
    """The columns of negatives: ``negative``, ``negatives``, ``neg``, ``negative_1``, ``negative_2``, … in order.

    Raises:
        ColumnError: When a named column is not there.
    """
    if choice is None:
        return ()
    if choice != "auto":
        named = [choice] if isinstance(choice, str) else choice
        return tuple(_named(columns, name, "negative", path) for name in named)
    found = [(match, column) for column in columns if (match := _NEGATIVE.fullmatch(column.strip()))]
    return tuple(column for match, column in sorted(found, key=lambda pair: int(pair[0][1] or 0)))


def _named(columns: Sequence[str], name: str, argument: str, path: Path) -> str:
    if name not in columns:
        close = next(iter(difflib.get_close_matches(name, columns, n=1)), None)
        listed = "" if close else f"; its columns: {', '.join(map(repr, columns)) or 'none'}"
        raise ColumnError(f"has no column {name!r}{listed}", path=path, field=argument, **_which(close))
    return name


def _which(close: str | None) -> dict[str, str]:
    """What to do about a column that is not there: the advice, and the column that is likely meant."""
    if close is None:
        return {"advice": "Say which it is:", "column": "COLUMN"}
    return {"advice": f"Did you mean {close!r}? Say", "column": close}
