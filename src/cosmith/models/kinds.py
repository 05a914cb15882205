"""What kind of model a folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cosmith.models.folder import listed_modules, read_object

ModelKind = Literal["dense", "cross-encoder", "sparse", "late-interaction"]

_SETTINGS = "config_sentence_transformers.json"


def kind_of(folder: Path) -> ModelKind:
    """What a model folder says that it holds; ``dense`` where it says nothing, as with a bare transformers model.

    Args:
        folder: As :func:`cosmith.models.find_model` gives it.

    Raises:
        InputError: When one of its files cannot be read.
    """
    settings = read_object(folder / _SETTINGS)
    said = settings.get("model_type")
    if said == "MultiVectorEncoder" or says_pylate(settings):
        return "late-interaction"
    listing = folder / "modules.json"
    modules = [kind for kind, _ in listed_modules(listing)] if listing.is_file() else []
    if said == "SparseEncoder" or "SpladePooling" in modules:
        return "sparse"
    architectures = read_object(folder / "config.json").get("architectures") or [""]
    classifies = str(architectures[0]).endswith("ForSequenceClassification")
    return "cross-encoder" if said == "CrossEncoder" or (classifies and "Pooling" not in modules) else "dense"


def says_pylate(settings: Mapping[str, Any]) -> bool:
    """Whether PyLate wrote these settings; they lack a kind where the model that it began with did not say one."""
    kind = settings.get("model_type")
    return kind == "ColBERT" or (kind is None and "query_prefix" in settings)
