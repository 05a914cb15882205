"""Cleaning of training rows: what is wrong with a text decides about the rows that it stands in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cosmith.data.cleaning.boilerplate import BoilerplateLines, without_boilerplate
from cosmith.data.cleaning.duplicates import NearDuplicates, exact_duplicates, near_duplicates
from cosmith.data.cleaning.filters import (
    CALLED,
    EXAMPLES,
    ExactDuplicates,
    Example,
    Filter,
    Step,
    TextFilter,
    describe_steps,
    examples_of,
    judge,
    shown,
)
from cosmith.data.cleaning.judged import Bool, Fault
from cosmith.data.cleaning.lengths import Tokenize
from cosmith.data.cleaning.texts import require_left
from cosmith.data.ragged import Int64, offsets_of
from cosmith.data.row_arrays import RowArrays
from cosmith.data.rows import TrainingRow
from cosmith.data.source import Source
from cosmith.data.texts import TextTable, TextTableBuilder
from cosmith.errors import InputError, nearest
from cosmith.phrases import counted

Part = Literal["both", "query", "document"]

_AT_ONCE = 4096  # texts in hand at a time


@dataclass(frozen=True)
class Cleaned:
    """What was left of some rows.

    Attributes:
        source: The rows that were kept, in their order, without the documents that were not.
        numbers: int64, which rows they were.
        dropped: Of each other row: its number → why.
        steps: What each filter did.
    """

    source: Source
    numbers: Int64 = field(repr=False)
    dropped: dict[int, Fault] = field(repr=False)
    steps: tuple[Step, ...]

    def describe(self) -> list[str]:
        """What each filter did, a line each, and what is left."""
        return describe_steps(self.steps, "row")


def clean_rows(
    rows: Source | Iterable[TrainingRow],
    filters: Sequence[Filter],
    *,
    part: Part = "both",
    tokenize: Tokenize | None = None,
) -> Cleaned:
    """Keep the rows that pass all filters, which are asked in the order in which they stand.

    Each distinct text is judged once. A row whose query does not pass goes; a document that does not pass goes from
    its row, and the row with it where it was the last positive. Rows are duplicates where their queries are and all
    their positives are: two queries for one document are both worth having, and so are two documents of one query.
    Boilerplate lines are removed from documents, never from queries.

    Args:
        rows: A Source, which may be larger than memory (its texts are read from the disk some at a time, unless
            boilerplate is removed), or rows.
        filters: What is asked of them.
        part: What of a row is judged by length, language, repetition and symbols, and compared by duplicates.
        tokenize: As :func:`cosmith.data.cleaning.judge_lengths` has it.

    Raises:
        InputError: When no row is left, or a filter needs what is not installed or not given.
    """
    if part not in get_args(Part):
        raise InputError(f"there is no part {part!r}", field="part", remedy=nearest(part, get_args(Part)))
    source = rows if isinstance(rows, Source) else Source.from_rows("rows", rows)
    numbers = np.arange(len(source))
    dropped: dict[int, Fault] = {}
    steps = []
    for settings in filters:
        outcome = _applied(source, settings, part, tokenize)
        shown_texts = {row: source.texts[int(source.query[row])] for row in shown(outcome.faults)}
        examples = outcome.examples or examples_of(outcome.faults, shown_texts)
        counts: dict[str, int] = {}
        for fault in outcome.faults.values():
            counts[fault.reason] = counts.get(fault.reason, 0) + 1
        counts = dict(sorted(counts.items(), key=lambda item: -item[1]))
        steps.append(Step(CALLED[type(settings)], len(source), len(outcome.source), counts, outcome.changed, examples))
        dropped |= {int(numbers[row]): fault for row, fault in outcome.faults.items()}
        keep = np.ones(len(source), dtype=np.bool_)
        keep[list(outcome.faults)] = False
        numbers, source = numbers[keep], outcome.source
        require_left(steps)
    return Cleaned(source, numbers, dict(sorted(dropped.items())), tuple(steps))


def dropped_rows(source: Source, dropped: Mapping[int, Fault]) -> Iterator[dict[str, Any]]:
    """The rows that were left out, as plain values, with why and by what it was seen."""
    for number, fault in sorted(dropped.items()):
        row = source.row(number)
        yield {"row": number, "query": row.query, "positive": list(row.positives), **asdict(fault)}


@dataclass(frozen=True)
class _Outcome:
    """A filter's: the rows that are left, of each other one why, and how many were left with less in them."""

    source: Source
    faults: dict[int, Fault]
    changed: int = 0
    examples: tuple[Example, ...] = ()


