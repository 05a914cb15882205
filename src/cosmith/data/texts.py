"""A table of texts in which every text stands once, so that rows can refer to texts by number.

Each text is held, hashed, tokenised and encoded once, however often the rows name it; two rows share a text if and
only if they share its number, which is how duplicates are kept from becoming false negatives.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from cosmith.data.ragged import Int64, checked_numbers
from cosmith.errors import InputError
from cosmith.phrases import counted


def text_hash(encoded: bytes) -> int:
    """xxh3_64 of a text's UTF-8 bytes, viewed as a signed 64-bit integer (what an int64 array holds)."""
    unsigned = xxhash.xxh3_64_intdigest(encoded)
    return unsigned - (1 << 64) if unsigned >> 63 else unsigned


def text_problem(value: object) -> str | None:
    """Why ``value`` cannot be used as a text (``"is empty"``, …), or None when it can."""
    if value is None:
        return "is missing"
    if not isinstance(value, str):
        return f"is not a text but of type {type(value).__name__}"
    if not value:
        return "is empty"
    if value.isspace():
        return "is only whitespace"
    if "\0" in value:
        return "holds a NUL character"
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "holds half of a surrogate pair, which is no character"
    return None


def document_text(title: object, text: object) -> object:
    """A document of a title and a text: ``(title + " " + text).strip()``, as MTEB joins them; None counts as empty.

    What is not a text is given back as it is, for :func:`text_problem` to tell.
    """
    for part in (title, text):
        if part is not None and not isinstance(part, str):
            return part
    return f"{title or ''} {text or ''}".strip()


class TextTable:
    """An immutable table of unique texts, numbered from 0.

    Attributes:
        hashes: int64 [n], xxh3_64 of each text's UTF-8 bytes, viewed as int64.
    """

    def __init__(self, texts: pa.LargeStringArray, hashes: Int64) -> None:
        """Wrap Arrow's large strings [n] and their hashes [n]; use :meth:`from_texts` to build a table."""
        self._texts = texts
        self.hashes = hashes
        self.hashes.setflags(write=False)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> tuple[TextTable, Int64]:
        """Build a table from texts in which some may be equal.

        Returns:
            The table, in order of first occurrence, and the number of each given text: int64 [texts given].

        Raises:
            InputError: When a text cannot be encoded as UTF-8.
        """
        builder = TextTableBuilder()
        numbers = array("q", map(builder.add, texts))
        return builder.table(), np.frombuffer(numbers, dtype=np.int64) if numbers else np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self):
            raise IndexError(f"text number {number} is not within [0, {len(self)})")
        text: str = self._texts[int(number)].as_py()
        return text

    def __repr__(self) -> str:
        return f"TextTable({counted(len(self), 'text')})"

    def take(self, numbers: npt.ArrayLike) -> list[str]:
        """The texts of these numbers [m], in that order; repeats are allowed.

        Raises:
            IndexError: When a number is not in the table.
        """
        wanted = checked_numbers(numbers, len(self), "text")
        texts: list[str] = self._texts.take(pa.array(wanted)).to_pylist()
        return texts

    def only(self, numbers: npt.ArrayLike) -> TextTable:
        """A table of these texts (distinct numbers [m]), numbered in that order."""
        wanted = checked_numbers(numbers, len(self), "text")
        return TextTable(self._texts.take(pa.array(wanted)), self.hashes[wanted])

    @cached_property
    def _fingerprint(self) -> str:
        return xxhash.xxh3_128_hexdigest(np.ascontiguousarray(self.hashes).view(np.uint8).data)

    def fingerprint(self) -> str:
        """A hash of the texts and their order."""
        return self._fingerprint

    def to_batch(self) -> pa.RecordBatch:
        """The table as an Arrow record batch: ``text`` large_string, ``hash`` int64."""
        return pa.record_batch([self._texts, pa.array(self.hashes)], names=["text", "hash"])

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch) -> TextTable:
        """The table of such a batch, without copying it."""
        return cls(batch.column("text"), batch.column("hash").to_numpy(zero_copy_only=True))


class TextTableBuilder:
    """Numbers texts as they come, in memory; :mod:`cosmith.data.numbering` does it on disk.

    Args:
        start: A table to go on from; its texts keep their numbers.
    """

    def __init__(self, start: TextTable | None = None) -> None:
        self._start = start._texts if start is not None else pa.array([], type=pa.large_string())
        self._new = bytearray()  # the texts that are not in the table to go on from
        self._ends = array("q", [0])  # of each text that is not in the table to go on from, after a zero
        self._hashes: array[int] = array("q")
        self._numbers: dict[int, int] = {}
        self._collided: dict[bytes, int] = {}  # texts whose hash an earlier, different text has
        if start is not None:
            self._hashes.frombytes(np.ascontiguousarray(start.hashes).tobytes())
            for number, value in enumerate(self._hashes):
                if self._numbers.setdefault(value, number) != number:
                    self._collided[start[number].encode()] = number

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, text: str) -> int:
        """The number of ``text``: the one it has, or the next.

        Raises:
            InputError: When it cannot be encoded as UTF-8.
        """
        try:
            encoded = text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"a text {text_problem(text)}: {text[max(0, error.start - 20) : error.start + 20]!r}",
                remedy="Remove that character.",
            ) from None
        value = text_hash(encoded)
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = self._append(encoded, value)
        elif self._bytes(number) != encoded:  # two texts with one 64-bit hash: rare, but must not be taken for equal
            known = self._collided.get(encoded)
            number = self._collided[encoded] = self._append(encoded, value) if known is None else known
        return number

    def table(self) -> TextTable:
        """The texts so far as a table."""
        if len(self._hashes) > len(self._start):
            count, ends = len(self._ends) - 1, np.array(self._ends, dtype=np.int64)
            texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(self._new))
            # What the table reads must not grow any more: texts that still come go on from it.
            self._start = pa.concat_arrays([self._start, texts]) if len(self._start) else texts
            self._new, self._ends = bytearray(), array("q", [0])
        return TextTable(self._start, np.array(self._hashes, dtype=np.int64))

    def _append(self, encoded: bytes, value: int) -> int:
        number = len(self._hashes)
        self._hashes.append(value)
        self._new += encoded
        self._ends.append(self._ends[-1] + len(encoded))
        return number

    def _bytes(self, number: int) -> bytes:
        place = number - len(self._start)
        if place < 0:
            text: str = self._start[number].as_py()
            return text.encode()
        return bytes(self._new[self._ends[place] : self._ends[place + 1]])
