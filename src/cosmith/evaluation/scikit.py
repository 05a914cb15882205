"""scikit-learn's modules, imported where a task asks for them."""

from __future__ import annotations

import importlib
from typing import Any

from cosmith.errors import InputError


def scikit(module: str) -> Any:
    """A module of scikit-learn, e.g. ``"metrics"``.

    Raises:
        InputError: scikit-learn is not installed.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InputError(
            "classification, clustering and judged pairs are scored with scikit-learn, which is not installed",
            field="task",
            remedy='Run: pip install "cosmith[evaluation]"',
        ) from error
    return importlib.import_module(f"sklearn.{module}")
