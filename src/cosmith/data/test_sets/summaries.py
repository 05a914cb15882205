"""Summaries by machines, judged by people, beside summaries by people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cosmith.data.columns import require_column
from cosmith.data.record_values import UnusableError, scores_of, texts_of, usable
from cosmith.data.records import Record
from cosmith.data.rows import Rejected
from cosmith.data.tables import open_table
from cosmith.errors import InputError


@dataclass(frozen=True)
class Summaries:
    """The summaries of some texts.

    Attributes:
        human: For each text its summaries by people, one or more.
        machine: For each text its summaries by machines, two or more.
        scores: For each of these how good people find it, on any scale.
        rejected: The records that cannot be used.
        instruction: Put before the summaries by models that take instructions.

    Raises:
        InputError: When there are not as many of one as of the others.
    """

    human: list[tuple[str, ...]]
    machine: list[tuple[str, ...]]
    scores: list[tuple[float, ...]]
    rejected: tuple[Rejected, ...] = ()
    instruction: str = ""

    def __post_init__(self) -> None:
        lists = zip(self.machine, self.scores, strict=False)
        if not len(self.human) == len(self.machine) == len(self.scores) or any(len(m) != len(s) for m, s in lists):
            raise InputError("there is not a score for each summary by a machine", field="scores")

    def __len__(self) -> int:
        return len(self.human)


def read_summaries(path: str | Path, *, rejected: str | Path | None = None) -> Summaries:
    """Read summaries from the columns human_summaries, machine_summaries and relevance, all three lists.

    Args:
        path: As :func:`cosmith.data.open_table` takes it.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`cosmith.data.read_rows`.
    """
    table = open_table(path)
    remedy = "Call the columns human_summaries, machine_summaries and relevance."
    human, machine, score = (
        require_column(table.columns, "auto", part, table.path, remedy=remedy)
        for part in ("human_summaries", "machine_summaries", "summary_score")
    )

    def row_of(record: Record) -> tuple[tuple[str, ...], tuple[str, ...], tuple[float, ...]]:
        values = record.values
        by_people, by_machines = texts_of(values.get(human), human), texts_of(values.get(machine), machine)
        scores = scores_of(values.get(score))
        if not by_people:
            raise UnusableError(f"has no {human}")
        if len(by_machines) < 2 or len(scores) != len(by_machines):
            raise UnusableError(f"has {len(scores)} scores in {score} for {len(by_machines)} summaries in {machine}")
        return by_people, by_machines, scores

    rows, bad = usable(table, row_of, rejected)
    return Summaries([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], tuple(bad))
