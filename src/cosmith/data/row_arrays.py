"""Training rows as flat arrays of text numbers: collected from rows, and written as an Arrow record batch."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cosmith.data.arrow_files import ragged_arrays, ragged_column
from cosmith.data.group_names import GroupNames
from cosmith.data.ragged import Float32, Int64, Value, offsets_of, take_rows
from cosmith.data.rows import TrainingRow
from cosmith.data.texts import TextTable, TextTableBuilder, text_problem
from cosmith.errors import InputError

BLOCK = 1 << 18
"""Numbers of an array that is larger than memory that are looked at together."""
_LARGEST_SCORE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False, repr=False)
class RowArrays:
    """R rows that refer to texts by number; :class:`cosmith.data.Source` says what each array is."""

    query: Int64
    positives: Int64
    positive_offsets: Int64
    negatives: Int64
    negative_offsets: Int64
    scores: Float32 | None
    labels: Int64 | None
    groups: Sequence[str] | None
    document_groups: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.query)

    @property
    def score_offsets(self) -> Int64:
        """int64 [R + 1], where each row's scores begin: a row has one for each positive and each negative."""
        return self.positive_offsets + self.negative_offsets

    @property
    def places_of_positives(self) -> Int64:
        """int64 [P], where among the scores that of each positive stands."""
        return np.arange(len(self.positives)) + np.repeat(self.negative_offsets[:-1], np.diff(self.positive_offsets))

    @property
    def places_of_negatives(self) -> Int64:
        """int64 [N], where among the scores that of each negative stands: behind those of its row's positives."""
        return np.arange(len(self.negatives)) + np.repeat(self.positive_offsets[1:], np.diff(self.negative_offsets))

    def take(self, numbers: Int64) -> RowArrays:
        """These rows [m], in that order."""
        positives, positive_offsets = take_rows(self.positives, self.positive_offsets, numbers)
        negatives, negative_offsets = take_rows(self.negatives, self.negative_offsets, numbers)
        return RowArrays(
            self.query[numbers],
            positives,
            positive_offsets,
            negatives,
            negative_offsets,
            scores=None if self.scores is None else take_rows(self.scores, self.score_offsets, numbers)[0],
            labels=None if self.labels is None else self.labels[numbers],
            groups=_taken(self.groups, numbers),
            document_groups=_taken(self.document_groups, numbers),
        )

    def problem(self, texts: int, after_block: Callable[[], None] = lambda: None) -> tuple[str, str] | None:
        """What contradicts itself in rows over a table of ``texts`` texts, as (column, problem); None if nothing.

        Args:
            texts: How many texts there are.
            after_block: Is called when a block of numbers has been looked at.
        """
        for column in ("query", "positives", "negatives"):
            for numbers in blocks_of(getattr(self, column)):
                if int(numbers.min()) < 0 or int(numbers.max()) >= texts:
                    return column, f"refers to texts beyond the {texts} that there are"
                after_block()
        for column, values, offsets in (
            ("positives", self.positives, self.positive_offsets),
            ("negatives", self.negatives, self.negative_offsets),
        ):
            bad = offsets[0] != 0 or offsets[-1] != len(values)
            for start in range(0, len(offsets), BLOCK):
                bad = bad or bool((np.diff(offsets[start : start + BLOCK + 1]) < 0).any())
                after_block()
            if bad:
                return column, "its rows overlap or leave gaps"
        if self.scores is not None and len(self.scores) != len(self.positives) + len(self.negatives):
            return "scores", "does not have a score for each positive and negative"
        for column, groups in (("group", self.groups), ("document_group", self.document_groups)):
            if isinstance(groups, GroupNames):
                for numbers in blocks_of(groups.numbers):
                    if int(numbers.min()) < 0 or int(numbers.max()) >= len(groups.names):
                        return column, f"refers to names beyond the {len(groups.names)} that there are"
                    after_block()
        return None

    def to_batch(self, number_of: Int64) -> pa.RecordBatch:
        """The rows as an Arrow record batch, text ``i`` called ``number_of[i]``; columns that are None are left out."""
        columns: dict[str, Any] = {
            "query": pa.array(number_of[self.query]),
            "positives": ragged_column(number_of[self.positives], self.positive_offsets),
            "negatives": ragged_column(number_of[self.negatives], self.negative_offsets),
        }
        if self.scores is not None:
            columns["scores"] = ragged_column(self.scores, self.score_offsets)
        if self.labels is not None:
            columns["label"] = pa.array(self.labels)
        for name, groups in (("group", self.groups), ("document_group", self.document_groups)):
            if groups is not None:
                columns[name] = pa.array(list(groups), type=pa.large_string()).dictionary_encode()
        return pa.record_batch(list(columns.values()), names=list(columns))

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch) -> RowArrays:
        """The rows of such a batch, without copying it."""
        column = {name: batch.column(name) for name in batch.schema.names}
        return cls(
            column["query"].to_numpy(zero_copy_only=True),
            *ragged_arrays(column["positives"]),
            *ragged_arrays(column["negatives"]),
            scores=ragged_arrays(column["scores"])[0] if "scores" in column else None,
            labels=column["label"].to_numpy(zero_copy_only=True) if "label" in column else None,
            groups=_names(column.get("group")),
            document_groups=_names(column.get("document_group")),
        )


