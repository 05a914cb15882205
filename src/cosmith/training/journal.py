"""What a run writes down as it goes: JSON lines for machines, TensorBoard for eyes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from cosmith.atomic import atomic_file
from cosmith.training.checkpoint import Progress

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"

Value = float | str | list[int]
"""A metric, a word, or the counts of a histogram."""


class Journal:
    """The metrics of a run, in ``metrics.jsonl`` and ``tensorboard/`` of its folder.

    A line has ``step`` (steps done) and either the metrics of that step or ``dev``, the score of an evaluation.

    Args:
        folder: The run's folder; None writes nothing.
        progress: Where the run stands; what an interrupted run wrote beyond that is taken out again, so that no step
            is told twice.
    """

    def __init__(self, folder: Path | None, progress: Progress) -> None:
        self._folder = folder
        self._start = progress.step
        self._writer: SummaryWriter | None = None
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        _cut(folder / METRICS, progress)
        self._lines = (folder / METRICS).open("a", encoding="utf-8")

    def rewind(self, progress: Progress) -> None:
        """Take out again what was written beyond this."""
        if self._folder is not None:
            self._lines.close()
            _cut(self._folder / METRICS, progress)
            self._lines = (self._folder / METRICS).open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, Value]) -> None:
        """Write the values of a step (or of an evaluation), so that a kill of this process cannot lose them.

        Histograms, which are lists, go into ``metrics.jsonl`` only.
        """
        if self._folder is None:
            return
        self._lines.write(json.dumps({"step": step} | {name: _rounded(value) for name, value in values.items()}) + "\n")
        self._lines.flush()
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # purge_step hides from the eye what an interrupted run wrote at this step and beyond
            self._writer = SummaryWriter(str(self._folder / "tensorboard"), purge_step=self._start + 1)
        for name, value in values.items():
            if isinstance(value, float | int):
                self._writer.add_scalar(name, value, step)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._folder is not None:
            self._lines.close()
        if self._writer is not None:
            self._writer.close()


def _cut(path: Path, progress: Progress) -> None:
    """Leave the lines up to the checkpoint; a line that a kill tore is left out."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry["step"] <= (progress.evaluated if "dev" in entry else progress.step):
            kept.append(line + "\n")
    with atomic_file(path) as handle:
        handle.writelines(kept)


def _rounded(value: Value) -> Value:
    return float(f"{value:.8g}") if isinstance(value, float) else value
