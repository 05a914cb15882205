"""Exported models, run by ONNX Runtime or OpenVINO: texts → unit vectors, without torch and transformers."""

from cosmith.models.runtimes.description import (
    DESCRIPTION,
    IMPOSSIBLE,
    RUNTIME_PRECISIONS,
    RUNTIMES,
    ExportedModel,
    ExportRuntime,
    RuntimePrecision,
    Variant,
    is_export,
)
from cosmith.models.runtimes.encoder import RuntimeEncoder, load_runtime, try_folder
from cosmith.models.runtimes.trial import Trial

__all__ = [
    "DESCRIPTION",
    "IMPOSSIBLE",
    "RUNTIMES",
    "RUNTIME_PRECISIONS",
    "ExportRuntime",
    "ExportedModel",
    "RuntimeEncoder",
    "RuntimePrecision",
    "Trial",
    "Variant",
    "is_export",
    "load_runtime",
    "try_folder",
]
