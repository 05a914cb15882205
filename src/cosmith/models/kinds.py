"""What kind of model a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cosmith.models.folder import listed_modules, read_object
from cosmith.models.late_interaction.folder import holds_late_interaction

ModelKind = Literal["dense", "cross-encoder", "sparse", "late-interaction"]

_SETTINGS = "config_sentence_transformers.json"


def kind_of(folder: Path) -> ModelKind:
    """What a model folder says that it holds; ``dense`` where it says nothing, as with a bare transformers model.

    Args:
        folder: As :func:`cosmith.models.find_model` gives it.

    Raises:
        InputError: When one of its files cannot be read.
    """
    if holds_late_interaction(folder):
        return "late-interaction"
    said = read_object(folder / _SETTINGS).get("model_type")
    listing = folder / "modules.json"
    modules = [kind for kind, _ in listed_modules(listing)] if listing.is_file() else []
    if said == "SparseEncoder" or "SpladePooling" in modules:
        return "sparse"
    architectures = read_object(folder / "config.json").get("architectures") or [""]
    classifies = str(architectures[0]).endswith("ForSequenceClassification")
    return "cross-encoder" if said == "CrossEncoder" or (classifies and "Pooling" not in modules) else "dense"
