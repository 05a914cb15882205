"""The planner: the cheapest form of a model and of its vectors that keeps its quality, measured."""

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

if TYPE_CHECKING:
    from cosmith.compression.planning.candidate import COSTS, Candidate
    from cosmith.compression.planning.limits import Limits
    from cosmith.compression.planning.model_forms import ModelForm, parse_model_forms
    from cosmith.compression.planning.outcome import Plan, decide
    from cosmith.compression.planning.planning import PLAN, plan

# Imported on first use: what measures a model runs in processes of their own, which shall stay small.
_PUBLIC = {
    "COSTS": ".candidate",
    "Candidate": ".candidate",
    "Limits": ".limits",
    "ModelForm": ".model_forms",
    "PLAN": ".planning",
    "Plan": ".outcome",
    "decide": ".outcome",
    "parse_model_forms": ".model_forms",
    "plan": ".planning",
}

__all__ = ["COSTS", "PLAN", "Candidate", "Limits", "ModelForm", "Plan", "decide", "parse_model_forms", "plan"]

__getattr__ = on_first_use(__name__, _PUBLIC)
