"""Texts with the name of the class or cluster that each belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cosmith.data.readers import read_classes
from cosmith.data.rows import Rejected
from cosmith.errors import InputError


@dataclass(frozen=True)
class LabelledTexts:
    """Texts, and what the class of each is called.

    Attributes:
        texts: The texts.
        labels: As many names.
        rejected: The records that cannot be used.
        instruction: Put before the texts by models that take instructions.

    Raises:
        InputError: When there are not as many labels as texts.
    """

    texts: list[str]
    labels: list[str]
    rejected: tuple[Rejected, ...] = ()
    instruction: str = ""

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise InputError(f"there are {len(self.texts)} texts, but {len(self.labels)} labels", field="labels")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def classes(self) -> list[str]:
        """The different labels in order: whole numbers by value, other names by letter."""
        names = set(self.labels)
        whole = all(name.lstrip("-").isdecimal() for name in names)
        return sorted(names, key=int) if whole else sorted(names)


@dataclass(frozen=True)
class TrainAndTest:
    """Labelled texts to learn from, and others to be tested on.

    Attributes:
        train: What a classifier learns from.
        test: What it is tested on.
    """

    train: LabelledTexts
    test: LabelledTexts

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The records of both that cannot be used."""
        return self.train.rejected + self.test.rejected

    @property
    def instruction(self) -> str:
        """That of the tested texts; both are encoded with it."""
        return self.test.instruction


def read_labelled_texts(path: str | Path, *, rejected: str | Path | None = None) -> LabelledTexts:
    """Read texts and their labels from the columns that :func:`cosmith.data.read_classes` finds.

    Args:
        path: As :func:`cosmith.data.open_table` takes it.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`cosmith.data.read_classes`.
    """
    read = read_classes(path, rejected=rejected)
    return LabelledTexts(read.texts, read.labels, tuple(read.rejected))
