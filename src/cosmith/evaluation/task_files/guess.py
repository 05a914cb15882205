"""Which kind of task a file holds, by its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from cosmith.data.columns import find_column, find_negatives
from cosmith.data.records import Table
from cosmith.data.tables import open_table
from cosmith.data.test_sets.pairs import verdict_of
from cosmith.data.test_sets.words import is_analogies, is_word_file, is_word_pairs
from cosmith.errors import ColumnError, InputError
from cosmith.evaluation.tasks.kind import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)

NEEDED = {
    "retrieval": "query, positive; or a BEIR folder",
    "reranking": "query, positive, negative",
    "sts": "sentence1, sentence2, score",
    "pair-classification": "sentence1, sentence2, label (0 or 1)",
    "classification": "text, label; a folder with the splits train and test",
    "clustering": "text, label",
    "bitext-mining": "sentence1, sentence2",
    "summarisation": "human_summaries, machine_summaries, relevance",
    "word-similarity": "word1, word2, score; or a .txt file of two words and a number a line",
    "analogy": "a .txt file of four words a line",
}
"""The columns of each kind."""


@dataclass(frozen=True)
class Guess:
    """The kind of task that a file seems to hold.

    Attributes:
        kind: The kind.
        because: What of the file says so.
        columns: The columns that do.
    """

    kind: Kind
    because: str
    columns: tuple[str, ...] = ()


def guess_kind(path: str | Path) -> Guess:
    """The kind of task in a file, or in a folder or split that is one table.

    Texts with labels are taken for a clustering task: to be classified, they need others to be learnt from. Pairs whose
    scores are all 0 or 1 are taken for judged ones, and so are those whose labels are all the whole number 0, or all 1.

    Raises:
        InputError: When the columns fit no kind.
    """
    if is_word_file(path):
        return _of_words(path)
    table = open_table(path)
    for kind, parts in _PARTS.items():
        columns = [_found(table, part) for part in parts]
        if None in columns:
            continue
        named = [column for column in columns if column is not None]
        if kind == "sts" and _are_verdicts(table, named[2]):
            return Guess("pair-classification", f"{_listed(named)}, where {named[2]!r} is 0 or 1", tuple(named))
        return Guess(kind, _listed(named), tuple(named))
    raise InputError(
        f"its columns ({', '.join(map(repr, table.columns)) or 'none'}) are those of no kind of task",
        path=table.path,
        remedy="Name them as one of these has them: " + "; ".join(f"{kind}: {NEEDED[kind]}" for kind in KINDS) + ".",
    )


# In the order in which they are tried: the more columns a kind needs, the earlier.
_PARTS: dict[Kind, tuple[str, ...]] = {
    "summarisation": ("human_summaries", "machine_summaries", "summary_score"),
    "word-similarity": ("first_word", "second_word", "score"),
    "sts": ("first", "second", "score"),
    "pair-classification": ("first", "second", "verdict"),
    "bitext-mining": ("first", "second"),
    "reranking": ("query", "positive", "negative"),
    "retrieval": ("query", "positive"),
    "clustering": ("text", "class"),
}


def _of_words(path: str | Path) -> Guess:
    shapes: Sequence[tuple[Kind, Callable[[str | Path], bool], str]] = (
        ("word-similarity", is_word_pairs, "lines of two words and a number"),
        ("analogy", is_analogies, "lines of four words below a ': CATEGORY'"),
    )
    for kind, fits, because in shapes:
        if fits(path):
            return Guess(kind, because)
    raise InputError(
        "is plain text without words to compare, and so no task", path=path, line=1,
        remedy="Give lines of two words and a number, or of four words; or a table with columns, e.g. a .jsonl file.",
    )  # fmt: skip


def _found(table: Table, part: str) -> str | None:
    """The column of a part; None where there is none, or it cannot be told which."""
    if part == "negative":
        return next(iter(find_negatives(table.columns, "auto", table.path)), None)
    try:
        return find_column(table.columns, "auto", part, table.path)
    except ColumnError:
        return None


def _are_verdicts(table: Table, column: str) -> bool:
    """Whether all values of a column that are there say yes or no, and both occur. Of one that is called a label it is
    enough that all are whole numbers and say the same: the class that is missing is then refused by its name."""
    said: set[bool | None] = set()
    whole = True
    for record in table.records():
        value = record.values.get(column)
        if not record.problem and value not in (None, ""):
            said.add(verdict_of(value))
            whole = whole and "." not in str(value)
    return said == {True, False} or (column.lower() == "label" and whole and said in ({True}, {False}))


def _listed(columns: Sequence[str]) -> str:
    return f"the columns {', '.join(map(repr, columns))}"
