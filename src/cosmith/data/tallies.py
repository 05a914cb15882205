"""What is counted of the texts that play one part in a set of rows, as they come."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.cleaning import LIKELY, UNKNOWN, detect_languages, near_duplicates
from cosmith.errors import InputError

Measure = Callable[[Sequence[str], str], npt.NDArray[Any]]
"""Texts, and the part that they play (``query``, ``positive``, ``negative``, ``text``) → the length of each."""

SHOWN = 10
"""How many examples are kept of each thing."""

_TOGETHER = 1024  # texts that are measured at a time
_OVERLONG = 100_000  # characters, where no model says what is too long


@dataclass(frozen=True)
class PlacedText:
    """A text that is longer than it should be: its file, line and length."""

    path: str
    line: int
    length: int


@dataclass(frozen=True)
class Part:
    """The texts that play one part.

    Attributes:
        role: ``query``, ``positive``, ``negative``, ``text``, or ``document`` of a click log, ``answer`` of a thread.
        texts: How many there are.
        distinct: How many different ones.
        lengths: Length → how many texts have it.
        limit: The length at which a model cuts them; None without a model.
        overlong: The first that are longer; without a model, those of over 100,000 characters.
        overlong_count: How many are.
        languages: Language → how many of the sampled texts are in it, the commonest first; ``und`` for those that are
            too short to tell.
        sampled: How many texts were drawn by chance, whose language was looked at.
        compared: How many different ones these are, which were held against each other; 0 where they could not be.
        near_duplicates: How many of those are nearly the same as an earlier one: Jaccard similarity of 0.8 or more, as
            :func:`cosmith.data.cleaning.near_duplicates` has it. Of a sample they are fewer than of all texts.
    """

    role: str
    texts: int
    distinct: int
    lengths: Mapping[int, int]
    limit: int | None
    overlong: tuple[PlacedText, ...]
    overlong_count: int
    languages: Mapping[str, int]
    sampled: int
    compared: int = 0
    near_duplicates: int = 0

    @property
    def total(self) -> int:
        """The sum of all lengths."""
        return sum(length * count for length, count in self.lengths.items())

    @property
    def cut(self) -> int:
        """What the limit cuts off, of all lengths together."""
        if self.limit is None:
            return 0
        return sum((length - self.limit) * count for length, count in self.lengths.items() if length > self.limit)

    def quantile(self, share: float) -> int:
        """The length that this share of the texts does not exceed."""
        left = share * self.texts
        for length in sorted(self.lengths):
            left -= self.lengths[length]
            if left <= 1e-9:
                return length
        return max(self.lengths, default=0)

    def histogram(self) -> list[tuple[int, int, int]]:
        """How many texts have a length from … to …: bins that double, from the shortest to the longest."""
        bins: Counter[int] = Counter()
        for length, count in self.lengths.items():
            bins[max(length - 1, 0).bit_length()] += count
        numbers = range(min(bins, default=0), max(bins, default=-1) + 1)
        return [((1 << number >> 1) + 1 if number else 0, 1 << number, bins[number]) for number in numbers]


@dataclass
class Tally:
    """Counts the texts of one part."""

    role: str
    measure: Measure | None
    limit: int | None
    sample: int
    for_tests: bool
    count: int = 0
    hashes: array[int] = field(default_factory=lambda: array("Q"))
    normal: array[int] = field(default_factory=lambda: array("Q"))
    lengths: Counter[int] = field(default_factory=Counter)
    waiting: list[tuple[str, Path, int]] = field(default_factory=list)
    overlong: list[PlacedText] = field(default_factory=list)
    overlong_count: int = 0
    sampled: list[str] = field(default_factory=list)
    languages: Mapping[str, int] = field(default_factory=dict)
    compared: int = 0
    near_duplicates: int = 0
    random: Random = field(default_factory=lambda: Random(0))

    def add(self, text: str, path: Path, line: int) -> bytes:
        """Count a text; gives its hash, to be made part of its row's."""
        digest = xxhash.xxh3_64(text.encode())
        self.hashes.append(digest.intdigest())
        if self.for_tests:
            self.normal.append(normal_hash(text))
        # Algorithm R of Vitter (1985): every text has the same chance to be in the sample.
        if len(self.sampled) < self.sample:
            self.sampled.append(text)
        elif (place := self.random.randrange(self.count + 1)) < self.sample:
            self.sampled[place] = text
        self.count += 1
        self.waiting.append((text, path, line))
        if len(self.waiting) >= _TOGETHER:
            self.weigh()
        return digest.digest()

    def weigh(self) -> None:
        """Measure the texts that wait."""
        texts = [text for text, _, _ in self.waiting]
        given = [len(text.split()) for text in texts] if self.measure is None else self.measure(texts, self.role)
        for (text, path, line), length in zip(self.waiting, map(int, given), strict=True):
            self.lengths[length] += 1
            if length > self.limit if self.limit is not None else len(text) > _OVERLONG:
                self.overlong_count += 1
                if len(self.overlong) < SHOWN:
                    self.overlong.append(PlacedText(str(path), line, length))
        self.waiting.clear()

    def look_closer(self, notes: list[str]) -> None:
        """Find the languages of the sample, and which of its texts are nearly the same; what cannot be looked at, since
        an extra is not installed, is told in ``notes``."""
        try:
            languages = detect_languages(self.sampled)
        except InputError as error:
            notes.append(f"languages were not looked at: {error}")
        else:
            told = Counter(language if likely >= LIKELY else UNKNOWN for language, likely in languages)
            self.languages = dict(told.most_common())
        different = list(dict.fromkeys(self.sampled))
        try:
            self.near_duplicates = len(near_duplicates(different).similarity)
        except InputError as error:
            notes.append(f"near duplicates were not looked for: {error}")
        else:
            self.compared = len(different)

    def part(self) -> Part:
        self.weigh()
        distinct = len(np.unique(np.array(self.hashes, dtype=np.uint64)))
        return Part(
            self.role, self.count, distinct, dict(self.lengths), self.limit, tuple(self.overlong),
            self.overlong_count, self.languages, len(self.sampled), self.compared, self.near_duplicates,
        )  # fmt: skip


def normal_hash(text: str) -> int:
    """The same for texts that are equal but for case and spacing."""
    return xxhash.xxh3_64_intdigest(" ".join(text.casefold().split()).encode())
