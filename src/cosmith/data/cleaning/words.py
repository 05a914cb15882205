"""Texts as they are compared: without what does not change their meaning, as words, and as hashes of words in a row."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.ragged import Int64, offsets_of

UInt64 = npt.NDArray[np.uint64]

# What may stand around a word without being a part of it; not + # - / %, by which C++, C# and -1 differ from C and 1.
_AROUND = ".,;:!?\"'()[]{}<>…“”„‘’«»‹›¿¡*_`|、。・「」『』【】〈〉《》"
# Scripts that write no spaces between words: each of their characters counts as a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECES = re.compile(f"[{_UNSPACED}]|[^{_UNSPACED}]+")
_REMEMBERED = 1 << 17  # words whose hashes are kept: some 15 MB
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no word is lost in the product modulo 2^64


def normalised(text: str) -> str:
    """A text in Unicode's compatibility form (NFKC), in lower case, with single spaces: how duplicates are equal."""
    return " ".join(_folded(text).split())


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without the punctuation around them.

    What is nothing but punctuation is no word. In Chinese and Japanese each character is one.
    """
    folded = _folded(text)
    words = [word for given in folded.split() if (word := given.strip(_AROUND))]
    if text.isascii():
        return words
    pieces = (piece.strip(_AROUND) for word in words for piece in _PIECES.findall(word))
    return [piece for piece in pieces if piece]


def _folded(text: str) -> str:
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def hashed(text: str) -> int:
    """xxh3_64 of a text's UTF-8 bytes, without sign."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


class WordHashes:
    """Turns texts into arrays of their words' hashes, and remembers those of some words."""

    def __init__(self) -> None:
        self._known = _Hashes()

    def of(self, texts: Iterable[str]) -> tuple[UInt64, Int64]:
        """The hashes of the words of n texts, one text after another, and offsets ``[n + 1]``."""
        hashes, lengths = array("Q"), array("q")
        for text in texts:
            words = words_of(text)
            hashes.extend(map(self._known.__getitem__, words))
            lengths.append(len(words))
        return np.array(hashes, dtype=np.uint64), offsets_of(np.array(lengths, dtype=np.int64))


class _Hashes(dict[str, int]):
    """Word → hash; begun anew where there are too many, as of numbers and names there may be one in every text."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[word] = value = hashed(word)
        return value


def runs(hashes: UInt64, offsets: Int64, length: int) -> tuple[UInt64, Int64]:
    """Every run of ``length`` values within a row of a ragged array (the n-grams of texts), as one hash each.

    Args:
        hashes: uint64, the values, row after row.
        offsets: ``[n + 1]``, where each row begins.
        length: Values in a run; at least one.

    Returns:
        uint64 hashes, in order, and int64 numbers of their rows.
    """
    counts = np.maximum(np.diff(offsets) - length + 1, 0)
    rows = np.repeat(np.arange(len(counts)), counts)
    starts = np.arange(int(counts.sum())) + np.repeat(offsets[:-1] - offsets_of(counts)[:-1], counts)
    found = np.zeros(len(starts), dtype=np.uint64)
    for step in range(length):  # a polynomial modulo 2^64 in the words' hashes: their order counts
        found = found * _FACTOR + hashes[starts + step]
    return found, rows


def wholes(hashes: UInt64, offsets: Int64) -> UInt64:
    """Every row of a ragged array as one hash; 0 for an empty one."""
    lengths = np.diff(offsets)
    powers = np.ones(int(lengths.max(initial=0)) + 1, dtype=np.uint64)
    powers[1:] = np.cumprod(np.full(len(powers) - 1, _FACTOR, dtype=np.uint64))
    within = np.arange(len(hashes)) - np.repeat(offsets[:-1], lengths)
    found = np.zeros(len(lengths), dtype=np.uint64)
    filled = lengths > 0
    if filled.any():
        found[filled] = np.add.reduceat(hashes * powers[within], offsets[:-1][filled])
    return found
