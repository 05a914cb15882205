"""Rows whose negatives are mined anew along the way, with the model as it then is (ANCE, arXiv:2007.00808).

Which rows a step takes stays a function of (seed, step), for mining changes no row but its negatives. What the rows
hold is a function of the version that the step belongs to, ``step // every``; a version is mined once, with the
weights before its first step, and written down before that step is taken:

    mined/000001/NAME/    the Source of that name from step ``every`` on

So a run that goes on from a checkpoint finds the version that it was on, which the checkpoint names; one that stands
right before a version's first step mines it, with the weights that an undisturbed run has there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.phrases import counted
from cosmith.training.batch import TokenisedSource
from cosmith.training.distributed import Ranks

if TYPE_CHECKING:
    from cosmith.models import Encoder

_FOLDER = "mined"


@dataclass(frozen=True)
class Remining:
    """How to mine again while a model is trained.

    Attributes:
        every_epochs: Epochs from one mining to the next.
        mine: The model as it is and a folder for what is kept on the way → the Sources that are new, by name: the same
            rows with other negatives. It must depend on the weights only.
        identity: What it depends on besides, as JSON values; a run can be continued only with the same.
    """

    every_epochs: float
    mine: Callable[[Encoder, Path], Mapping[str, Source]]
    identity: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.every_epochs > 0:
            raise InputError(f"must be above 0, not {self.every_epochs}", field="every_epochs")


class MinedRows:
    """The Sources of a run in the version that the next step works on.

    Args:
        given: As they are before the first mining.
        every: Steps from one version to the next.
        folder: The run's folder.
        remining: How to mine.
        tokenise: A Source, which has a folder → the Source with its tokens.

    Attributes:
        current: The Sources of the version at hand.
        version: Its number.
    """

    def __init__(
        self,
        given: Sequence[TokenisedSource],
        every: int,
        folder: Path,
        remining: Remining,
        tokenise: Callable[[Source], TokenisedSource],
    ) -> None:
        self._given, self._every, self._folder = tuple(given), every, folder / _FOLDER
        self._remining, self._tokenise = remining, tokenise
        self.current, self.version = self._given, 0

    @property
    def name(self) -> str:
        """What a checkpoint calls the version at hand: the folder within that of the run; empty for the first rows."""
        return f"{_FOLDER}/{self.version:06d}" if self.version else ""

    def is_due(self, step: int) -> bool:
        """Whether a step (counted from 0) belongs to another version than the one at hand."""
        return step // self._every != self.version

    def bring(self, step: int, encoder: Encoder, ranks: Ranks, device: torch.device) -> None:
        """Bring the version that a step belongs to: mine it where it begins with this step, else read it.

        Args:
            step: The next step.
            encoder: The model as it is before that step, in evaluation mode.
            ranks: Who trains; the first one mines.
            device: Where they talk.

        Raises:
            InputError: When a version that should be there is not, or mining gives other rows.
        """
        version = step // self._every
        place = self._folder / f"{version:06d}"
        if version and step == version * self._every:
            ranks.together(lambda: self._mine(encoder, place) if ranks.is_first else None, device)
        self.current = ranks.together(lambda: self._read(place), device) if version else self._given
        self.version = version

    def _mine(self, encoder: Encoder, place: Path) -> None:
        on_the_way = self._folder / ".search"
        rows = {each.source.name: len(each.source) for each in self._given}
        for name, source in self._remining.mine(encoder, on_the_way).items():
            if len(source) != rows.get(name):
                raise InputError(
                    f"mining has made {counted(len(source), 'row')} of the {rows.get(name, 0):,} of {name!r}",
                    field="remine",
                    remedy="It may change negatives only.",
                )
            source.save(place / name)
        shutil.rmtree(on_the_way, ignore_errors=True)  # vectors of weights that will never be there again

    def _read(self, place: Path) -> tuple[TokenisedSource, ...]:
        if not place.is_dir():
            raise InputError(
                "the rows that this run was training on are not there", path=place,
                remedy="Remove the folder `checkpoints`, and training begins anew.",
            )  # fmt: skip
        return tuple(self._newer(each, place / each.source.name) for each in self._given)

    def _newer(self, given: TokenisedSource, place: Path) -> TokenisedSource:
        if not place.is_dir():
            return given
        source = replace(Source.load(place), name=given.source.name)
        return replace(self._tokenise(source), embed_twice=given.embed_twice)
