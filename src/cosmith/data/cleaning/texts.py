"""Cleaning of texts that stand for themselves: documents to be searched, or to make training rows of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cosmith.data.cleaning.boilerplate import BoilerplateLines, without_boilerplate
from cosmith.data.cleaning.duplicates import NearDuplicates, exact_duplicates, near_duplicates
from cosmith.data.cleaning.filters import (
    CALLED,
    EXAMPLES,
    ExactDuplicates,
    Example,
    Filter,
    Step,
    describe_steps,
    examples_of,
    judge,
    shown,
)
from cosmith.data.cleaning.judged import Fault, Judged
from cosmith.data.cleaning.lengths import Tokenize
from cosmith.data.ragged import Int64
from cosmith.errors import InputError
from cosmith.phrases import counted


@dataclass(frozen=True)
class CleanedTexts:
    """What was left of n texts.

    Attributes:
        numbers: int64, which of them were kept, ascending.
        texts: The kept ones; shorter than they were where boilerplate was removed.
        dropped: Of each other one: its number → why.
        removed: Of each text that was shortened: its number → the spans (start, stop) of its characters that went.
        steps: What each filter did.
    """

    numbers: Int64
    texts: list[str] = field(repr=False)
    dropped: dict[int, Fault] = field(repr=False)
    removed: dict[int, tuple[tuple[int, int], ...]] = field(repr=False)
    steps: tuple[Step, ...]

    def describe(self) -> list[str]:
        """What each filter did, a line each, and what is left."""
        return describe_steps(self.steps, "text")


def clean_texts(texts: Sequence[str], filters: Sequence[Filter], *, tokenize: Tokenize | None = None) -> CleanedTexts:
    """Keep the texts that pass all filters, which are asked in the order in which they stand.

    Args:
        texts: The texts.
        filters: What is asked of them.
        tokenize: As :func:`cosmith.data.cleaning.judge_lengths` has it.

    Raises:
        InputError: When no text is left, or a filter needs what is not installed or not given.
    """
    numbers, left = np.arange(len(texts)), list(texts)
    dropped: dict[int, Fault] = {}
    removed: dict[int, tuple[tuple[int, int], ...]] = {}
    steps = []
    for settings in filters:
        changed = 0
        examples: tuple[Example, ...] = ()
        if isinstance(settings, BoilerplateLines):
            shortened = without_boilerplate(left, settings)
            removed |= {int(number): spans for number, spans in zip(numbers, shortened.removed, strict=True) if spans}
            changed = sum(map(bool, shortened.removed))
            examples = tuple(
                Example(line, "boilerplate", f"in {counted(count, 'text')}")
                for line, count in list(shortened.lines.items())[:EXAMPLES]
            )
            left = shortened.texts
        found = _judged(left, settings, tokenize)
        examples = examples or examples_of(found.faults, {number: left[number] for number in shown(found.faults)})
        name = CALLED[type(settings)]
        steps.append(Step(name, len(left), int(found.keep.sum()), found.counts(), changed, examples))
        dropped |= {int(numbers[number]): fault for number, fault in found.faults.items()}
        numbers = numbers[found.keep]
        left = [text for text, kept in zip(left, found.keep, strict=True) if kept]
        require_left(steps)
    return CleanedTexts(numbers, left, dict(sorted(dropped.items())), removed, tuple(steps))


def clean_records(
    records: Sequence[Mapping[str, Any]], filters: Sequence[Filter], *, tokenize: Tokenize | None = None
) -> tuple[CleanedTexts, list[dict[str, Any]]]:
    """Clean texts with what stands beside them: their ids and titles and, of documents, sections and links.

    Args:
        records: Each with a ``text``; one that is nothing but a ``title`` is judged by that. ``sections`` and
            ``links`` tell by ``start`` and ``stop`` where they are in the text, as
            :func:`cosmith.data.documents.write_documents` has them.
        filters: What is asked of the texts.
        tokenize: As :func:`cosmith.data.cleaning.judge_lengths` has it.

    Returns:
        What was left, and the records of it.

    Raises:
        InputError: As :func:`clean_texts`.
    """
    texts = [record["text"] or record.get("title", "") for record in records]
    cleaned = clean_texts(texts, filters, tokenize=tokenize)
    left = []
    for number, text in zip(cleaned.numbers.tolist(), cleaned.texts, strict=True):
        record = dict(records[number])
        if number in cleaned.removed:
            record = _moved(record, cleaned.removed[number]) | {"text": text}
        left.append(record)
    return cleaned, left


def _moved(record: dict[str, Any], removed: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """A document whose sections and links are where they are without some spans of its text, if anything is left."""

    def place(old: int) -> int:
        return old - sum(min(old, stop) - min(old, start) for start, stop in removed)

    def moved(part: dict[str, Any]) -> dict[str, Any]:
        return part | {"start": place(part["start"]), "stop": place(part["stop"])}

    parts = {key: [moved(part) for part in record[key]] for key in ("sections", "links") if key in record}
    return record | {key: [part for part in some if part["start"] < part["stop"]] for key, some in parts.items()}


def require_left(steps: Sequence[Step]) -> None:
    """Refuse filters that leave nothing.

    Raises:
        InputError: In this case.
    """
    if steps and steps[-1].before and not steps[-1].after:
        why = ", ".join(f"{reason} {number:,}" for reason, number in steps[-1].dropped.items())
        raise InputError(
            f"the filter {steps[-1].name} leaves nothing of {steps[-1].before:,}: {why}", field="filters",
            remedy="Loosen it, or look at the data: cosmith data inspect.",
        )  # fmt: skip


def _judged(texts: list[str], settings: Filter, tokenize: Tokenize | None) -> Judged:
    match settings:
        case BoilerplateLines():
            empty = {number: Fault("nothing but boilerplate") for number, text in enumerate(texts) if not text}
            return Judged(np.array([bool(text) for text in texts], dtype=np.bool_), empty)
        case ExactDuplicates():
            return exact_duplicates(texts).judged(texts.__getitem__)
        case NearDuplicates():
            return near_duplicates(texts, settings).judged(texts.__getitem__)
        case _:
            return judge(texts, settings, tokenize)
