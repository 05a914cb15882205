"""Checkpoints that a kill cannot ruin, and the one whole number they are about.

A checkpoint is a folder that takes its name only once it is complete on the disk:

    checkpoints/000007/   weights.safetensors, optimizer.safetensors, state.json
    best/000120/          weights.safetensors of the best evaluation so far

No pickles. No generator states either: what a step draws at random is a function of (seed, step).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model

from cosmith.atomic import atomic_folder, write_json
from cosmith.errors import InputError, StorageError

_FORMAT = 1
_WEIGHTS, _OPTIMIZER, _STATE = "weights.safetensors", "optimizer.safetensors", "state.json"
_REMOVE = "Remove the folder `checkpoints`, and training begins anew."


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: Steps done.
        evaluated: The step at which the last evaluation was made; -1: none.
        score: Its score.
        base_score: The score of the model before training.
        best_score, best_step: The best evaluation of trained weights.
        without_gain: Evaluations since the best one.
        seconds: Time spent so far.
        skipped: Steps in a row, up to this one, that were left out as they had no finite loss or gradient.
        restarts: How often the run went back to a checkpoint for that reason, each time at half the learning rate.
        mined: Where the rows lie that the last step worked on, see :mod:`cosmith.training.remining`; empty: they are
            those that the run began with.
    """

    step: int = 0
    evaluated: int = -1
    score: float | None = None
    base_score: float | None = None
    best_score: float | None = None
    best_step: int = 0
    without_gain: int = 0
    seconds: float = 0.0
    skipped: int = 0
    restarts: int = 0
    mined: str = ""


def save_checkpoint(
    folder: Path,
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    identity: Mapping[str, Any],
) -> None:
    """Write the next checkpoint, then remove the one before and the best weights that it no longer needs.

    Args:
        folder: The run's folder.
        module: Its weights are written.
        optimizer: Its state is written.
        progress: Where the run stands.
        identity: What a continuation must have in common, as JSON values by part.
    """
    numbers = _numbers(folder / "checkpoints")
    place = folder / "checkpoints" / f"{max(numbers, default=0) + 1:06d}"
    with atomic_folder(place) as temporary:
        save_state(temporary, module, optimizer)
        write_json(temporary / _STATE, {"format": _FORMAT, "progress": asdict(progress), "identity": dict(identity)})
    _leave_only(folder / "checkpoints", place.name)
    _leave_only(folder / "best", _best_place(folder, progress.best_step).name)


