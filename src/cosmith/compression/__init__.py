"""Smaller and faster: a model in other numbers and for other runtimes, with the loss measured."""

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

if TYPE_CHECKING:
    from cosmith.compression.exporting import export
    from cosmith.compression.fidelity import Fidelity, TaskChange
    from cosmith.compression.planning import Limits, Plan, plan
    from cosmith.compression.shrinking.layers import drop_layers, spread_evenly
    from cosmith.compression.shrinking.measuring import ModelSize, held_out, measure_smaller
    from cosmith.compression.shrinking.static import shorten_static, static_student
    from cosmith.compression.shrinking.vocabulary import PrunedVocabulary, prune_vocabulary

_PUBLIC = {
    "export": "cosmith.compression.exporting",
    "Fidelity": "cosmith.compression.fidelity",
    "TaskChange": "cosmith.compression.fidelity",
    "Limits": "cosmith.compression.planning.limits",
    "Plan": "cosmith.compression.planning.outcome",
    "plan": "cosmith.compression.planning.planning",
    "ModelSize": "cosmith.compression.shrinking.measuring",
    "PrunedVocabulary": "cosmith.compression.shrinking.vocabulary",
    "drop_layers": "cosmith.compression.shrinking.layers",
    "held_out": "cosmith.compression.shrinking.measuring",
    "measure_smaller": "cosmith.compression.shrinking.measuring",
    "prune_vocabulary": "cosmith.compression.shrinking.vocabulary",
    "shorten_static": "cosmith.compression.shrinking.static",
    "static_student": "cosmith.compression.shrinking.static",
    "spread_evenly": "cosmith.compression.shrinking.layers",
}

__all__ = [
    "Fidelity",
    "Limits",
    "ModelSize",
    "Plan",
    "PrunedVocabulary",
    "TaskChange",
    "drop_layers",
    "export",
    "held_out",
    "measure_smaller",
    "plan",
    "prune_vocabulary",
    "shorten_static",
    "spread_evenly",
    "static_student",
]

__getattr__ = on_first_use(__name__, _PUBLIC)
