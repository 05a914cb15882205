"""A named, immutable set of training rows, in memory or memory-mapped from a folder."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cosmith.atomic import atomic_folder, make_folder, require_replaceable, write_json
from cosmith.data.arrow_files import Mapped, map_batch, write_batch
from cosmith.data.ragged import Float32, Int64, checked_numbers, offsets_of, take_rows
from cosmith.data.row_arrays import RowArrays, blocks_of, collect_rows, require_text
from cosmith.data.row_files import Written, write_row_files
from cosmith.data.row_fingerprint import Column, group_bytes, rows_fingerprint
from cosmith.data.rows import SourceSettings, TrainingRow
from cosmith.data.source_json import about_of, damaged, read_about
from cosmith.data.texts import TextTable, TextTableBuilder
from cosmith.errors import InputError
from cosmith.phrases import counted

_TEXT_COLUMNS = {"text": pa.large_string(), "hash": pa.int64()}
_LIST = pa.large_list(pa.int64())
_ROW_COLUMNS = {"query": pa.int64(), "positives": _LIST, "negatives": _LIST}
_BLOCK = 1 << 16  # rows that rows_where() looks at together
_CHUNK = 256  # rows that rows() turns into Python objects at a time; each text from afar maps 64 kB of the file


@dataclass(frozen=True, eq=False, repr=False)
class Source:
    """R training rows that refer by number to a table of unique texts; make one by from_rows, write or load.

    Attributes:
        name: What it is called.
        settings: What a trainer must know about it.
        texts: The texts; a source made from another by :meth:`select` shares its table, so some may be in no row.
        arrays: The rows, as the properties below give them.
        folder: The folder that it was loaded from, or None for one that exists in memory only.
        mapped: The files that it is mapped from, if it is.
    """

    name: str
    settings: SourceSettings
    texts: TextTable
    arrays: RowArrays
    folder: Path | None = None
    mapped: Mapped = field(default_factory=Mapped)

    @property
    def query(self) -> Int64:
        """int64 [R], the text number of each row's query."""
        return self.arrays.query

    @property
    def positives(self) -> Int64:
        """int64 [P], text numbers; row ``i`` has ``positives[positive_offsets[i]:positive_offsets[i + 1]]``."""
        return self.arrays.positives

    @property
    def positive_offsets(self) -> Int64:
        """int64 [R + 1], where each row's positives begin."""
        return self.arrays.positive_offsets

    @property
    def negatives(self) -> Int64:
        """int64 [N], text numbers, as the positives."""
        return self.arrays.negatives

    @property
    def negative_offsets(self) -> Int64:
        """int64 [R + 1], where each row's negatives begin."""
        return self.arrays.negative_offsets

    @property
    def scores(self) -> Float32 | None:
        """float32 [P + N] or None: of each row's positives, then its negatives, row after row."""
        return self.arrays.scores

    @property
    def labels(self) -> Int64 | None:
        """int64 [R] or None."""
        return self.arrays.labels

    @property
    def groups(self) -> Sequence[str] | None:
        """The group of each row [R], or None."""
        return self.arrays.groups

    @property
    def document_groups(self) -> Sequence[str] | None:
        """The document that each row's positives are parts of [R], or None."""
        return self.arrays.document_groups

    @cached_property
    def text_documents(self) -> Int64 | None:
        """int64 [texts], the number of the document that each text is a part of, -1 for none; None without documents.

        A text is of the document of the rows in which it is a positive; of that of the last, where they differ.
        """
        if self.document_groups is None:
            return None
        numbers: dict[str, int] = {}
        of_row = np.array([numbers.setdefault(name, len(numbers)) for name in self.document_groups], dtype=np.int64)
        documents: Int64 = np.full(len(self.texts), -1, dtype=np.int64)
        documents[self.positives] = np.repeat(of_row, np.diff(self.positive_offsets))
        return documents

    @classmethod
    def from_rows(cls, name: str, rows: Iterable[TrainingRow], settings: SourceSettings | None = None) -> Source:
        """Build a source in memory from rows as they come; :meth:`write` makes one that is larger than memory.

        Args:
            name: What to call it.
            rows: At least one. Either all have scores or none; so for labels, groups and documents' groups.
            settings: What a trainer must know; ``SourceSettings()`` when left out.

        Raises:
            InputError: When a row cannot be used (an empty text, neither positive nor label, scores that do not match
                its texts), or there is none. :func:`cosmith.data.read_rows` puts such rows of a file aside.
        """
        texts, arrays = collect_rows(rows)
        if not len(arrays):
            raise _no_rows(name)
        return cls(name, settings or SourceSettings(), texts, arrays)

    @classmethod
    def write(
        cls, folder: str | Path, name: str, rows: Iterable[TrainingRow], settings: SourceSettings | None = None
    ) -> Source:
        """Write rows as they come as a source, and return it memory-mapped from there.

        Memory does not grow with the texts, and by less than a byte for each text of each row: rows and texts wait on
        the disk, where for a while they stand twice, with about 90 bytes more for each text of each row.

        Args:
            folder: Where to; a source that stands there already is replaced as a whole, as by :meth:`save`.
            name: What to call it.
            rows: As in :meth:`from_rows`.
            settings: Likewise.

        Raises:
            InputError: As :meth:`from_rows` and :meth:`save`.
            StorageError: When it cannot be written.
        """
        folder = Path(folder)
        require_replaceable(folder, "source.json", "a source")
        make_folder(folder.parent)
        settings = settings or SourceSettings()
        with atomic_folder(folder) as place:
            written = write_row_files(place, rows, settings, folder.parent)
            if not written.rows:
                raise _no_rows(name)
            write_json(place / "source.json", about_of(name, settings, written))
        return cls.load(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Source:
        """Memory-map a source that :meth:`save` wrote.

        Raises:
            InputError: When the folder holds no source, one of another format version, or a damaged one.
        """
        folder = Path(folder)
        about, settings = read_about(folder)
        of_texts, texts_file = map_batch(folder / "texts.arrow", _TEXT_COLUMNS)
        of_rows, rows_file = map_batch(folder / "rows.arrow", _ROW_COLUMNS)
        texts, arrays = TextTable.from_batch(of_texts), RowArrays.from_batch(of_rows)
        mapped = Mapped((texts_file, rows_file))
        if (len(texts), len(arrays)) != (about["texts"], about["rows"]):
            raise damaged(folder, "holds other numbers of rows and texts than its source.json says")
        if problem := arrays.problem(len(texts), mapped.let_go):
            raise damaged(folder / "rows.arrow", problem[1], field=problem[0])
        return cls(about["name"], settings, texts, arrays, folder, mapped)

    def save(self, folder: str | Path) -> Source:
        """Write the source, with the texts that its rows use, and return it memory-mapped from there.

        A source that stands there already is replaced as a whole, with its tokens; a crash leaves one or the other.

        Raises:
            InputError: When the folder holds something else than a source.
            StorageError: When it cannot be written.
        """
        folder = Path(folder)
        require_replaceable(folder, "source.json", "a source")
        used = np.unique(np.concatenate([self.query, self.positives, self.negatives]))
        texts, number_of = self.texts, np.arange(len(self.texts))
        if len(used) < len(texts):
            texts = texts.only(used)
            number_of[used] = np.arange(len(used))
        with atomic_folder(folder) as place:
            write_batch(place / "texts.arrow", texts.to_batch())
            write_batch(place / "rows.arrow", self.arrays.to_batch(number_of))
            written = Written(len(self), len(texts), self.fingerprint())
            write_json(place / "source.json", about_of(self.name, self.settings, written))
        return Source.load(folder)

    def __len__(self) -> int:
        return len(self.arrays)

    def __repr__(self) -> str:
        size = f"{counted(len(self), 'row')}, {counted(len(self.texts), 'text')}"
        return f"Source({self.name!r}, {size}, task={self.settings.task!r})"

    def row(self, number: int) -> TrainingRow:
        """One row with its texts.

        Raises:
            IndexError: When there is no such row.
        """
        checked_numbers([number], len(self), "row")
        return next(self._rows(number, number + 1))

    def rows(self) -> Iterator[TrainingRow]:
        """All rows with their texts, in order."""
        for start in range(0, len(self), _CHUNK):
            yield from self._rows(start, min(start + _CHUNK, len(self)))
            self.let_go()

    def rows_where(self, kept: npt.NDArray[np.bool_]) -> Iterator[TrainingRow]:
        """The rows for which ``kept``, bool [R], is true, with their texts, in order."""
        for start in range(0, len(self), _BLOCK):
            yield from self.select(start + np.flatnonzero(kept[start : start + _BLOCK])).rows()

    def let_go(self) -> None:
        """Give the pages of the files that it is mapped from back to the system, e.g. after going through them all."""
        self.mapped.let_go()

    def _rows(self, start: int, stop: int) -> Iterator[TrainingRow]:
        positive_ends = self.positive_offsets[start : stop + 1].tolist()
        negative_ends = self.negative_offsets[start : stop + 1].tolist()
        p0, n0 = positive_ends[0], negative_ends[0]
        queries = self.texts.take(self.query[start:stop])
        positives = self.texts.take(self.positives[p0 : positive_ends[-1]])
        negatives = self.texts.take(self.negatives[n0 : negative_ends[-1]])
        groups, documents = (None if names is None else names[start:stop]
                             for names in (self.groups, self.document_groups))  # fmt: skip
        for i, query in enumerate(queries):
            p, p_end, n, n_end = positive_ends[i], positive_ends[i + 1], negative_ends[i], negative_ends[i + 1]
            yield TrainingRow(
                query,
                tuple(positives[p - p0 : p_end - p0]),
                tuple(negatives[n - n0 : n_end - n0]),
                scores=None if self.scores is None else tuple(self.scores[p + n : p_end + n_end].tolist()),
                label=None if self.labels is None else int(self.labels[start + i]),
                group=None if groups is None else groups[i],
                document_group=None if documents is None else documents[i],
            )

    def select(self, numbers: npt.ArrayLike) -> Source:
        """These rows [m] in that order (repeats are allowed), in memory, sharing this source's texts.

        Raises:
            IndexError: When there is no such row.
        """
        return replace(self, arrays=self.arrays.take(checked_numbers(numbers, len(self), "row")), folder=None)

    def with_negatives(self, negatives: Sequence[Sequence[str]]) -> Source:
        """The same rows with other negatives (a list per row [R]) in place of theirs, in memory.

        Text numbers stay what they are; new texts come after them. Scores are left out, since they belong to the
        negatives that went.

        Raises:
            InputError: When there is not one list per row, or a negative cannot be used as a text.
        """
        if len(negatives) != len(self):
            raise InputError(
                f"{counted(len(negatives), 'list')} of negatives given for {counted(len(self), 'row')}",
                field="negatives",
                remedy="Give a list for each row; it may be empty.",
            )
        builder = TextTableBuilder(self.texts)
        numbers = array("q")
        for row, of_row in enumerate(negatives):
            for text in of_row:
                require_text(text, row, "a negative")
                numbers.append(builder.add(text))
        arrays = replace(
            self.arrays,
            negatives=np.array(numbers, dtype=np.int64),
            negative_offsets=offsets_of(np.array([len(of_row) for of_row in negatives], dtype=np.int64)),
            scores=None,
        )
        texts = builder.table() if len(builder) > len(self.texts) else self.texts
        return replace(self, texts=texts, arrays=arrays, folder=None)

    def with_scores(self, scores: npt.ArrayLike) -> Source:
        """The same rows with these scores in place of theirs, in memory.

        Args:
            scores: One for each positive, then for each negative of a row, row after row: ``[P + N]``.

        Raises:
            InputError: When there are more or fewer, or one is not a finite number.
        """
        given = np.asarray(scores, dtype=np.float32)
        texts = len(self.positives) + len(self.negatives)
        if given.shape != (texts,):
            raise InputError(
                f"scores of shape {list(given.shape)} for {texts:,} positives and negatives",
                field="scores",
                remedy="Give a score for each positive, then for each negative, row after row.",
            )
        if not np.isfinite(given).all():
            raise InputError(
                f"score {np.flatnonzero(~np.isfinite(given))[0]} (counted from 0) is not finite",
                field="scores",
                remedy="Look at what made the scores: a model that has diverged, or a text that it cannot read.",
            )
        return replace(self, arrays=replace(self.arrays, scores=given), folder=None)

    def known_positives(self, numbers: npt.ArrayLike) -> tuple[Int64, Int64]:
        """What is known to answer the queries of these rows, wherever in the source it stands.

        Args:
            numbers: Row numbers [m].

        Returns:
            Pairs of query text number and positive text number over all rows whose query text is that of one of the
            given rows: two int64 arrays [pairs], sorted by query, then positive, each pair once.
        """
        queries = np.unique(self.query[checked_numbers(numbers, len(self), "row")])
        positives, offsets = take_rows(*self._positives_by_query, queries)
        return np.repeat(queries, np.diff(offsets)), positives

    @cached_property
    def _positives_by_query(self) -> tuple[Int64, Int64]:
        """The unique positives of each text as a query: a ragged array with a row for every text."""
        count = len(self.texts)
        pairs = np.unique(np.repeat(self.query, np.diff(self.positive_offsets)) * count + self.positives)
        queries, positives = np.divmod(pairs, max(count, 1))
        return positives, offsets_of(np.bincount(queries, minlength=count))

    def fingerprint(self) -> str:
        """A hash of the rows with their texts and of the settings; not of the name, nor of how texts are numbered."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        hashes = self.texts.hashes

        def of_texts(numbers: Int64) -> Column:
            return len(numbers), (hashes[block] for block in blocks_of(numbers))

        def column(values: npt.NDArray[Any]) -> Column:
            return len(values), blocks_of(values)

        columns = [
            of_texts(self.query), column(self.positive_offsets), of_texts(self.positives),
            column(self.negative_offsets), of_texts(self.negatives),
            None if self.scores is None else column(self.scores),
            None if self.labels is None else column(self.labels),
        ]  # fmt: skip
        groups = None if self.groups is None else map(group_bytes, self.groups)
        document_groups = None if self.document_groups is None else map(group_bytes, self.document_groups)
        return rows_fingerprint(self.settings, columns, groups, document_groups)


def _no_rows(name: str) -> InputError:
    return InputError(f"the source {name!r} would have no rows", remedy="Give at least one row.")
