"""Which loss a Source is trained with, and whether its rows have what that loss needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.losses import (
    ContrastiveSpec,
    CosentSpec,
    CosineMseSpec,
    CustomSpec,
    LossSpec,
    Need,
    Quantisation,
    ScoreKlSpec,
    StepStructure,
    TripletSpec,
    as_spec,
    loss_name,
    loss_of,
    nested,
    quantised,
    spread_out,
)
from cosmith.phrases import counted
from cosmith.training.settings import TrainingSettings

# The column of a Source that a loss may lack, and what to do about it.
_REMEDIES: Mapping[Need, tuple[str, str]] = {
    "positives": ("positives", "Give each a positive (for a class: another text of the class), or leave them out."),
    "negatives": ("negatives", "Mine negatives first, or take a loss that needs none."),
    "scores": ("scores", "Give every row a score for each positive and each negative, or take a loss without scores."),
    "labels": ("label", "Give every row a label, or take a loss without labels."),
    "teacher": ("teacher", "Name the other model: train(..., teacher=Encoder.load(...)), or teacher in the recipe."),
}


def spec_of(source: Source, settings: TrainingSettings, batch_size: int, *, teacher: bool = False) -> LossSpec:
    """The loss of a Source: its own if it names one, else that of the settings; likewise :func:`temperature_of`.

    Where other rows must not serve as negatives, the denominators of a contrastive loss keep the row's own negatives
    only; other losses compare nothing else, or go by label.

    Args:
        source: The rows.
        settings: What the trainer says.
        batch_size: Rows a step.
        teacher: Whether there is a model whose vectors a loss may ask for.

    Raises:
        InputError: When the rows lack what the loss needs, or nothing would ever stand in a denominator, so that
            nothing could be learnt.
    """
    said = settings.loss if source.settings.loss == "default" else source.settings.loss
    try:
        spec = as_spec(said)
    except InputError as error:
        raise InputError(
            f"{error.problem}, which the source {source.name!r} asks for", field="loss", remedy=error.remedy
        ) from error
    temperature = temperature_of(source, settings)
    if temperature is not None and isinstance(spec, ContrastiveSpec | CosentSpec | ScoreKlSpec):
        spec = replace(spec, temperature=temperature)
    elif source.settings.temperature is not None:
        raise InputError(
            f"the loss of the source {source.name!r} has no temperature", field="temperature", remedy="Leave it out."
        )
    if isinstance(spec, CustomSpec):
        _require_nothing_to_train(spec)
    _check_rows(source, spec, teacher)
    _check_contrast(source, spec, batch_size)
    return _with_candidates(source, spec, batch_size) if isinstance(spec, ContrastiveSpec) else spec


def temperature_of(source: Source, settings: TrainingSettings) -> float | None:
    """The temperature that is asked for: by the Source, in its loss's parameters, or by the trainer; None: by none."""
    said = source.settings
    named = None if isinstance(said.loss, str) else said.loss.get("temperature")
    return said.temperature or named or settings.temperature


def _with_candidates(source: Source, spec: ContrastiveSpec, batch_size: int) -> ContrastiveSpec:
    in_batch = source.settings.uses_in_batch_negatives
    own_only = spec.blocks == {"own_negatives"}  # whatever the rows say of in-batch negatives
    if not in_batch:
        spec = replace(spec, denominators=(frozenset({"own_negatives"}),), other_own_positives=False)
    if (own_only or not in_batch or batch_size == 1) and not len(source.negatives):
        raise InputError(
            f"the rows of the source {source.name!r} have no negatives, and no other rows of a batch serve as such",
            field="negatives",
            remedy="Mine negatives first, or take a loss that compares rows with each other."
            if own_only
            else "Mine negatives first, or set in_batch_negatives to true with a batch size and rows above 1.",
        )
    return spec


