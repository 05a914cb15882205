"""Losses: pure functions from the unit embeddings of a step to a number.

The contrastive core is :func:`contrastive`; which published loss it is, is data (:data:`PRESETS`). Losses of pairs,
triplets and teachers have functions of the same signature; all of them go by name in :data:`LOSSES`. A function of the
user's own is a :class:`CustomSpec`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use
from cosmith.losses.choice import LOSSES, LossSpec, as_spec, loss_name, loss_spec
from cosmith.losses.custom_spec import CustomSpec, LossFunction
from cosmith.losses.pair_specs import (
    AngleSpec,
    CosentSpec,
    CosineMseSpec,
    EmbeddingMseSpec,
    MarginMseSpec,
    MarginSpec,
    OnlineMarginSpec,
    ScoreKlSpec,
    TripletSpec,
)
from cosmith.losses.presets import PRESETS, preset
from cosmith.losses.spec import BLOCKS, Block, ContrastiveSpec, Need, Quantisation

if TYPE_CHECKING:
    from cosmith.losses.calling import custom
    from cosmith.losses.dispatch import loss_of
    from cosmith.losses.distillation import embedding_mse, margin_mse, score_kl
    from cosmith.losses.late_interaction import max_similarity
    from cosmith.losses.matryoshka import nested
    from cosmith.losses.pairs import angle, cosent, cosine_mse, margin_contrastive, online_contrastive
    from cosmith.losses.quantisation import quantised
    from cosmith.losses.spreading import spread_out
    from cosmith.losses.structure import StepStructure
    from cosmith.losses.tiled import contrastive
    from cosmith.losses.triplets import triplet

__all__ = [
    "BLOCKS",
    "LOSSES",
    "PRESETS",
    "AngleSpec",
    "Block",
    "ContrastiveSpec",
    "CosentSpec",
    "CosineMseSpec",
    "CustomSpec",
    "EmbeddingMseSpec",
    "LossFunction",
    "LossSpec",
    "MarginMseSpec",
    "MarginSpec",
    "Need",
    "OnlineMarginSpec",
    "Quantisation",
    "ScoreKlSpec",
    "StepStructure",
    "TripletSpec",
    "angle",
    "as_spec",
    "contrastive",
    "cosent",
    "cosine_mse",
    "custom",
    "embedding_mse",
    "loss_name",
    "loss_of",
    "loss_spec",
    "margin_contrastive",
    "margin_mse",
    "max_similarity",
    "nested",
    "online_contrastive",
    "preset",
    "quantised",
    "score_kl",
    "spread_out",
    "triplet",
]

# A recipe names losses without paying for torch. No module bears the name of its function: importing a module puts
# it under its name into this package, in front of the function.
_WITH_TORCH = {
    "StepStructure": "cosmith.losses.structure",
    "angle": "cosmith.losses.pairs",
    "contrastive": "cosmith.losses.tiled",
    "cosent": "cosmith.losses.pairs",
    "cosine_mse": "cosmith.losses.pairs",
    "custom": "cosmith.losses.calling",
    "embedding_mse": "cosmith.losses.distillation",
    "loss_of": "cosmith.losses.dispatch",
    "margin_contrastive": "cosmith.losses.pairs",
    "margin_mse": "cosmith.losses.distillation",
    "max_similarity": "cosmith.losses.late_interaction",
    "nested": "cosmith.losses.matryoshka",
    "online_contrastive": "cosmith.losses.pairs",
    "quantised": "cosmith.losses.quantisation",
    "score_kl": "cosmith.losses.distillation",
    "spread_out": "cosmith.losses.spreading",
    "triplet": "cosmith.losses.triplets",
}

__getattr__ = on_first_use(__name__, _WITH_TORCH)
