"""What comes out: rows that say what they were made from and how, and the answers that could not be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosmith.atomic import write_json_lines
from cosmith.data import TrainingRow

_SAMPLES = 3
_LONGEST_ANSWER = 500


@dataclass(frozen=True)
class Assignment:
    """What one text shall be.

    Attributes:
        language: The language to write in.
        words: About how long; 0 for as long as the passage.
        character: Who asks.
        question_type: What is asked for, of :data:`~cosmith.mining.synthesis.settings.QUESTION_TYPES`.
        difficulty: How hard it is.
        label: The class of a text to write.
    """

    language: str = ""
    words: int = 0
    character: str = ""
    question_type: str = ""
    difficulty: str = ""
    label: str = ""


@dataclass(frozen=True)
class SyntheticRow:
    """A training row that a language model wrote a part of.

    Attributes:
        row: The row; its group is the passage, or what that is a part of, so that a split keeps together what was made
            from one. A query's answer is of that document, too: no other part of it is taken for a non-answer.
        passage: The id of the passage.
        assignment: What was asked for.
        model: Who wrote it.
        template: The fingerprint of the template that it was written with.
    """

    row: TrainingRow
    passage: str
    assignment: Assignment
    model: str
    template: str

    @property
    def sort(self) -> str:
        """What distinguishes it from others: question type, class or language, or that it has the passage's own."""
        made = self.assignment
        return made.question_type or made.label or made.language or "own language"

    def record(self) -> dict[str, Any]:
        """It as plain values; :func:`cosmith.data.read_rows` reads such records, ``group`` included."""
        negatives = {"negatives": list(self.row.negatives)} if self.row.negatives else {}
        said = asdict(self.assignment)
        said["class"] = said.pop("label")  # a label is a whole number elsewhere
        return {
            "query": self.row.query,
            "positive": self.row.positives[0],
            **negatives,
            "group": self.row.group,
            **({"document_group": self.row.document_group} if self.row.document_group is not None else {}),
            "made_from": self.passage,  # not "passage", by which name readers know answers
            **{name: value for name, value in said.items() if value},
            "model": self.model,
            "template": self.template,
        }


@dataclass(frozen=True)
class RejectedAnswer:
    """An answer that could not be used.

    Attributes:
        passage: The id of the passage.
        template: The name of the template.
        reason: Why.
        answer: What was said, cut to 500 characters.
    """

    passage: str
    template: str
    reason: str
    answer: str


def rejected_answer(passage: str, template: str, reason: str, answer: str) -> RejectedAnswer:
    """One with its text cut."""
    return RejectedAnswer(passage, template, reason, answer[:_LONGEST_ANSWER])


def write_synthetic_rows(path: str | Path, rows: Iterable[SyntheticRow]) -> None:
    """Write rows as JSON lines, atomically."""
    write_json_lines(path, (each.record() for each in rows))


def write_rejected_answers(path: str | Path, rejected: Sequence[RejectedAnswer]) -> None:
    """Write rejected answers as JSON lines, atomically; where there are none, no file is left from an earlier run."""
    if rejected:
        write_json_lines(path, (asdict(each) for each in rejected))
    else:
        Path(path).unlink(missing_ok=True)


def counts_by_sort(rows: Iterable[SyntheticRow]) -> dict[str, int]:
    """How many rows there are of each sort, the commonest first."""
    return dict(Counter(each.sort for each in rows).most_common())


def samples_by_sort(rows: Iterable[SyntheticRow]) -> dict[str, list[SyntheticRow]]:
    """The first three rows of each sort, to be shown."""
    found: dict[str, list[SyntheticRow]] = {}
    for each in rows:
        shown = found.setdefault(each.sort, [])
        if len(shown) < _SAMPLES:
            shown.append(each)
    return found