def _applied(source: Source, settings: Filter, part: Part, tokenize: Tokenize | None) -> _Outcome:
    match settings:
        case BoilerplateLines():
            return _shortened(source, settings)
        case ExactDuplicates() | NearDuplicates():
            return _without_duplicates(source, settings, part)
        case _:
            return _without_faulty(source, settings, part, tokenize)


def _without_faulty(source: Source, settings: TextFilter, part: Part, tokenize: Tokenize | None) -> _Outcome:
    asked = _asked(source, part)
    found = judge(_texts(source.texts, asked), settings, tokenize)
    faulty = {int(asked[place]): fault for place, fault in found.faults.items()}
    return _without(source, faulty, part)


def _without(source: Source, faulty: dict[int, Fault], part: Part) -> _Outcome:
    """Rows without these texts (text number → what is wrong with it), in the part of them that is judged."""
    bad = np.zeros(len(source.texts), dtype=np.bool_)
    bad[list(faulty)] = True
    faults: dict[int, Fault] = {}
    if part != "document":
        for row in np.flatnonzero(bad[source.query]).tolist():
            faults[row] = _of("query", faulty[int(source.query[row])])
    arrays, changed = source.arrays, 0
    if part != "query":
        good_positives, good_negatives = ~bad[source.positives], ~bad[source.negatives]
        rows_of = np.repeat(np.arange(len(source)), np.diff(source.positive_offsets))
        had = np.diff(source.positive_offsets)
        left = np.bincount(rows_of[good_positives], minlength=len(source))
        for row in np.flatnonzero((had > 0) & (left == 0)).tolist():
            first = int(source.positives[source.positive_offsets[row]])
            faults.setdefault(row, _of("document", faulty[first]))
        arrays = only_documents(arrays, good_positives, good_negatives)
        shorter = (np.diff(arrays.positive_offsets) < had) | (
            np.diff(arrays.negative_offsets) < np.diff(source.negative_offsets)
        )
        shorter[list(faults)] = False
        changed = int(shorter.sum())
    keep = np.ones(len(source), dtype=np.bool_)
    keep[list(faults)] = False
    kept = replace(source, arrays=arrays.take(np.flatnonzero(keep)), folder=None)
    return _Outcome(kept, dict(sorted(faults.items())), changed)


def _of(role: str, fault: Fault) -> Fault:
    return Fault(f"{role}: {fault.reason}", fault.evidence)


def only_documents(arrays: RowArrays, positives: Bool, negatives: Bool) -> RowArrays:
    """Rows with some of their documents, and their scores: bool ``[P]`` and ``[N]`` say which."""
    scores = arrays.scores
    if scores is not None:
        keep = np.zeros(len(scores), dtype=np.bool_)
        keep[arrays.places_of_positives], keep[arrays.places_of_negatives] = positives, negatives
        scores = scores[keep]

    def some(values: Int64, offsets: Int64, keep: Bool) -> tuple[Int64, Int64]:
        rows = np.repeat(np.arange(len(arrays)), np.diff(offsets))
        return values[keep], offsets_of(np.bincount(rows[keep], minlength=len(arrays)))

    positive_numbers, positive_offsets = some(arrays.positives, arrays.positive_offsets, positives)
    negative_numbers, negative_offsets = some(arrays.negatives, arrays.negative_offsets, negatives)
    return replace(
        arrays, positives=positive_numbers, positive_offsets=positive_offsets, negatives=negative_numbers,
        negative_offsets=negative_offsets, scores=scores,
    )  # fmt: skip


