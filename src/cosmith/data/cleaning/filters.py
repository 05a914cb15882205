"""What may be asked of texts, one after another, and how texts and rows are told what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from cosmith.data.cleaning.boilerplate import BoilerplateLines
from cosmith.data.cleaning.duplicates import NearDuplicates
from cosmith.data.cleaning.judged import Fault, Judged
from cosmith.data.cleaning.languages import Languages, judge_languages
from cosmith.data.cleaning.lengths import Length, Tokenize, judge_lengths
from cosmith.data.cleaning.quality import Repetition, Symbols, judge_repetition, judge_symbols
from cosmith.phrases import counted, one_line, share


@dataclass(frozen=True)
class ExactDuplicates:
    """Leave out what is there already, but for case and spacing."""


TextFilter: TypeAlias = Length | Languages | Repetition | Symbols
"""Judges every text by itself."""
Filter: TypeAlias = TextFilter | ExactDuplicates | NearDuplicates | BoilerplateLines

CALLED: Mapping[type, str] = {
    BoilerplateLines: "boilerplate",
    Length: "length",
    Languages: "language",
    Repetition: "repetition",
    Symbols: "symbols",
    ExactDuplicates: "exact duplicates",
    NearDuplicates: "near duplicates",
}
"""What each kind of filter is called."""

EXAMPLES = 5


def filters_asked(
    *,
    boilerplate: bool = False,
    lengths: Mapping[str, int | None] | None = None,
    languages: Sequence[str] = (),
    least_confidence: float = 0.7,
    repetition: bool = False,
    symbols: bool = False,
    exact_duplicates: bool = True,
    near_duplicates: float | None = None,
) -> list[Filter]:
    """The filters that some settings ask for, in the order that costs least: first what is cheap, last what compares.

    Args:
        boilerplate, repetition, symbols, exact_duplicates: Whether there is one of this kind.
        lengths: The limits of :class:`Length` that are said; all None: none.
        languages: Those to keep; none: all.
        least_confidence: As :class:`Languages` has it.
        near_duplicates: The threshold of :class:`NearDuplicates`; None: they stay.
    """
    limits = {name: value for name, value in (lengths or {}).items() if value is not None}
    asked: list[Filter | None] = [
        BoilerplateLines() if boilerplate else None,
        Length(**limits) if limits else None,
        Languages(tuple(languages), least_confidence) if languages else None,
        Repetition() if repetition else None,
        Symbols() if symbols else None,
        ExactDuplicates() if exact_duplicates else None,
        NearDuplicates(near_duplicates) if near_duplicates is not None else None,
    ]
    return [each for each in asked if each is not None]


@dataclass(frozen=True)
class Example:
    """Something that was left out, for a person to judge the filter by.

    Attributes:
        text: The text, or the query of a row.
        reason: Why.
        evidence: What it was seen by.
    """

    text: str
    reason: str
    evidence: str


@dataclass(frozen=True)
class Step:
    """What one filter did.

    Attributes:
        name: The filter's.
        before, after: How many rows, or texts, there were.
        dropped: Reason → how many were left out for it.
        changed: How many rows, or texts, it left with less in them.
        examples: Some of what was left out or removed.
    """

    name: str
    before: int
    after: int
    dropped: Mapping[str, int]
    changed: int = 0
    examples: tuple[Example, ...] = field(default=(), repr=False)

    def describe(self) -> str:
        """``length: 12 of 300 left out (4.0 %): fewer than 3 words 10, …``."""
        gone = self.before - self.after
        told = [f"{gone:,} of {self.before:,} left out" + (f" ({share(gone / self.before)})" if gone else "")]
        told += [f"{self.changed:,} shortened"] if self.changed else []
        why = ", ".join(f"{reason} {number:,}" for reason, number in self.dropped.items())
        return f"{self.name}: {', '.join(told)}" + (f": {why}" if why else "")


def describe_steps(steps: Iterable[Step], noun: str) -> list[str]:
    """All steps, a line each, and what is left in the end."""
    steps = list(steps)
    lines = [step.describe() for step in steps]
    return [*lines, f"{counted(steps[-1].after, noun)} of {steps[0].before:,} kept"] if steps else lines


def judge(texts: Iterable[str], settings: TextFilter, tokenize: Tokenize | None = None) -> Judged:
    """Judge texts one by one by whichever filter these are the settings of; ``tokenize`` as in `judge_lengths`."""
    match settings:
        case Length():
            return judge_lengths(texts, settings, tokenize)
        case Languages():
            return judge_languages(texts, settings)
        case Repetition():
            return judge_repetition(texts, settings)
        case Symbols():
            return judge_symbols(texts, settings)


def examples_of(faults: Mapping[int, Fault], texts: Mapping[int, str]) -> tuple[Example, ...]:
    """Some of what was left out, evenly spread; ``texts`` has those of :func:`shown`."""
    return tuple(
        Example(one_line(texts[number], 200), faults[number].reason, faults[number].evidence)
        for number in shown(faults)
    )


def shown(faults: Mapping[int, Fault]) -> list[int]:
    """The numbers of some of what was left out, evenly spread."""
    numbers = list(faults)
    return numbers[:: max(1, len(numbers) // EXAMPLES)][:EXAMPLES]