def save_state(folder: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write the weights and the optimizer's state into a folder."""
    save_model(module, str(folder / _WEIGHTS))
    save_file(_optimizer_tensors(module, optimizer), folder / _OPTIMIZER)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run."""
    numbers = _numbers(folder / "checkpoints")
    return folder / "checkpoints" / f"{max(numbers):06d}" if numbers else None


def check_identity(checkpoint: Path, identity: Mapping[str, Any]) -> None:
    """Refuse to continue a run with other settings, sources or another model than it was begun with.

    Raises:
        InputError: Names every part that differs.
    """
    state = _state(checkpoint)
    given, then = json.loads(json.dumps(dict(identity))), state["identity"]
    for part in then.keys() | given.keys():
        old, new = then.get(part), given.get(part)
        if old == new:
            continue
        what = part
        if isinstance(old, dict) and isinstance(new, dict):
            differing = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
            what = f"{part} (" + ", ".join(f"{n}: {old.get(n)!r} then, {new.get(n)!r} now" for n in differing) + ")"
        raise InputError(
            f"this run was begun with other {what}" if part != "model" else "this run was begun with another model",
            path=checkpoint.parents[1],
            field=part,
            remedy="Give what it was begun with to continue it, or another folder to begin a new run.",
        )


def restore(checkpoint: Path, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put weights and optimizer where they were, and say where the run stood."""
    device = str(next(module.parameters()).device)
    with _reading(checkpoint):
        load_model(module, checkpoint / _WEIGHTS, device=device)
        tensors = load_file(checkpoint / _OPTIMIZER, device=device)
    names = {parameter: name for name, parameter in module.named_parameters()}
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for number, parameter in enumerate(trained):
        ending = f"/{names[parameter]}"
        kept = {key.removesuffix(ending): value for key, value in tensors.items() if key.endswith(ending)}
        if kept:
            state[number] = kept
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(**_state(checkpoint)["progress"])


class Checkpoints:
    """The checkpoints of a run: where it goes on, and when it is time for the next.

    Args:
        folder: The run's folder; None: nothing is kept.
        module: What is trained.
        optimizer: With what.
        identity: What a continuation must have in common, see :func:`save_checkpoint`.
        every_steps: Steps from one to the next; None: by time only.
        every_seconds: Seconds from one to the next; None: by steps only.
        writes: Whether this process writes them; of several ranks one does.
    """

    def __init__(
        self,
        folder: Path | None,
        module: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        identity: Mapping[str, Any],
        *,
        every_steps: int | None,
        every_seconds: float | None,
        writes: bool = True,
    ) -> None:
        self._folder, self._module, self._optimizer, self._identity = folder, module, optimizer, identity
        self._every_steps, self._every_seconds, self._writes = every_steps, every_seconds, writes
        self._saved: Progress | None = None
        self._saved_at = time.monotonic()

    def resume(self) -> Progress:
        """Put module and optimizer where the last checkpoint left them; without one, they stay as they are.

        Raises:
            InputError: When the folder's run is another one.
        """
        if self._folder is not None and (checkpoint := latest_checkpoint(self._folder)):
            check_identity(checkpoint, self._identity)
            self._saved = restore(checkpoint, self._module, self._optimizer)
        return self._saved or Progress()

    @property
    def found(self) -> bool:
        """Whether there is one, read or written by this process."""
        return self._saved is not None

    @property
    def step(self) -> int:
        """The step of the last one."""
        return self._saved.step if self._saved else 0

    def are_due(self, progress: Progress) -> bool:
        """Whether enough steps or seconds have passed since the last one."""
        steps, seconds = progress.step - self.step, time.monotonic() - self._saved_at
        by_steps = self._every_steps is not None and steps >= self._every_steps
        return by_steps or (self._every_seconds is not None and steps > 0 and seconds >= self._every_seconds)

    def lack(self, progress: Progress) -> bool:
        """Whether there is something to write: the last one does not say the same."""
        known = self._saved is not None and replace(progress, seconds=self._saved.seconds) == self._saved
        return self._folder is not None and not known

    def save(self, progress: Progress) -> None:
        """Write one, unless the last one says the same."""
        if self._folder is not None and self._writes and self.lack(progress):
            save_checkpoint(self._folder, self._module, self._optimizer, progress, self._identity)
        self._saved, self._saved_at = progress, time.monotonic()


class BestWeights:
    """The weights of the best evaluation, on disk or, for a run without a folder, in memory.

    Older ones stay on disk until the next checkpoint no longer names them.

    Args:
        folder: The run's folder, or None.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[str, torch.Tensor] = {}

    def keep(self, module: torch.nn.Module, step: int) -> None:
        """Keep the module's weights as those of this step."""
        if self._folder is None:
            self._memory = {name: value.detach().clone() for name, value in module.state_dict().items()}
            return
        place = _best_place(self._folder, step)
        with atomic_folder(place) as temporary:
            save_model(module, str(temporary / _WEIGHTS))

    def put_back(self, module: torch.nn.Module, step: int) -> None:
        """Give the module the weights that were kept at this step."""
        if self._folder is None:
            module.load_state_dict(self._memory)
        else:
            place = _best_place(self._folder, step) / _WEIGHTS
            with _reading(place):
                load_model(module, place, device=str(next(module.parameters()).device))


def _best_place(folder: Path, step: int) -> Path:
    return folder / "best" / f"{step:06d}"


def _optimizer_tensors(module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's state as ``KIND/PARAMETER``, e.g. ``exp_avg/backbone.embeddings.word_embeddings.weight``."""
    return {
        f"{kind}/{name}": value.detach().contiguous()
        for name, parameter in module.named_parameters()
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


def _state(checkpoint: Path) -> Any:
    path = checkpoint / _STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        version = state["format"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError("cannot be read", path=path, remedy=_REMOVE) from error
    if version != _FORMAT:
        raise InputError(
            f"is of format {version}, this version of Cosmith reads {_FORMAT}",
            path=path,
            remedy="Continue the run with the version it was begun with, or begin a new one in another folder.",
        )
    return state


def _numbers(folder: Path) -> list[int]:
    return [int(place.name) for place in folder.iterdir() if place.name.isdigit()] if folder.is_dir() else []


def _leave_only(folder: Path, name: str) -> None:
    """Remove what stands beside ``name``, also what a killed process left half-written."""
    if folder.is_dir():
        for place in folder.iterdir():
            if place.name != name:
                shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a torn or missing file what to do about it."""
    try:
        yield
    except (SafetensorError, FileNotFoundError) as error:
        raise StorageError(f"is damaged ({error})", path=path, remedy=_REMOVE) from error