def _check_rows(source: Source, spec: LossSpec, teacher: bool) -> None:
    """Whether the rows have what the loss needs."""
    bare = np.flatnonzero(np.diff(source.positive_offsets) == 0)
    problems: dict[Need, str | None] = {
        "positives": f"{counted(len(bare), 'row')} without a positive, row {bare[0]} the first" if len(bare) else None,
        "negatives": None if len(source.negatives) else "no negatives",
        "scores": None if source.scores is not None else "no scores",
        "labels": None if source.labels is not None and (source.labels >= 0).any() else "no labels",
        "teacher": None if teacher else "no teacher's vectors",
    }
    for need, problem in problems.items():
        if need in spec.needs and problem is not None:
            field, remedy = _REMEDIES[need]
            raise InputError(
                f"the source {source.name!r} has {problem}, which its loss {loss_name(spec)!r} needs",
                field=field,
                remedy=remedy,
            )
    if isinstance(spec, CosineMseSpec) and source.scores is not None and (np.abs(source.scores) > 1).any():
        raise InputError(
            f"the source {source.name!r} has a score of {source.scores[np.abs(source.scores).argmax()]:g}, which no"
            " cosine reaches",
            field="scores",
            remedy="Divide the scores by the highest, or take the loss 'cosent', which looks at their order only.",
        )


def _require_nothing_to_train(spec: CustomSpec) -> None:
    """Refuse a loss with weights of its own: what is trained and kept is the encoder."""
    if isinstance(spec.function, torch.nn.Module) and any(each.requires_grad for each in spec.function.parameters()):
        raise InputError(
            f"the loss {spec.name!r} has weights of its own, which would not be trained",
            field="loss",
            remedy="Call requires_grad_(False) on it where they are to stay as they are.",
        )


def _check_contrast(source: Source, spec: LossSpec, batch_size: int) -> None:
    """Whether the rows differ in what the loss compares: without, it is the same whatever the embeddings are."""
    if isinstance(spec, CosentSpec):
        several = (np.diff(source.arrays.score_offsets) > 1).any() or batch_size > 1
        if source.scores is None or not several or source.scores.min() == source.scores.max():
            problem = "has one score only" if several else "has one scored pair a step"
            raise InputError(
                f"the source {source.name!r} {problem}, and its loss learns from the order of several",
                field="scores" if several else "batch_size",
                remedy="Give rows of different scores and a batch size above 1, or take a loss without scores.",
            )
    if isinstance(spec, TripletSpec) and spec.triplets != "own":
        assert source.labels is not None  # it was checked
        classes = np.unique(source.labels[source.labels >= 0])
        if len(classes) < 2 or batch_size < 2:
            problem = "has one class only" if len(classes) < 2 else "has one row a step"
            raise InputError(
                f"the source {source.name!r} {problem}, so that no text of another class is there to be compared with",
                field="label" if len(classes) < 2 else "batch_size",
                remedy="Give rows of two classes or more and a batch size above 1, or take another loss.",
            )


def step_loss(
    structure: StepStructure,
    spec: LossSpec,
    *,
    dimension: int,
    dims: tuple[int, ...] = (),
    dim_weights: tuple[float, ...] = (),
    quantise: tuple[Quantisation, ...] = (),
    spread: float = 0.0,
    rows: slice | None = None,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The loss of a step as a function of its embeddings [U, D].

    Args:
        structure: Who is whose positive and negative.
        spec: Which loss.
        dimension: D; the loss at full size always counts, with weight 1.
        dims: Further sizes at which the loss counts (Matryoshka).
        dim_weights: Their weights; 1 each where absent.
        quantise: Forms in which the loss counts, beside the embeddings as they are, at each size; 1 each.
        spread: The weight of the spread-out term, at each size.
        rows: Only these rows as anchors (a rank's share).
    """
    loss: Callable[[torch.Tensor], torch.Tensor] = partial(loss_of, structure=structure, spec=spec, rows=rows)
    if quantise:
        loss = quantised(loss, ("float32", *quantise))
    if spread:
        loss = _spread(loss, partial(spread_out, structure=structure, rows=rows), spread)
    weighted = {dimension: 1.0} | dict(zip(dims, dim_weights or np.ones(len(dims)).tolist(), strict=True))
    return nested(loss, tuple(weighted), tuple(weighted.values())) if dims else loss


def _spread(
    loss: Callable[[torch.Tensor], torch.Tensor], term: Callable[[torch.Tensor], torch.Tensor], weight: float
) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda embeddings: loss(embeddings) + weight * term(embeddings)
