"""The weights of a small module in its own folder: safetensors, never pickles."""

from __future__ import annotations

from pathlib import Path

import torch

from cosmith.errors import InputError

_FILE = "model.safetensors"


def load_weights(module: torch.nn.Module, folder: Path | None) -> None:
    """Give a module the weights that stand in its folder; without one it keeps its own.

    Raises:
        InputError: When they are damaged, or not those that its config.json describes.
    """
    import safetensors.torch

    if folder is None:
        return
    path = folder / _FILE
    try:
        module.load_state_dict(safetensors.torch.load_file(path))
    except (safetensors.SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"does not hold the weights that config.json describes ({reason})", path=path,
            remedy="Save or fetch the model anew.",
        ) from error  # fmt: skip


def save_weights(module: torch.nn.Module, folder: Path) -> None:
    """Write a module's weights into its folder."""
    import safetensors.torch

    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    safetensors.torch.save_file(weights, folder / _FILE, metadata={"format": "pt"})
