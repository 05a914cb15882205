"""Public names that are imported on first use, so that nobody pays for what he does not use (torch takes seconds)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from cosmith.errors import told_as_extra


def on_first_use(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """What a package sets as its ``__getattr__`` (PEP 562).

    Args:
        package: Its ``__name__``.
        places: Public name → the module that has it; one that begins with a dot stands in the package.

    Raises:
        InputError: On use, when torch is needed and not installed.
    """

    def found(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(places[name], package), name)
        except ModuleNotFoundError as error:
            told = told_as_extra(error, name)
            if told is None:
                raise
            raise told from error

    return found
