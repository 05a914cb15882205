"""Pairs of words with a graded similarity, and analogies: a is to b as c is to d."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosmith.data.columns import require_column
from cosmith.data.lines import lines_of, numbered_lines
from cosmith.data.record_values import UnusableError, score_of, text_of, usable
from cosmith.data.records import Record, Table
from cosmith.data.rows import Rejected
from cosmith.data.tables import open_table
from cosmith.errors import InputError

_CATEGORY = ":"


@dataclass(frozen=True, eq=False)
class WordPairs:
    """Pairs of words with a graded similarity.

    Attributes:
        first: The first word of each pair [n].
        second: The second [n].
        scores: float64 [n], how similar they are; any scale, higher is more.
        rejected: The records that cannot be used.

    Raises:
        InputError: When there are not as many of one as of the others.
    """

    first: list[str]
    second: list[str]
    scores: npt.NDArray[np.float64]
    rejected: tuple[Rejected, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.first) == len(self.second) == len(self.scores):
            raise InputError(
                f"there are {len(self.first)} and {len(self.second)} words with {len(self.scores)} scores",
                field="scores",
            )

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Analogies:
    """Questions of the form a : b = c : ?, with their answers.

    Attributes:
        questions: a, b, c and the answer of each.
        categories: What kind of relation each is about; empty where the file says none.
        vocabulary: Among which words the answer is looked for; empty: those of the questions.
        rejected: The lines that cannot be used.

    Raises:
        InputError: When there are not as many categories as questions.
    """

    questions: list[tuple[str, str, str, str]]
    categories: list[str]
    vocabulary: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()

    def __post_init__(self) -> None:
        if len(self.questions) != len(self.categories):
            raise InputError(
                f"there are {len(self.questions)} questions, but {len(self.categories)} categories",
                field="categories",
            )

    def __len__(self) -> int:
        return len(self.questions)


def read_word_pairs(path: str | Path, *, rejected: str | Path | None = None) -> WordPairs:
    """Read scored pairs of words: two words and a number a line without a header, or a table with these columns.

    Args:
        path: A ``.txt`` file, its parts separated by white space; or, as :func:`cosmith.data.open_table` takes it, a
            table with the columns word1, word2 and score.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`cosmith.data.read_rows`.
    """
    if is_word_file(path):
        pairs, bad = usable(_lines_of(Path(path)), _pair_of_line, rejected)
    else:
        table = open_table(path)
        remedy = "Call the columns word1, word2 and score."
        columns = tuple(
            require_column(table.columns, "auto", part, table.path, remedy=remedy)
            for part in ("first_word", "second_word", "score")
        )
        pairs, bad = usable(table, partial(_pair_of_record, columns=columns), rejected)
    scores = np.array([pair[2] for pair in pairs], dtype=np.float64)
    return WordPairs([pair[0] for pair in pairs], [pair[1] for pair in pairs], scores, tuple(bad))


def read_analogies(path: str | Path, *, rejected: str | Path | None = None) -> Analogies:
    """Read analogies in word2vec's format: four words a line, below lines ``: CATEGORY``.

    Args:
        path: A ``.txt`` file.
        rejected: Where to write the lines that cannot be used, as JSON lines.

    Raises:
        InputError: When the file is missing, empty, not UTF-8, or none of its lines can be used.
    """
    table = _lines_of(Path(path))
    categories: dict[int, str] = {}

    def in_categories() -> Iterator[Record]:
        category = ""
        for record in table.records():
            if record.raw.startswith(_CATEGORY):
                category = record.raw[1:].strip()
            else:
                categories[record.line] = category
                yield record

    def question_of(record: Record) -> tuple[str, tuple[str, str, str, str]]:
        words = record.raw.split()
        if len(words) != 4:
            raise UnusableError(f"has {len(words)} words, not four")
        return categories[record.line], (words[0], words[1], words[2], words[3])

    questions, bad = usable(Table(table.path, table.columns, in_categories, table.format), question_of, rejected)
    return Analogies([each[1] for each in questions], [each[0] for each in questions], rejected=tuple(bad))


def is_word_file(path: str | Path) -> bool:
    """Whether a file is plain text, and so has no columns with names."""
    return Path(path).suffix.lower() == ".txt"


def is_analogies(path: str | Path) -> bool:
    """Whether the first line of a plain text file names a category of analogies, or is four words."""
    first = _first_line(path)
    return first.startswith(_CATEGORY) or len(first.split()) == 4


def is_word_pairs(path: str | Path) -> bool:
    """Whether the first line of a plain text file is two words and a number."""
    return _build_of_first(path, _pair_of_line) is not None


def _build_of_first(path: str | Path, build: Callable[[Record], tuple[str, str, float]]) -> object:
    try:
        return build(Record(1, {}, _first_line(path)))
    except UnusableError:
        return None


def _first_line(path: str | Path) -> str:
    return next((line.strip() for _, line in numbered_lines(Path(path)) if line.strip()), "")


def _lines_of(path: Path) -> Table:
    """The lines of a plain text file that are not blank, as records without columns."""

    def records() -> Iterator[Record]:
        for number, line, problem in lines_of(path):
            if text := line.strip():
                yield Record(number, {"line": text}, text, problem)

    return Table(path, ("line",), records, "plain text", named=False)


def _pair_of_line(record: Record) -> tuple[str, str, float]:
    parts = record.raw.split()
    if len(parts) != 3:
        raise UnusableError(f"has {len(parts)} parts, not two words and a number")
    return parts[0], parts[1], score_of(parts[2], "the score")


def _pair_of_record(record: Record, columns: tuple[str, ...]) -> tuple[str, str, float]:
    first, second, score = (record.values.get(column) for column in columns)
    return text_of(first, columns[0]), text_of(second, columns[1]), score_of(score, f"the {columns[2]}")
