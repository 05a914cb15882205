"""What a training row is, what a trainer must know about a set of them, and how a row that cannot be used is told."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol, Self, get_args

from cosmith.atomic import atomic_file
from cosmith.errors import InputError, nearest

Task = Literal["retrieval", "sts", "classification", "clustering", "bitext", "pair"]


@dataclass(frozen=True)
class TrainingRow:
    """A query with the texts that answer it and those that do not.

    Attributes:
        query: The query, or the first of two texts.
        positives: Texts that answer it, best first; none where a label stands instead.
        negatives: Texts that do not.
        scores: A teacher's score or a graded similarity for each positive, then for each negative.
        label: A class.
        group: What must not be torn apart by a split, e.g. the document that the row was made from.
        document_group: The document that the positives are parts of; no other part of it is taken for a non-answer.
    """

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    scores: tuple[float, ...] | None = None
    label: int | None = None
    group: str | None = None
    document_group: str | None = None


@dataclass(frozen=True)
class SourceSettings:
    """What a trainer must know about a set of rows.

    Attributes:
        task: What the rows teach.
        instruction: Put before the queries by models that take instructions.
        weight: How often the set is drawn, relative to others.
        loss: The name of a loss, or a mapping of ``name`` and the parameters to change, e.g.
            ``{"name": "triplet", "margin": 0.3}``; ``"default"`` takes the trainer's.
        temperature: Of that loss; None takes the one in its parameters, else the trainer's, else the loss's own.
        in_batch_negatives: Whether other rows of a batch serve as negatives; None decides by task.
        batch_size: Rows a step (all of them where there are fewer); None takes the trainer's.
        max_query_length: Tokens at which queries are cut; None takes the model's.
        max_document_length: Tokens at which positives and negatives are cut; None takes the model's.
        prompts: The names of the model's prompts before queries and before positives and negatives; None: ``query``
            before queries, and before the others by task.

    Raises:
        InputError: When a value is not possible.
    """

    task: Task = "retrieval"
    instruction: str = ""
    weight: float = 1.0
    loss: str | Mapping[str, Any] = "default"
    temperature: float | None = None
    in_batch_negatives: bool | None = None
    batch_size: int | None = None
    max_query_length: int | None = None
    max_document_length: int | None = None
    prompts: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        tasks = get_args(Task)
        if self.task not in tasks:
            raise InputError(f"unknown task {self.task!r}", field="task", remedy=nearest(str(self.task), tasks))
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InputError(f"the weight is {self.weight}", field="weight", remedy="Give a number above 0.")
        if self.temperature is not None and not (math.isfinite(self.temperature) and self.temperature > 0):
            raise InputError(
                f"the temperature is {self.temperature}", field="temperature", remedy="Give a number above 0."
            )
        if not isinstance(self.loss, str | Mapping):
            raise InputError(
                f"the loss {self.loss!r} is no name, and a source is written to disk",
                field="loss",
                remedy="Give a function of your own to the training: TrainingSettings(loss=...).",
            )
        if not isinstance(self.loss, str) and "name" not in self.loss:
            raise InputError(
                f"the loss {dict(self.loss)} has no name", field="loss", remedy='Add it, e.g. {"name": "triplet"}.'
            )
        if self.prompts is not None:
            if isinstance(self.prompts, str) or len(self.prompts) != 2:
                raise InputError(
                    f"prompts is {self.prompts!r}",
                    field="prompts",
                    remedy="Give two names: of queries', of documents'.",
                )
            object.__setattr__(self, "prompts", tuple(self.prompts))  # JSON knows lists only
        for field in ("batch_size", "max_query_length", "max_document_length"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise InputError(f"{field} is {value}", field=field, remedy="Give at least 1, or leave it out.")

    @property
    def uses_in_batch_negatives(self) -> bool:
        """Whether other rows of a batch serve as negatives.

        Unless set, true for retrieval and bitext, false elsewhere: rows of one class or cluster, or graded pairs, are
        no negatives of each other (NV-Embed trains them in a stage of their own for that reason, arXiv:2405.17428,
        section 4.1).
        """
        if self.in_batch_negatives is not None:
            return self.in_batch_negatives
        return self.task in ("retrieval", "bitext")

    @property
    def query_prompt(self) -> str:
        """The name of the prompt of queries."""
        return "query" if self.prompts is None else self.prompts[0]

    @property
    def document_prompt(self) -> str:
        """The name of the prompt of positives and negatives: ``document`` for retrieval, else that of the queries.

        In the other tasks both sides are alike (E5, arXiv:2212.03533, section 4.3, "query: " on both).
        """
        if self.prompts is not None:
            return self.prompts[1]
        return "document" if self.task == "retrieval" else "query"


@dataclass(frozen=True)
class Rejected:
    """A row of a file that could not be used.

    Attributes:
        line: Where it begins, counted from 1 (in a Parquet file: which row).
        reason: Why.
        record: The row as it stands in the file, cut to 500 characters.
        path: The file.
    """

    line: int
    reason: str
    record: str
    path: str


def reasons(rejected: Sequence[Rejected]) -> dict[str, int]:
    """How many were rejected for each reason, the commonest first."""
    return dict(Counter(row.reason for row in rejected).most_common())


def write_rejected(path: str | Path, rejected: Iterable[Rejected]) -> None:
    """Write rejected rows as JSON lines, atomically; where there are none, no file is left from an earlier run."""
    with RejectedFile(path) as file:
        for row in rejected:
            file.append(row)


class RejectedRows(Protocol):
    """Takes the rows that cannot be used: a list, or a :class:`RejectedFile`."""

    def append(self, row: Rejected, /) -> None:
        """Take a row."""


class RejectedFile:
    """Rejected rows that go to a file of JSON lines as they come, as :func:`write_rejected` writes them.

    The file takes its name when the ``with`` block ends, in whatever way.

    Attributes:
        path: The file.
        reasons: How many there were for each reason.
        first: The first of them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.reasons: Counter[str] = Counter()
        self.first: Rejected | None = None
        self._open = ExitStack()
        self._handle: IO[str] | None = None

    def __len__(self) -> int:
        return self.reasons.total()

    def append(self, row: Rejected) -> None:
        """Take a row.

        Raises:
            StorageError: The file cannot be written.
        """
        self.first = self.first or row
        self.reasons[row.reason] += 1
        if self._handle is None:
            self._handle = self._open.enter_context(atomic_file(self.path))
        self._handle.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        if self._handle is None and self.path.exists():  # where nothing may be written, nothing needs to be removed
            self.path.unlink()
