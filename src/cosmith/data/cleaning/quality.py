"""Texts that repeat themselves, and texts that are hardly language: the heuristics of Gopher.

Rae et al., arXiv:2112.11446, Appendix A.1.1: repetition (Table A1) and quality. They were made for web pages in
English, of at least 50 words; shorter texts are not judged, since any two words are a large share of a few.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cosmith.data.cleaning.judged import Fault, Judged, judged
from cosmith.phrases import share

_TOP = MappingProxyType({2: 0.20, 3: 0.18, 4: 0.16})
_REPEATED = MappingProxyType({5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10})
_BULLETS = ("•", "‣", "◦", "▪", "●", "-", "*", "–")
_PARAGRAPHS = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Repetition:
    """The most of a text that may be repeated, the thresholds of Table A1.

    Attributes:
        lines, paragraphs: Share of the lines (paragraphs) that stand earlier in the text already.
        line_characters, paragraph_characters: Share of the characters that are in those.
        top: Words in a row → share of the characters in the most frequent such run, which stands at least twice.
        repeated: Words in a row → share of the characters in runs that stand more than once, each character counted
            once.
        least_words: Texts with fewer words are kept.
    """

    lines: float = 0.30
    paragraphs: float = 0.30
    line_characters: float = 0.20
    paragraph_characters: float = 0.20
    top: Mapping[int, float] = field(default_factory=lambda: _TOP)
    repeated: Mapping[int, float] = field(default_factory=lambda: _REPEATED)
    least_words: int = 50


@dataclass(frozen=True)
class Symbols:
    """How much of a text may be something else than sentences, the thresholds of Appendix A.1.1.

    Attributes:
        symbols: The most number signs and ellipses a word.
        bullets: The largest share of lines that begin with a bullet.
        ellipses: The largest share of lines that end with an ellipsis.
        letters: The least share of words with a letter in them.
        shortest, longest: The bounds of the mean length of words, in characters.
        least_words: Texts with fewer words are kept.
    """

    symbols: float = 0.1
    bullets: float = 0.9
    ellipses: float = 0.3
    letters: float = 0.8
    shortest: float = 3.0
    longest: float = 10.0
    least_words: int = 50


def judge_repetition(texts: Iterable[str], settings: Repetition | None = None) -> Judged:
    """Leave out texts that say the same again and again."""
    said = settings or Repetition()
    return judged(_repetition(text, said) for text in texts)


def judge_symbols(texts: Iterable[str], settings: Symbols | None = None) -> Judged:
    """Leave out texts that are mostly lists, symbols or fragments."""
    said = settings or Symbols()
    return judged(_symbols(text, said) for text in texts)


def _repetition(text: str, said: Repetition) -> Fault | None:
    words = text.split()
    if len(words) < said.least_words:
        return None
    for name, parts, most, most_characters in (
        ("lines", text.splitlines(), said.lines, said.line_characters),
        ("paragraphs", _PARAGRAPHS.split(text), said.paragraphs, said.paragraph_characters),
    ):
        stripped = [part.strip() for part in parts if part.strip()]
        again = _standing_earlier(stripped)
        if len(again) > most * len(stripped):
            return Fault(f"repeated {name}", share(len(again) / len(stripped)))
        within, whole = sum(map(len, again)), sum(map(len, stripped))
        if within > most_characters * whole:
            return Fault(f"characters in repeated {name}", share(within / whole))
    lengths = [len(word) for word in words]
    for length, most in {**said.top, **said.repeated}.items():
        runs = [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]
        counts = Counter(runs)
        if length in said.top:
            run, times = max(counts.items(), key=lambda item: (item[1], sum(map(len, item[0]))), default=((), 0))
            part = times * sum(map(len, run)) / sum(lengths) if times > 1 else 0.0
        else:
            part = _covered(runs, counts, lengths, length) / sum(lengths)
        if part > most:
            what = f"one run of {length} words" if length in said.top else f"repeated runs of {length} words"
            return Fault(f"characters in {what}", share(part))
    return None


def _standing_earlier(parts: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    again = []
    for part in parts:
        if part in seen:
            again.append(part)
        seen.add(part)
    return again


def _covered(
    runs: Sequence[tuple[str, ...]], counts: Mapping[tuple[str, ...], int], lengths: Sequence[int], length: int
) -> int:
    """Characters of the words that lie in a run that stands more than once."""
    covered = bytearray(len(lengths))
    for start, run in enumerate(runs):
        if counts[run] > 1:
            covered[start : start + length] = b"\1" * length
    return sum(size for size, inside in zip(lengths, covered, strict=True) if inside)


def _symbols(text: str, said: Symbols) -> Fault | None:
    words = text.split()
    if len(words) < said.least_words:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    symbols = (text.count("#") + text.count("...") + text.count("…")) / len(words)
    bullets = sum(line.startswith(_BULLETS) for line in lines) / len(lines)
    ellipses = sum(line.endswith(("...", "…")) for line in lines) / len(lines)
    letters = sum(any(map(str.isalpha, word)) for word in words) / len(words)
    mean = sum(map(len, words)) / len(words)
    if symbols > said.symbols:
        return Fault("too many symbols", f"{symbols:.2f} a word")
    if bullets > said.bullets:
        return Fault("hardly more than a list", f"{share(bullets)} of the lines begin with a bullet")
    if ellipses > said.ellipses:
        return Fault("lines that break off", f"{share(ellipses)} of the lines end with an ellipsis")
    if letters < said.letters:
        return Fault("too few words with letters", share(letters))
    if not said.shortest <= mean <= said.longest:
        return Fault("words too short or too long", f"{mean:.1f} characters on average")
    return None
