"""Texts that stand there already: the same but for case and spacing, or nearly the same by MinHash-LSH.

Near duplicates share most of their shingles: runs of five words, or of five characters where one of two texts has
fewer than twenty words. MinHash-LSH (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, Chapter
3) finds the candidates; what decides is the true Jaccard similarity of the two sets, so that a candidate that only
looks alike is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash

from cosmith.data.cleaning.judged import Fault, Judged
from cosmith.data.cleaning.words import UInt64, WordHashes, hashed, normalised, runs, words_of
from cosmith.data.ragged import Int64
from cosmith.errors import InputError
from cosmith.phrases import one_line

_RUN = 5  # words, or characters, of a shingle
_LONG = 20  # words from which a text is compared by words
_PERMUTATIONS = 128
_RECALL = 0.99  # the least probability of finding a pair that is just as alike as the threshold asks


@dataclass(frozen=True)
class NearDuplicates:
    """Which texts count as nearly the same.

    Attributes:
        threshold: Jaccard similarity of their shingles: the share of all distinct ones that both have.
        seed: Of the MinHash permutations.
    """

    threshold: float = 0.8
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0.3 <= self.threshold <= 1:
            raise InputError(
                f"the threshold is {self.threshold}", field="threshold",
                remedy="Give one from 0.3 (hardly alike) to 1 (the same shingles).",
            )  # fmt: skip


@dataclass(frozen=True)
class Duplicates:
    """Which texts stand for which.

    Attributes:
        kept: int64 ``[n]``, the number of the text that is kept in place of each: its own, or that of an earlier one.
        similarity: Of each text that is not kept itself: its number → Jaccard similarity with the kept one.
    """

    kept: Int64
    similarity: dict[int, float]

    def judged(self, texts: Callable[[int], str] | None = None) -> Judged:
        """The same as a judgement of the texts; ``texts`` gives a kept text by number, to be quoted as evidence."""
        faults = {}
        for number, alike in self.similarity.items():
            first = int(self.kept[number])
            quoted = f" {one_line(texts(first), 80)!r}" if texts is not None else ""
            reason = "the same text" if alike == 1 else "nearly the same text"
            faults[number] = Fault(reason, f"as number {first}{quoted}" + (f", {alike:.2f}" if alike < 1 else ""))
        return Judged(self.kept == np.arange(len(self.kept)), faults)


def exact_duplicates(texts: Iterable[str]) -> Duplicates:
    """Texts that are equal to an earlier one, but for case, spacing and Unicode's compatible forms (NFKC).

    The texts are read once; in memory is a hash of 128 bits for each distinct one.
    """
    first: dict[int, int] = {}
    kept = []
    for number, text in enumerate(texts):
        key = xxhash.xxh3_128_intdigest(normalised(text).encode("utf-8", "surrogatepass"))
        kept.append(first.setdefault(key, number))
    numbers = np.array(kept, dtype=np.int64)
    again = np.flatnonzero(numbers != np.arange(len(numbers)))
    return Duplicates(numbers, dict.fromkeys(again.tolist(), 1.0))


def near_duplicates(texts: Iterable[str], settings: NearDuplicates | None = None) -> Duplicates:
    """Texts that are nearly the same as an earlier one that is kept.

    Texts are taken in order, and each is held against those that were kept before it: whatever is left out has a true
    Jaccard similarity of the threshold or more with the text that is kept for it, and no chain of small changes leaves
    out what the kept text does not resemble. The outcome depends on the texts, their order and the settings only; what
    was kept is kept again. A pair that is just as alike as the threshold is missed with a probability of 1 % or less,
    one that is more alike less often.

    Args:
        texts: The texts, read once. In memory are the shingles of those that are kept, eight bytes each.
        settings: What is nearly the same.
    """
    said = settings or NearDuplicates()
    near = Nearest(said)
    kept: list[int] = []
    similarity: dict[int, float] = {}
    for number, text in enumerate(texts):
        found = near.find_or_add(text, number)
        kept.append(number if found is None else found[0])
        if found is not None:
            similarity[number] = found[1]
    return Duplicates(np.array(kept, dtype=np.int64), similarity)


class Nearest:
    """An index of texts that finds which of them a text is nearly the same as.

    Args:
        settings: What is nearly the same.
    """

    def __init__(self, settings: NearDuplicates) -> None:
        from datasketch import MinHash, MinHashLSH

        self._threshold = settings.threshold
        rows = _rows_a_band(settings.threshold)
        self._empty = MinHash(num_perm=_PERMUTATIONS, seed=settings.seed, hashfunc=_same)
        self._by = {
            kind: MinHashLSH(num_perm=_PERMUTATIONS, params=(_PERMUTATIONS // rows, rows))
            for kind in ("words", "characters")
        }
        self._shingles: dict[int, Shingles] = {}
        self._same: dict[bytes, int] = {}  # what is alike in everything needs no search, however often it stands there
        self._words = WordHashes()

    def add(self, text: str, number: int) -> None:
        """Take a text that others may be nearly the same as; ``number`` is its own."""
        shingles = Shingles.of(text, self._words)
        if shingles.key not in self._same:
            self._add(shingles, self._sketches(shingles), number)

    def find(self, text: str) -> tuple[int, float] | None:
        """The text that is most alike of those that are alike enough, by number, and how much; None without any."""
        shingles = Shingles.of(text, self._words)
        if (same := self._same.get(shingles.key)) is not None:
            return same, 1.0
        return self._find(shingles, self._sketches(shingles))

    def find_all(self, text: str) -> list[tuple[int, float]]:
        """All texts that are alike enough, by number, and how much; of such as are alike in everything the first."""
        shingles = Shingles.of(text, self._words)
        return self._alike(shingles, self._sketches(shingles))

    def find_or_add(self, text: str, number: int) -> tuple[int, float] | None:
        """What :meth:`find` finds; where it finds nothing, the text is taken."""
        shingles = Shingles.of(text, self._words)
        if (same := self._same.get(shingles.key)) is not None:
            return same, 1.0
        sketches = self._sketches(shingles)
        found = self._find(shingles, sketches)
        if found is None:
            self._add(shingles, sketches, number)
        return found

    def _sketches(self, shingles: Shingles) -> dict[str, Any]:
        """A MinHash for each kind of shingles."""
        sketches = {}
        for kind, values in shingles.compared():
            sketches[kind] = self._empty.copy()
            sketches[kind].update_batch((values >> np.uint64(32)).tolist())
        return sketches

    def _find(self, shingles: Shingles, sketches: dict[str, Any]) -> tuple[int, float] | None:
        return max(self._alike(shingles, sketches), key=lambda found: (found[1], -found[0]), default=None)

    def _alike(self, shingles: Shingles, sketches: dict[str, Any]) -> list[tuple[int, float]]:
        """What is alike enough, by number, with the true similarity."""
        candidates = {number for kind, sketch in sketches.items() for number in self._by[kind].query(sketch)}
        alike = [(number, shingles.similarity(self._shingles[number])) for number in sorted(candidates)]
        return [each for each in alike if each[1] >= self._threshold]

    def _add(self, shingles: Shingles, sketches: dict[str, Any], number: int) -> None:
        self._shingles[number] = shingles
        self._same[shingles.key] = number
        for kind, sketch in sketches.items():
            self._by[kind].insert(number, sketch)


@dataclass(frozen=True, eq=False)
class Shingles:
    """The distinct shingles of a text as sorted hashes, of the kinds by which it may be compared.

    Attributes:
        words: uint64, of its runs of five words; None for a text of fewer than twenty.
        characters: uint64, of its runs of five characters; None for a text of forty words or more, which is at least
            twice as long as any that is compared by characters.
        key: The same for texts with the same shingles in the same order.
    """

    words: UInt64 | None
    characters: UInt64 | None
    key: bytes

    @classmethod
    def of(cls, text: str, words: WordHashes | None = None) -> Shingles:
        """Those of a text; ``words`` remembers hashes from one text to the next."""
        found = words_of(text)
        spelt = " ".join(found) if found else normalised(text)
        by_words = by_characters = None
        if len(found) >= _LONG:
            by_words = np.unique(runs(*(words or WordHashes()).of([text]), _RUN)[0])
        if len(found) < 2 * _LONG:
            by_characters = _of_characters(spelt)
        return cls(by_words, by_characters, hashed(spelt).to_bytes(8, "little") + len(spelt).to_bytes(8, "little"))

    def compared(self) -> list[tuple[str, UInt64]]:
        """The kinds that there are, each with its hashes."""
        kinds = {"words": self.words, "characters": self.characters}
        return [(kind, values) for kind, values in kinds.items() if values is not None]

    def similarity(self, other: Shingles) -> float:
        """Jaccard similarity: by words where both are long, else by characters; 0 where one is far longer."""
        for mine, others in ((self.words, other.words), (self.characters, other.characters)):
            if mine is not None and others is not None:
                shared = len(np.intersect1d(mine, others, assume_unique=True))
                return shared / (len(mine) + len(others) - shared)
        return 0.0


def _of_characters(text: str) -> UInt64:
    """Hashes of the distinct runs of five characters; of a shorter text, the text itself is the only one."""
    pieces = {text[start : start + _RUN] for start in range(max(len(text) - _RUN, 0) + 1)}
    return np.sort(np.fromiter(map(hashed, pieces), dtype=np.uint64, count=len(pieces)))


def _rows_a_band(threshold: float) -> int:
    """The most rows a band with which a pair at the threshold still becomes a candidate: 1 - (1 - s^r)^b >= 99 %."""
    return max(
        rows
        for rows in range(1, _PERMUTATIONS // 2 + 1)  # datasketch asks for two bands or more
        if rows == 1 or 1 - (1 - threshold**rows) ** (_PERMUTATIONS // rows) >= _RECALL
    )


def _same(value: int) -> int:
    return value
