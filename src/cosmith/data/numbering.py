"""Texts numbered by their first occurrence, on disk: as a dictionary would, in memory that hardly grows.

Equal texts are known by XXH3 of 128 bits: that two different ones among a billion share it has a probability of about
10^-21. The hashes are spread by their first byte over 256 parts, each small enough to be sorted in memory; that gives,
for every occurrence, which one was the first of its text. How many first ones come before it, counted over one bit an
occurrence, is the text's number.

What grows in memory with the number of occurrences is two bits for each (the bits and the counts before every 64 of
them), 1 kB for each block of at most 65,536 texts or 4 MB, and a 256th of the hashes while they are sorted, 72 bytes
each: in all less than one byte an occurrence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.ragged import Int64
from cosmith.data.spools import ByteSpool, Spool
from cosmith.data.texts import text_hash

_PARTS = 256
_KEY = 16  # bytes of a hash
_MOST_TEXTS = 1 << 16
_MOST_BYTES = 1 << 22
_AT_ONCE = 1 << 12  # texts whose places are read together


@dataclass(frozen=True)
class NumberedTexts:
    """What came of numbering n occurrences of m distinct texts.

    Attributes:
        numbers: int64 [n], the number of the text of each occurrence.
        texts: The UTF-8 bytes of the distinct texts, one after another.
        ends: int64 [m + 1], where each begins, and the end.
        hashes: int64 [m], as :attr:`cosmith.data.TextTable.hashes`.
        occurrence_hashes: int64 [n], the same of each occurrence.
    """

    numbers: Spool
    texts: ByteSpool
    ends: Spool
    hashes: Spool
    occurrence_hashes: Spool

    def __len__(self) -> int:
        return len(self.hashes)

    def distinct(self) -> Iterator[str]:
        """The distinct texts, in the order in which they first occurred."""
        for start in range(0, len(self), _AT_ONCE):
            ends = self.ends.read(start, min(_AT_ONCE, len(self) - start) + 1).tolist()
            for begin, end in pairwise(ends):
                yield self.texts.read(begin, end - begin).decode()


@dataclass(frozen=True)
class _Block:
    """Occurrences that were held together: their number, and where in the block each part of the hashes begins."""

    start: int
    texts: int
    bytes_start: int
    bounds: npt.NDArray[np.uint32]


class TextNumbering:
    """Takes texts as they come; :meth:`finish` numbers them.

    Args:
        folder: On whose disk the texts wait; those that stand twice in a block do so once.

    Raises:
        StorageError: When it may not be written, or its disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys, self._first = ByteSpool(folder), ByteSpool(folder)
        self._order, self._lengths, self._hashes = Spool(folder, "i"), Spool(folder, "q"), Spool(folder, "q")
        self._texts = ByteSpool(folder)
        self._blocks: list[_Block] = []
        self._held_keys, self._held_texts = bytearray(), bytearray()
        self._held: set[bytes] = set()
        self._count = 0

    def add(self, encoded: bytes) -> None:
        """Take the UTF-8 bytes of a text."""
        key = xxhash.xxh3_128_digest(encoded)
        self._held_keys += key
        self._hashes.append(text_hash(encoded))
        if key in self._held:  # its bytes wait already, so that it cannot be a first occurrence
            self._lengths.append(0)
        else:
            self._held.add(key)
            self._held_texts += encoded
            self._lengths.append(len(encoded))
        if len(self._held_keys) >= _MOST_TEXTS * _KEY or len(self._held_texts) >= _MOST_BYTES:
            self._end_block()

    def finish(self) -> NumberedTexts:
        """Number all that came."""
        self._end_block()
        first = np.zeros(-(-self._count // 64), dtype=np.uint64)
        for part in range(_PARTS):
            self._find_first(part, first)
        before = np.zeros(len(first) + 1, dtype=np.int64)
        np.cumsum(np.bitwise_count(first), out=before[1:])
        result = NumberedTexts(
            Spool(self._folder, "q"),
            ByteSpool(self._folder),
            Spool(self._folder, "q"),
            Spool(self._folder, "q"),
            self._hashes,
        )
        result.ends.append(0)
        for block in self._blocks:
            self._number(block, first, before, result)
        return result

    def _end_block(self) -> None:
        texts = len(self._held_keys) // _KEY
        if not texts:
            return
        part = np.frombuffer(self._held_keys, dtype=np.uint8)[::_KEY]
        order = np.argsort(part, kind="stable")
        bounds = np.searchsorted(part[order], np.arange(_PARTS + 1)).astype(np.uint32)
        keys = np.frombuffer(self._held_keys, dtype=np.uint64).reshape(-1, 2)
        self._blocks.append(_Block(self._count, texts, self._texts.size, bounds))
        self._keys.write(keys[order].tobytes())
        self._order.extend(order)
        self._texts.write(self._held_texts)
        self._count += texts
        self._held_keys, self._held_texts = bytearray(), bytearray()
        self._held.clear()

    def _find_first(self, part: int, first: npt.NDArray[np.uint64]) -> None:
        """Write down, for the occurrences of a part of the hashes, which was the first of its text; mark those."""
        slices = [
            (block.start, block.start + int(block.bounds[part]), int(block.bounds[part + 1] - block.bounds[part]))
            for block in self._blocks
        ]
        slices = [each for each in slices if each[2]]
        if not slices:
            return
        keys = np.frombuffer(
            b"".join(self._keys.read(begin * _KEY, count * _KEY) for _, begin, count in slices), dtype=np.uint64
        ).reshape(-1, 2)
        occurrences = np.concatenate([start + self._order.read(begin, count) for start, begin, count in slices])
        # Both the blocks and the sort keep the order of occurrence, so the first of equal keys occurred first.
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        keys = keys[order]
        new = np.ones(len(keys), dtype=np.bool_)
        new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        firsts = occurrences[order[new]]
        found = np.empty(len(keys), dtype=np.int64)
        found[order] = firsts[np.cumsum(new) - 1]
        np.bitwise_or.at(first, firsts >> 6, np.uint64(1) << (firsts & 63).astype(np.uint64))
        done = 0
        for _, begin, count in slices:
            self._first.write_at(begin * 8, found[done : done + count].tobytes())
            done += count

    def _number(self, block: _Block, first: npt.NDArray[np.uint64], before: Int64, result: NumberedTexts) -> None:
        """The numbers of a block's occurrences, and the texts that are new in it."""
        place = np.empty(block.texts, dtype=np.int64)
        place[self._order.read(block.start, block.texts)] = np.frombuffer(
            self._first.read(block.start * 8, block.texts * 8), dtype=np.int64
        )
        below = first[place >> 6] & ((np.uint64(1) << (place & 63).astype(np.uint64)) - np.uint64(1))
        result.numbers.extend(before[place >> 6] + np.bitwise_count(below))
        new = place == block.start + np.arange(block.texts)
        lengths = self._lengths.read(block.start, block.texts)
        waiting = np.frombuffer(self._texts.read(block.bytes_start, int(lengths.sum(dtype=np.int64))), dtype=np.uint8)
        taken = waiting if new[lengths > 0].all() else waiting[np.repeat(new, lengths)]
        result.ends.extend(result.texts.size + np.cumsum(lengths[new], dtype=np.int64))
        result.texts.write(taken.data)
        result.hashes.extend(self._hashes.read(block.start, block.texts)[new])
