"""Smaller and faster: a model in other numbers and for other runtimes, with the loss measured."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmith.compression.exporting import export
    from cosmith.compression.fidelity import Fidelity, TaskChange
    from cosmith.compression.planning import Limits, Plan, plan

_PUBLIC = {
    "export": "cosmith.compression.exporting",
    "Fidelity": "cosmith.compression.fidelity",
    "TaskChange": "cosmith.compression.fidelity",
    "Limits": "cosmith.compression.planning.limits",
    "Plan": "cosmith.compression.planning.outcome",
    "plan": "cosmith.compression.planning.planning",
}

__all__ = ["Fidelity", "Limits", "Plan", "TaskChange", "export", "plan"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
