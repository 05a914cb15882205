"""Which settings of a merge a method reads: one rule for Python, recipes and the command line.

Said where nothing reads them they would change nothing, and nobody would know. Needs no torch, so that recipes can be
checked without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cosmith.errors import InputError

NEED_BASE = ("interpolation", "task-arithmetic", "ties")
NEED_DEV = ("greedy-soup", "interpolation")

DEFAULTS: Mapping[str, Any] = MappingProxyType({"density": 0.2, "scale": 1.0, "grid": (0.25, 0.5, 0.75, 1.0)})
"""What a method takes that reads one of these and is not told otherwise."""

_READ_BY: Mapping[str, tuple[str, ...]] = {
    "density": ("ties",),
    "scale": ("task-arithmetic", "ties"),
    "grid": ("interpolation",),
    "weights": ("soup", "slerp", "interpolation", "task-arithmetic", "ties"),  # greedy-soup finds them itself
}

SETTINGS = (*_READ_BY, "general")
"""Those that not every merge reads."""


def require_read(method: str, said: Iterable[str], *, scored: bool, written: Mapping[str, str] | None = None) -> None:
    """Refuse a setting that the merge does not read.

    Args:
        method: How to merge.
        said: Names of settings, among :data:`SETTINGS`.
        scored: Whether there is a development set.
        written: How settings are written where they are said, where not by their names: ``{"weights": "--weight"}``.

    Raises:
        InputError: It would change nothing.
    """
    for name in said:
        field = (written or {}).get(name, name)
        if name in _READ_BY and method not in _READ_BY[name]:
            *others, last = _READ_BY[name]
            methods = f"{', '.join(others)} and {last}" if others else last
            raise InputError(f"{method} has no {name}", field=field,
                             remedy=f"It belongs to {methods}: leave it out, or take another method.")  # fmt: skip
        if name == "general" and not scored:
            raise InputError("without dev nothing is scored on a general set", field=field,
                             remedy="Leave it out, or name a development set in dev.")  # fmt: skip


def settings_read(method: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Those of :data:`DEFAULTS` that the method reads, as they are said or else by default; None is not said."""
    told = {name: value for name, value in said.items() if value is not None}
    return {name: told.get(name, value) for name, value in DEFAULTS.items() if method in _READ_BY[name]}
