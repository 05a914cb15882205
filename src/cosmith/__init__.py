"""Cosmith: fine-tune a text-embedding model on your own text, and know how much better your search got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

__version__ = "0.1.0"

# Imported on first use, so that `import cosmith` and `cosmith --help` do not pay for torch.
_PUBLIC = {
    "Collection": "cosmith.data",
    "Source": "cosmith.data",
    "TrainingRow": "cosmith.data",
    "Encoder": "cosmith.models",
    "load_encoder": "cosmith.models",
    "Index": "cosmith.retrieval",
    "Scores": "cosmith.evaluation",
    "evaluate_retrieval": "cosmith.evaluation",
    "evaluate_sts": "cosmith.evaluation",
    "mine_hard_negatives": "cosmith.mining",
    "TrainingSettings": "cosmith.training",
    "train": "cosmith.training",
}

__all__ = [
    "Collection",
    "Encoder",
    "Index",
    "Scores",
    "Source",
    "TrainingRow",
    "TrainingSettings",
    "__version__",
    "evaluate_retrieval",
    "evaluate_sts",
    "load_encoder",
    "mine_hard_negatives",
    "train",
]

if TYPE_CHECKING:
    from cosmith.data import Collection, Source, TrainingRow
    from cosmith.evaluation import Scores, evaluate_retrieval, evaluate_sts
    from cosmith.mining import mine_hard_negatives
    from cosmith.models import Encoder, load_encoder
    from cosmith.retrieval import Index
    from cosmith.training import TrainingSettings, train

__getattr__ = on_first_use(__name__, _PUBLIC)
