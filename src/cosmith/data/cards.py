"""The data card of training rows: where they are from, how they were made, and what is known to be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.atomic import atomic_file
from cosmith.data.row_arrays import RowArrays
from cosmith.data.source import Source
from cosmith.phrases import counted, one_line, share

UInt64 = npt.NDArray[np.uint64]

DATA_CARD = "data.md"
"""What the file is called."""

_SAMPLE = 300  # characters of a text in a sample
_ROWS = 1 << 16  # that are looked at together


@dataclass(frozen=True)
class Contents:
    """What stands in a source.

    Attributes:
        name: What it is called.
        rows, texts: How many it has; of the texts, those that stand in a row.
        positives, negatives: How many its rows have in all.
        duplicates: Rows whose query and positives are those of an earlier row.
        several: Queries that stand in more than one row.
        task, instruction: What it is for.
        fingerprint: Of its rows and settings.
    """

    name: str
    rows: int
    texts: int
    positives: int
    negatives: int
    duplicates: int
    several: int
    task: str
    instruction: str
    fingerprint: str

    @classmethod
    def of(cls, source: Source, name: str) -> Contents:
        """Count a source; its texts are not read. Held are 8 bytes a row and two a text."""
        keys = np.empty(len(source), dtype=np.uint64)
        times = np.zeros(len(source.texts), dtype=np.uint8)  # 2: several
        used = np.zeros(len(source.texts), dtype=np.bool_)
        for start in range(0, len(source), _ROWS):
            rows = source.arrays.take(np.arange(start, min(start + _ROWS, len(source))))
            keys[start : start + _ROWS] = _row_keys(rows)
            asked, counts = np.unique(rows.query, return_counts=True)
            times[asked] = np.minimum(times[asked] + counts, 2)
            for numbers in (rows.query, rows.positives, rows.negatives):
                used[numbers] = True
            source.let_go()
        keys.sort()
        return cls(
            name=name,
            rows=len(source),
            texts=int(used.sum()),
            positives=len(source.positives),
            negatives=len(source.negatives),
            duplicates=int((keys[1:] == keys[:-1]).sum()),
            several=int((times == 2).sum()),
            task=source.settings.task,
            instruction=source.settings.instruction,
            fingerprint=source.fingerprint(),
        )


def _row_keys(rows: RowArrays) -> UInt64:
    """A number for each row, uint64 [R], equal for rows of the same query, label and positives in whatever order.

    That two of ten million different rows share one has a probability of about 10^-6.
    """
    totals = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(_mixed(rows.positives), dtype=np.uint64)])
    ends = rows.positive_offsets
    sums = totals[ends[1:]] - totals[ends[:-1]]
    keys = _mixed(_mixed(_mixed(rows.query)) + sums)  # twice: a query is told from a positive
    return keys if rows.labels is None else _mixed(keys + rows.labels.astype(np.uint64))


def _mixed(values: npt.NDArray[Any]) -> UInt64:
    """A hash of each number modulo 2^64: the step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, Figure 15)."""
    mixed: UInt64 = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True)
class DataCard:
    """What is to be known of prepared training rows.

    Attributes:
        title: What they are called.
        how_made: What made them, one sentence.
        settings: The settings of what made them.
        where_from: The files and earlier steps that they come from, a line each, in order.
        contents: What stands in each source that was made.
        counts: What was counted on the way, name → number.
        splits: Part → what is in it, name → number.
        dropped: Reason → how many were left out for it.
        steps: What each filter did, a line each.
        told: What else was found, a line each.
        samples: Some rows or texts, each as names → texts.
        contamination: What the rows and the test sets have in common, a line each; empty where nothing was checked.
    """

    title: str
    how_made: str
    settings: Mapping[str, Any]
    where_from: Sequence[str] = ()
    contents: Sequence[Contents] = ()
    counts: Mapping[str, int | float] = field(default_factory=dict)
    splits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    steps: Sequence[str] = ()
    told: Sequence[str] = ()
    samples: Sequence[Mapping[str, str]] = ()
    contamination: Sequence[str] = ()

    def markdown(self, *, unchecked: str = "No stage has trained on these rows yet.") -> str:
        """The card as a page of Markdown; ``unchecked`` says why, or what to do, where no test set was looked at."""
        parts = [f"# {self.title}", self.how_made]
        parts += _section("Where from", _listed(self.where_from))
        parts += _section("How made", _settings(self.settings))
        parts += _section("What is in it", "\n\n".join(map(_contents, self.contents)))
        parts += _section("Counts", _counts(self.counts, self.splits))
        left_out = {reason: f"{number:,}" for reason, number in self.dropped.items()}
        parts += _section("Left out", "\n\n".join(filter(None, [_table(["why", "number"], left_out.items()),
                                                                _listed(self.steps)])))  # fmt: skip
        parts += _section("Duplicates", _listed(map(_duplicates, self.contents)))
        checked = _listed(self.contamination) or f"Not held against a test set. {unchecked}"
        parts += _section("Contamination", checked)
        parts += _section("Found", _listed(self.told))
        parts += _section("Samples", "\n\n".join(map(_sample, self.samples)))
        return "\n\n".join(parts) + "\n"


def write_data_card(folder: str | Path, card: DataCard) -> Path:
    """Write a card as ``data.md`` into a folder, atomically.

    Raises:
        StorageError: When it cannot be written; an older card stands unchanged.
    """
    path = Path(folder) / DATA_CARD
    with atomic_file(path) as handle:
        handle.write(card.markdown())
    return path


def _section(title: str, body: str) -> list[str]:
    return [f"## {title}", body] if body else []


def _listed(lines: Any) -> str:
    return "\n".join(f"* {_escaped(line)}" for line in lines)


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}: {_plain(value)}`" for name, value in settings.items())


def _plain(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else one_line(str(value), 200).replace("`", "'")


def _contents(contents: Contents) -> str:
    said = f"`{contents.name}`: {counted(contents.rows, 'row')} over {counted(contents.texts, 'text')}"
    said += f", {counted(contents.positives, 'positive')}, {counted(contents.negatives, 'negative')}"
    said += f"; task {contents.task}" + (f", instruction “{contents.instruction}”" if contents.instruction else "")
    return f"{said}. Fingerprint `{contents.fingerprint}`."


def _duplicates(contents: Contents) -> str:
    return (
        f"{contents.name}: {contents.duplicates:,} of {counted(contents.rows, 'row')}"
        f" ({share(contents.duplicates / contents.rows) if contents.rows else '0 %'}) have the query and the answers of"
        f" an earlier one; {counted(contents.several, 'query stands', 'queries stand')} in several rows"
    )


def _counts(counts: Mapping[str, int | float], splits: Mapping[str, Mapping[str, int]]) -> str:
    tables = [_table(["what", "number"], ((name, _number(number)) for name, number in counts.items()))]
    if splits:
        parts = (
            (name, ", ".join(f"{number:,} {what}" for what, number in part.items())) for name, part in splits.items()
        )
        tables.append(_table(["part", "what is in it"], parts))
    return "\n\n".join(filter(None, tables))


def _number(number: int | float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}"


def _table(heads: Sequence[str], rows: Any) -> str:
    lines = [f"| {' | '.join(map(_escaped, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines]) if lines else ""


def _sample(sample: Mapping[str, str]) -> str:
    return "\n".join(f"* **{name}**: {_escaped(one_line(text, _SAMPLE))}" for name, text in sample.items())


def _escaped(text: str) -> str:
    """A text that shows as it is: no markup, no cell of its own."""
    shown = " ".join(str(text).split())
    for mark in ("\\", "|", "`", "*", "_", "<", "[", "#"):
        shown = shown.replace(mark, f"\\{mark}")
    return shown
