"""Pairs of texts that are judged alike or not, and pairs of a text and its translation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosmith.data.columns import require_column
from cosmith.data.record_values import UnusableError, shown, text_of, usable
from cosmith.data.records import Record
from cosmith.data.rows import Rejected
from cosmith.data.tables import open_table
from cosmith.errors import InputError

_YES, _NO = ("1", "1.0", "true"), ("0", "0.0", "false")


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """Pairs of texts, and whether the two mean the same.

    Attributes:
        first: The first text of each pair [n].
        second: The second [n].
        alike: bool [n].
        rejected: The records that cannot be used.
        instruction: Put before both texts by models that take instructions.

    Raises:
        InputError: When there are not as many of one as of the others.
    """

    first: list[str]
    second: list[str]
    alike: npt.NDArray[np.bool_]
    rejected: tuple[Rejected, ...] = ()
    instruction: str = ""

    def __post_init__(self) -> None:
        if not len(self.first) == len(self.second) == len(self.alike):
            raise InputError(
                f"there are {len(self.first)} and {len(self.second)} texts with {len(self.alike)} judgements",
                field="alike",
            )

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class ParallelTexts:
    """Texts in one language, and the translation of each in another.

    Attributes:
        first: The texts [n].
        second: Their translations [n].
        rejected: The records that cannot be used.
        instruction: Put before both by models that take instructions.

    Raises:
        InputError: When there are not as many of one as of the other.
    """

    first: list[str]
    second: list[str]
    rejected: tuple[Rejected, ...] = ()
    instruction: str = ""

    def __post_init__(self) -> None:
        if len(self.first) != len(self.second):
            raise InputError(f"there are {len(self.first)} texts, but {len(self.second)} translations", field="second")

    def __len__(self) -> int:
        return len(self.first)


def verdict_of(value: object) -> bool | None:
    """Whether a value says yes (1, true) or no (0, false); None where it says neither."""
    said = str(value).strip().lower()
    return True if said in _YES else False if said in _NO else None


def read_judged_pairs(path: str | Path, *, label: str = "auto", rejected: str | Path | None = None) -> JudgedPairs:
    """Read judged pairs from the columns sentence1 (or text1), sentence2 (or text2) and label, which is 0 or 1.

    A pair without a label is undecided and is put aside.

    Args:
        path: As :func:`cosmith.data.open_table` takes it.
        label: The column of the judgement; ``"auto"``: label, labels, score or is_duplicate.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`cosmith.data.read_rows`.
    """
    table = open_table(path)
    remedy = "Call the columns sentence1, sentence2 and label."
    first, second, verdict = (
        require_column(table.columns, choice, part, table.path, remedy=remedy)
        for part, choice in (("first", "auto"), ("second", "auto"), ("verdict", label))
    )

    def pair_of(record: Record) -> tuple[str, str, bool]:
        values = record.values
        pair = text_of(values.get(first), first), text_of(values.get(second), second)
        alike = verdict_of(values.get(verdict))
        if alike is None:
            told = f"the {verdict} {shown(values.get(verdict))} is neither 0 nor 1"
            raise UnusableError(f"has no {verdict}" if values.get(verdict) in (None, "") else told)
        return *pair, alike

    pairs, bad = usable(table, pair_of, rejected)
    alike = np.array([pair[2] for pair in pairs], dtype=bool)
    return JudgedPairs([pair[0] for pair in pairs], [pair[1] for pair in pairs], alike, tuple(bad))


def read_parallel_texts(path: str | Path, *, rejected: str | Path | None = None) -> ParallelTexts:
    """Read texts and their translations from the columns sentence1 (or text1) and sentence2 (or text2).

    Args:
        path: As :func:`cosmith.data.open_table` takes it.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`cosmith.data.read_rows`.
    """
    table = open_table(path)
    remedy = "Call the columns sentence1 and sentence2."
    first, second = (
        require_column(table.columns, "auto", part, table.path, remedy=remedy) for part in ("first", "second")
    )

    def pair_of(record: Record) -> tuple[str, str]:
        return text_of(record.values.get(first), first), text_of(record.values.get(second), second)

    pairs, bad = usable(table, pair_of, rejected)
    return ParallelTexts([pair[0] for pair in pairs], [pair[1] for pair in pairs], tuple(bad))
