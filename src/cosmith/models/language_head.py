"""The words of a decoder's head, which turns states into words: a backbone is loaded without them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from cosmith.errors import InputError
from cosmith.models.adapters import base_of
from cosmith.models.folder import read_spec
from cosmith.models.packaged import find_model

_NAME = "lm_head.weight"
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"


def language_head_file(name_or_folder: str | Path) -> Path | None:
    """The file in a model's folder that holds the weights of a head of its own; None: none does.

    Folders of language models have one, those that were saved as embedding models mostly not. Of an adapter's folder it
    is that of the model that it stands beside.

    Args:
        name_or_folder: As :meth:`cosmith.models.Encoder.load` takes it.

    Raises:
        InputError: When there is no such model, or a file of it is damaged.
    """
    import safetensors

    folder = find_model(name_or_folder)
    base = base_of(folder)
    if base is not None:
        return language_head_file(base)
    folder = read_spec(folder).backbone
    path = folder / _WEIGHTS
    if (folder / _INDEX).is_file():
        path = _shard(folder / _INDEX) or path
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, "pt") as file:
            return path if _NAME in file.keys() else None  # noqa: SIM118 - it is no dictionary
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"is damaged ({error})", path=path, remedy="Save or fetch the model anew.") from error


def read_language_head(name_or_folder: str | Path) -> torch.Tensor | None:
    """The weights of the head of a model's folder, float32 [words, hidden]; None where it has none of its own.

    Raises:
        InputError: As :func:`language_head_file`.
    """
    import safetensors

    path = language_head_file(name_or_folder)
    if path is None:
        return None
    with safetensors.safe_open(path, "pt") as file:
        weight: torch.Tensor = file.get_tensor(_NAME)
    return weight.float()


def _shard(index: Path) -> Path | None:
    """Which of several files holds the head, as their index says."""
    try:
        name = json.loads(index.read_text(encoding="utf-8"))["weight_map"].get(_NAME)
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise InputError("cannot be read", path=index, remedy="Save or fetch the model anew.") from error
    return None if name is None else index.parent / Path(str(name)).name
