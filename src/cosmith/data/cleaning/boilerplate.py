"""Lines that many documents have in common, and that are about none of them: navigation, cookies, copyright.

CCNet (arXiv:1911.00359, Section 3.1) removes paragraphs that other pages have as well, C4 (arXiv:1910.10683, Section
2.2) lines that speak of cookies, terms of use and JavaScript.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cosmith.data.cleaning.words import hashed, normalised
from cosmith.errors import InputError

_PHRASES = (
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
    "enable javascript", "all rights reserved",
)  # fmt: skip
_LONGEST = 30  # words of a line that one of the phrases makes boilerplate; a longer one may be about cookies


@dataclass(frozen=True)
class BoilerplateLines:
    """Which lines are boilerplate.

    Attributes:
        documents: Those that stand in so many documents or more …
        share: … and in this share of all documents or more.
        phrases: And those of up to 30 words with one of these phrases in them, whatever their number; in lower case.
    """

    documents: int = 10
    share: float = 0.02
    phrases: tuple[str, ...] = _PHRASES

    def __post_init__(self) -> None:
        if self.documents < 2:
            raise InputError(f"documents is {self.documents}", field="documents", remedy="Give at least 2.")
        if not 0 <= self.share <= 1:
            raise InputError(f"share is {self.share}", field="share", remedy="Give a share from 0 to 1.")


@dataclass(frozen=True)
class Shortened:
    """What was left of documents.

    Attributes:
        texts: The documents ``[n]`` without their boilerplate lines; empty where there was nothing else.
        removed: Of each document ``[n]``, the spans (start, stop) of its characters that went, in order.
        lines: Removed line → in how many documents it stood, the commonest first.
    """

    texts: list[str]
    removed: list[tuple[tuple[int, int], ...]]
    lines: dict[str, int]


def boilerplate_lines(texts: Iterable[str], settings: BoilerplateLines | None = None) -> frozenset[int]:
    """The hashes of the lines of documents that are boilerplate because many have them; the texts are read once.

    In memory is a number for each distinct line, not its characters.
    """
    said = settings or BoilerplateLines()
    count, documents = 0, Counter[int]()
    for text in texts:
        count += 1
        documents.update({hashed(line) for given in text.splitlines() if (line := normalised(given))})
    least = max(said.documents, said.share * count)
    return frozenset(line for line, number in documents.items() if number >= least)


def without_boilerplate(texts: Sequence[str], settings: BoilerplateLines | None = None) -> Shortened:
    """Remove lines that many documents have in common, or that speak of what web pages speak of beside their subject.

    Lines are compared in lower case and with single spaces.

    Args:
        texts: The documents.
        settings: Which lines go.
    """
    said = settings or BoilerplateLines()
    common = boilerplate_lines(texts, said)
    kept_texts, removed, lines = [], [], Counter[str]()
    for text in texts:
        spans, start = [], 0
        gone = set()
        for line in text.splitlines(keepends=True):
            shown = normalised(line)
            if shown and (hashed(shown) in common or _speaks_of(shown, said.phrases)):
                spans.append((start, start + len(line)))
                gone.add(" ".join(line.split()))
            start += len(line)
        lines.update(gone)
        removed.append(_joined(spans))
        kept_texts.append(_without(text, removed[-1]))
    return Shortened(kept_texts, removed, dict(lines.most_common()))


def _speaks_of(line: str, phrases: Sequence[str]) -> bool:
    return any(phrase in line for phrase in phrases) and len(line.split()) <= _LONGEST


def _joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for start, stop in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """A text without some spans; unchanged where there are none, empty where nothing but white space is left."""
    if not spans:
        return text
    ends = [0, *(stop for _, stop in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    left = "".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    return left if left.strip() else ""
