"""Training: Sources × Encoder × loss → Encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

# Imported on first use: who only reads settings does not pay for the trainer.
_PUBLIC = {
    "Candidate": "cosmith.training.merging",
    "Estimate": "cosmith.training.estimation",
    "Interrupted": "cosmith.training.interruption",
    "MergeMethod": "cosmith.training.merging",
    "MergeResult": "cosmith.training.merging",
    "Mixed": "cosmith.training.merging",
    "Plan": "cosmith.training.plan",
    "Ranks": "cosmith.training.distributed",
    "Remining": "cosmith.training.remining",
    "Strategy": "cosmith.training.encoding",
    "TrainingResult": "cosmith.training.result",
    "TrainingSettings": "cosmith.training.settings",
    "backward_step": "cosmith.training.encoding",
    "best_interpolation": "cosmith.training.merging",
    "distil": "cosmith.training.distilling",
    "estimate": "cosmith.training.estimation",
    "interpolate": "cosmith.training.merging",
    "merge": "cosmith.training.merging",
    "pareto_front": "cosmith.training.merging",
    "train": "cosmith.training.contrastive",
    "Sparsity": "cosmith.training.sparse",
    "train_late_interaction": "cosmith.training.late_interaction",
    "train_reranker": "cosmith.training.reranking",
    "train_sparse": "cosmith.training.sparse",
    "train_with_result": "cosmith.training.contrastive",
}

__all__ = [
    "Candidate",
    "Estimate",
    "Interrupted",
    "MergeMethod",
    "MergeResult",
    "Mixed",
    "Plan",
    "Ranks",
    "Remining",
    "Sparsity",
    "Strategy",
    "TrainingResult",
    "TrainingSettings",
    "backward_step",
    "best_interpolation",
    "distil",
    "estimate",
    "interpolate",
    "merge",
    "pareto_front",
    "train",
    "train_late_interaction",
    "train_reranker",
    "train_sparse",
    "train_with_result",
]

if TYPE_CHECKING:
    from cosmith.training.contrastive import train, train_with_result
    from cosmith.training.distilling import distil
    from cosmith.training.distributed import Ranks
    from cosmith.training.encoding import Strategy, backward_step
    from cosmith.training.estimation import Estimate, estimate
    from cosmith.training.interruption import Interrupted
    from cosmith.training.late_interaction import train_late_interaction
    from cosmith.training.merging import (
        Candidate,
        MergeMethod,
        MergeResult,
        Mixed,
        best_interpolation,
        interpolate,
        merge,
        pareto_front,
    )
    from cosmith.training.plan import Plan
    from cosmith.training.remining import Remining
    from cosmith.training.reranking import train_reranker
    from cosmith.training.result import TrainingResult
    from cosmith.training.settings import TrainingSettings
    from cosmith.training.sparse import Sparsity, train_sparse

__getattr__ = on_first_use(__name__, _PUBLIC)
