"""Which loss a Source is trained with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.losses import ContrastiveSpec, StepStructure, contrastive, nested, preset
from cosmith.training.settings import TrainingSettings


def spec_of(source: Source, settings: TrainingSettings, batch_size: int) -> ContrastiveSpec:
    """The contrastive loss of a Source: its own preset if it names one, else that of the settings.

    Where other rows must not serve as negatives, the denominators keep the row's own negatives only.

    Raises:
        InputError: When nothing would ever stand in a denominator, so that nothing could be learnt.
    """
    named = source.settings.loss
    spec = preset(named) if named != "default" else settings.loss
    if not isinstance(spec, ContrastiveSpec):
        spec = preset(spec)
    if settings.temperature is not None:
        spec = replace(spec, temperature=settings.temperature)
    in_batch = source.settings.uses_in_batch_negatives
    if not in_batch:
        spec = replace(spec, denominators=(frozenset({"own_negatives"}),), other_own_positives=False)
    alone = not in_batch or batch_size == 1 or spec.blocks == {"own_negatives"}
    if alone and not len(source.negatives):
        raise InputError(
            f"the rows of the source {source.name!r} have no negatives, and no other rows of a batch serve as such",
            field="negatives",
            remedy="Mine negatives first, or set in_batch_negatives to true with a batch size and rows above 1.",
        )
    return spec


def step_loss(
    structure: StepStructure,
    spec: ContrastiveSpec,
    *,
    dimension: int,
    dims: tuple[int, ...] = (),
    dim_weights: tuple[float, ...] = (),
    rows: slice | None = None,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The loss of a step as a function of its embeddings [U, D].

    Args:
        structure: Who is whose positive and negative.
        spec: Which contrastive loss.
        dimension: D; the loss at full size always counts, with weight 1.
        dims: Further sizes at which the loss counts (Matryoshka).
        dim_weights: Their weights; 1 each where absent.
        rows: Only these rows as anchors (a rank's share).
    """
    loss = partial(contrastive, structure=structure, spec=spec, rows=rows)
    weighted = {dimension: 1.0} | dict(zip(dims, dim_weights or np.ones(len(dims)).tolist(), strict=True))
    return nested(loss, tuple(weighted), tuple(weighted.values())) if dims else loss
