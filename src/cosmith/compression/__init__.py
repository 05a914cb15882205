"""Smaller and faster: a model in other numbers and for other runtimes, with the loss measured."""

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

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

__getattr__ = on_first_use(__name__, _PUBLIC)
