"""Merging: one model out of several, and which mixtures of them nothing beats."""

from cosmith.training.merging.interpolation import Mixed, best_interpolation, interpolate
from cosmith.training.merging.merge import MergeMethod, MergeResult, merge
from cosmith.training.merging.pareto import Candidate, pareto_front

__all__ = [
    "Candidate",
    "MergeMethod",
    "MergeResult",
    "Mixed",
    "best_interpolation",
    "interpolate",
    "merge",
    "pareto_front",
]