def _without_duplicates(source: Source, settings: ExactDuplicates | NearDuplicates, part: Part) -> _Outcome:
    queries: list[tuple[int, ...]] = [()] * len(source)
    answers: list[tuple[int, ...]] = [()] * len(source)
    if part != "document":
        queries = [(query,) for query in _stand_ins(source, source.query, settings)]
    if part != "query":
        positives, ends = _stand_ins(source, source.positives, settings), source.positive_offsets.tolist()
        answers = [tuple(sorted(set(positives[ends[row] : ends[row + 1]]))) for row in range(len(source))]
    labels = [None] * len(source) if source.labels is None or part == "query" else source.labels.tolist()
    reason = "nearly the same row" if isinstance(settings, NearDuplicates) else "the same row"
    first: dict[tuple[object, ...], int] = {}
    faults = {}
    for row, key in enumerate(zip(queries, answers, labels, strict=True)):
        bare = part == "document" and not answers[row]  # a row of a label has no document to be known by
        kept = row if bare else first.setdefault(key, row)
        if kept != row:
            faults[row] = Fault(reason, f"as row {kept}")
    return _Outcome(source.select([row for row in range(len(source)) if row not in faults]), faults)


def _stand_ins(source: Source, numbers: Int64, settings: ExactDuplicates | NearDuplicates) -> list[int]:
    """The number of the text that stands for each of these: itself, or the first that it is a duplicate of.

    They are taken in the order in which the rows have them, so that the first row with a text is the one that is kept,
    and what was kept is kept again.
    """
    distinct, place = np.unique(numbers, return_index=True)
    ordered = distinct[np.argsort(place)]
    texts = _texts(source.texts, ordered)
    found = near_duplicates(texts, settings) if isinstance(settings, NearDuplicates) else exact_duplicates(texts)
    stands_for = np.arange(len(source.texts))
    stands_for[ordered] = ordered[found.kept]
    stand_ins: list[int] = stands_for[numbers].tolist()
    return stand_ins


def _shortened(source: Source, settings: BoilerplateLines) -> _Outcome:
    numbers = np.unique(np.concatenate([source.positives, source.negatives]))
    shortened = without_boilerplate(source.texts.take(numbers), settings)
    builder = TextTableBuilder(source.texts)
    new = np.arange(len(source.texts))
    faulty: dict[int, Fault] = {}
    for number, text, spans in zip(numbers.tolist(), shortened.texts, shortened.removed, strict=True):
        if not text:
            faulty[number] = Fault("nothing but boilerplate")
        elif spans:
            new[number] = builder.add(text)
    left = _without(source, faulty, "document")
    arrays = left.source.arrays
    changed = (new != np.arange(len(new)))[np.concatenate([arrays.positives, arrays.negatives])]
    arrays = replace(arrays, positives=new[arrays.positives], negatives=new[arrays.negatives])
    table = builder.table() if len(builder) > len(source.texts) else source.texts
    examples = tuple(
        Example(line, "boilerplate", f"in {counted(count, 'document')}")
        for line, count in list(shortened.lines.items())[:EXAMPLES]
    )
    rows_of = np.concatenate(
        [np.repeat(np.arange(len(arrays)), np.diff(offsets))
         for offsets in (arrays.positive_offsets, arrays.negative_offsets)]
    )  # fmt: skip
    touched = len(np.unique(rows_of[changed]))
    return _Outcome(replace(left.source, texts=table, arrays=arrays), left.faults, touched, examples)


def _asked(source: Source, part: Part) -> Int64:
    """The numbers of the texts that stand in a part of the rows, in the order of the table."""
    queries: list[npt.NDArray[np.int64]] = [] if part == "document" else [source.query]
    documents: list[npt.NDArray[np.int64]] = [] if part == "query" else [source.positives, source.negatives]
    return np.unique(np.concatenate([*queries, *documents]))


def _texts(table: TextTable, numbers: Int64) -> Iterator[str]:
    for start in range(0, len(numbers), _AT_ONCE):
        yield from table.take(numbers[start : start + _AT_ONCE])
