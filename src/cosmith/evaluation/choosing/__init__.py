"""Choosing a model by what it scores on one's own tasks and by what it costs."""

from __future__ import annotations

from cosmith.evaluation.choosing.candidates import DEFAULT_MODEL, choose, static_of
from cosmith.evaluation.choosing.choice import Budget, Choice, Option, decide, option_of
from cosmith.evaluation.choosing.cost import ModelCost, measure_cost
from cosmith.evaluation.choosing.sampling import sampled

__all__ = [
    "DEFAULT_MODEL",
    "Budget",
    "Choice",
    "ModelCost",
    "Option",
    "choose",
    "decide",
    "measure_cost",
    "option_of",
    "sampled",
    "static_of",
]