def collect_rows(rows: Iterable[TrainingRow]) -> tuple[TextTable, RowArrays]:
    """Number the texts of rows as they come, in memory.

    Raises:
        InputError: When a row cannot be used.
    """
    collector = _Collector()
    for row in rows:
        collector.add(row)
    return collector.texts.table(), collector.arrays()


def blocks_of(values: npt.NDArray[Value]) -> Iterator[npt.NDArray[Value]]:
    """An array in blocks."""
    for start in range(0, len(values), BLOCK):
        yield values[start : start + BLOCK]


def require_text(text: object, number: int, role: str) -> None:
    """Refuse what cannot be used as a text.

    Raises:
        InputError: Naming the row and the role of the text in it.
    """
    if problem := text_problem(text):
        remedy = "Leave the row out, or read it from a file with read_rows, which puts such rows aside."
        raise InputError(f"row {number}: {role} {problem}", remedy=remedy)


class RowCheck:
    """Refuses rows that cannot be used, and those that do not have what the rows before them had.

    Attributes:
        has: Whether the rows have scores, a label, a group, a document's group; False while there was no row.
    """

    def __init__(self) -> None:
        self.has = dict.fromkeys(("scores", "label", "group", "document_group"), False)

    def __call__(self, row: TrainingRow, number: int) -> None:
        """Check a row.

        Raises:
            InputError: Naming the row by its number, which is 0 for the first.
        """
        require_text(row.query, number, "the query")
        for role, texts in (("positive", row.positives), ("negative", row.negatives)):
            if isinstance(texts, str):
                raise InputError(f"row {number}: the {role}s are a text, not a tuple of texts", remedy="Write (text,).")
            for text in texts:
                require_text(text, number, f"a {role}")
        if not row.positives and row.label is None:
            raise InputError(f"row {number}: has neither a positive nor a label", remedy="Leave the row out.")
        for column in self.has:
            given = getattr(row, column) is not None
            if not number:
                self.has[column] = given
            elif self.has[column] != given:
                raise InputError(
                    f"row {number}: {'has' if given else 'lacks'} a value for {column}, unlike the rows before",
                    field=column,
                    remedy="Give it in every row or in none.",
                )
        if row.scores is not None:
            _require_scores(row, number)


class _Collector:
    def __init__(self) -> None:
        self.texts = TextTableBuilder()
        self.query, self.positives, self.negatives = array("q"), array("q"), array("q")
        self.positive_counts, self.negative_counts = array("q"), array("q")
        self.scores, self.labels = array("f"), array("q")
        self.groups: list[str] = []
        self.document_groups: list[str] = []
        self.names: dict[str, str] = {}  # one string object for each group
        self.check = RowCheck()

    def add(self, row: TrainingRow) -> None:
        self.check(row, len(self.query))
        if row.scores is not None:
            self.scores.extend(row.scores)
        self.query.append(self.texts.add(row.query))
        self.positives.extend(map(self.texts.add, row.positives))
        self.negatives.extend(map(self.texts.add, row.negatives))
        self.positive_counts.append(len(row.positives))
        self.negative_counts.append(len(row.negatives))
        if row.label is not None:
            self.labels.append(row.label)
        if row.group is not None:
            self.groups.append(self.names.setdefault(row.group, row.group))
        if row.document_group is not None:
            self.document_groups.append(self.names.setdefault(row.document_group, row.document_group))

    def arrays(self) -> RowArrays:
        return RowArrays(
            _numbers(self.query),
            _numbers(self.positives),
            offsets_of(_numbers(self.positive_counts)),
            _numbers(self.negatives),
            offsets_of(_numbers(self.negative_counts)),
            scores=np.array(self.scores, dtype=np.float32) if self.check.has["scores"] else None,
            labels=_numbers(self.labels) if self.check.has["label"] else None,
            groups=self.groups if self.check.has["group"] else None,
            document_groups=self.document_groups if self.check.has["document_group"] else None,
        )


def _taken(groups: Sequence[str] | None, numbers: Int64) -> Sequence[str] | None:
    if isinstance(groups, GroupNames):
        return groups.take(numbers)
    return None if groups is None else [groups[number] for number in numbers.tolist()]


def _names(column: pa.DictionaryArray | None) -> GroupNames | None:
    if column is None:
        return None
    return GroupNames(column.dictionary, column.indices.to_numpy(zero_copy_only=True))


def _numbers(values: array[int]) -> Int64:
    return np.array(values, dtype=np.int64)


def _require_scores(row: TrainingRow, number: int) -> None:
    scores, texts = row.scores or (), len(row.positives) + len(row.negatives)
    if len(scores) != texts:
        raise InputError(
            f"row {number}: has {len(scores)} scores for {texts} positives and negatives",
            field="scores",
            remedy="Give a score for each positive, then for each negative.",
        )
    if not all(abs(score) <= _LARGEST_SCORE for score in scores):  # false for NaN too
        raise InputError(f"row {number}: a score is not finite", field="scores", remedy="Leave the row out.")
