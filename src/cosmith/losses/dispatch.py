"""Whichever loss a spec names, of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from cosmith.losses.calling import custom
from cosmith.losses.choice import LossSpec
from cosmith.losses.custom_spec import CustomSpec
from cosmith.losses.distillation import embedding_mse, margin_mse, score_kl
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
from cosmith.losses.pairs import angle, cosent, cosine_mse, margin_contrastive, online_contrastive
from cosmith.losses.spec import ContrastiveSpec
from cosmith.losses.structure import StepStructure
from cosmith.losses.tiled import contrastive
from cosmith.losses.triplets import triplet

_FUNCTIONS: Mapping[type[Any], Callable[..., Tensor]] = {
    ContrastiveSpec: contrastive,
    TripletSpec: triplet,
    MarginSpec: margin_contrastive,
    OnlineMarginSpec: online_contrastive,
    CosineMseSpec: cosine_mse,
    CosentSpec: cosent,
    AngleSpec: angle,
    MarginMseSpec: margin_mse,
    ScoreKlSpec: score_kl,
    EmbeddingMseSpec: embedding_mse,
    CustomSpec: custom,
}


def loss_of(embeddings: Tensor, structure: StepStructure, spec: LossSpec, *, rows: slice | None = None) -> Tensor:
    """The loss of a step by its spec: the function that belongs to the spec's class.

    Args:
        embeddings: [U, D] unit rows.
        structure: The step, with what ``spec.needs`` names.
        spec: Which loss; see :func:`cosmith.losses.loss_spec`.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: As the function does.
    """
    return _FUNCTIONS[type(spec)](embeddings, structure, spec, rows=rows)
