"""What a run is watched for every few steps: gradients and updates by layer, the spread of embeddings, the scores."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from cosmith.evaluation.geometry import alignment, effective_rank, mean_cosine, uniformity
from cosmith.losses import ContrastiveSpec, LossSpec, StepStructure
from cosmith.losses.score_statistics import score_statistics
from cosmith.training.optimisation import total_norm

Parameters = Mapping[str, Sequence[torch.nn.Parameter]]

_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
_FEW = 512  # texts that stand for a step's: what is watched must cost nothing beside the step


def layer_groups(module: torch.nn.Module) -> Parameters:
    """The trained parameters by layer, from the input to the output: ``embeddings``, ``layer-00`` …, ``head``."""
    groups: dict[str, list[torch.nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(_group(name), []).append(parameter)
    return dict(sorted(groups.items(), key=lambda item: (_ORDER.get(item[0], 1), item[0])))


_ORDER = {"embeddings": 0, "head": 2}


def _group(name: str) -> str:
    found = _LAYER.search(name)
    if found:
        return f"layer-{int(found[1]):02d}"
    return "embeddings" if "embed" in name else "head"


@dataclass(frozen=True)
class Before:
    """The parameters of a run just before an update, and their gradients' norms."""

    groups: Parameters
    weights: Mapping[str, Sequence[torch.Tensor]]
    gradient_norms: Mapping[str, float]

    @classmethod
    def of(cls, groups: Parameters) -> Before:
        """Copy them; must be called before gradients are clipped."""
        gradients = {name: [p.grad for p in some if p.grad is not None] for name, some in groups.items()}
        reached = {name: _norm(some) for name, some in gradients.items() if some}  # a pooler that is not asked has none
        weights = {name: [parameter.detach().clone() for parameter in groups[name]] for name in reached}
        return cls({name: groups[name] for name in reached}, weights, reached)

    def figures(self) -> dict[str, float]:
        """After the update: the norm of the gradient, and of the update relative to the weights, by layer group."""
        figures = {f"gradient_norm/{name}": norm for name, norm in self.gradient_norms.items()}
        with torch.no_grad():
            for name, parameters in self.groups.items():
                old = self.weights[name]
                size = _norm(old)
                for before, parameter in zip(old, parameters, strict=True):
                    before.sub_(parameter)  # the copy is not needed any more, and no other is made
                figures[f"update_ratio/{name}"] = _norm(old) / size if size > 0 else math.inf
        return {name: value for name, value in figures.items() if math.isfinite(value)}


def _norm(tensors: Sequence[torch.Tensor]) -> float:
    return float(total_norm(tensors)) if tensors else 0.0


def look_at_embeddings(
    embeddings: torch.Tensor, structure: StepStructure, spec: LossSpec
) -> dict[str, float | list[int]]:
    """The spread of a step's embeddings and the scores between them.

    Args:
        embeddings: [U, D] unit rows.
        structure: Who is whose positive and negative.
        spec: The loss.

    Returns:
        Figures under ``embeddings/`` (see :mod:`cosmith.evaluation.geometry`) and ``scores/`` (see
        :class:`~cosmith.losses.score_statistics.ScoreStatistics`; of contrastive losses only, no other has
        candidates); none where a number is none: that has a doctor of its own.
    """
    if not bool(torch.isfinite(embeddings).all()):
        return {}
    with torch.no_grad():
        values = embeddings.detach().float()
        figures = dict(look_at_spread(values, _FEW))
        if len(structure.positives):
            queries = structure.query[structure.positive_row[:_FEW]]
            figures["embeddings/alignment"] = alignment(values[queries], values[structure.positives[:_FEW]])
        return {**figures, **look_at_scores(values, structure, spec)}


def look_at_spread(vectors: torch.Tensor, most: int) -> dict[str, float]:
    """How vectors [n, D] of unit length lie: figures under ``embeddings/``.

    Args:
        vectors: Finite numbers.
        most: How many of them, evenly spread, stand for all where all would cost much.
    """
    if len(vectors) < 2:
        return {}
    few = vectors[:: -(-len(vectors) // most)]
    return {
        "embeddings/mean_cosine": mean_cosine(vectors),
        "embeddings/effective_rank": effective_rank(few),
        "embeddings/uniformity": uniformity(few),
    }


def look_at_scores(
    values: torch.Tensor, structure: StepStructure, spec: LossSpec, pairs: int = 256
) -> dict[str, float | list[int]]:
    """The dot products of a step's vectors as its loss sees them: figures under ``scores/``.

    Args:
        values: [U, D], finite.
        structure: Who is whose positive and negative.
        spec: The loss; without candidates, no figures.
        pairs: About how many pairs are looked at.
    """
    figures: dict[str, float | list[int]] = {}
    if not isinstance(spec, ContrastiveSpec) or not len(structure.positives):
        return figures
    for name, value in vars(score_statistics(values, structure, spec, pairs=pairs)).items():
        if isinstance(value, tuple):
            figures[f"scores/{name}"] = list(value)
        elif math.isfinite(value):
            figures[f"scores/{name}"] = value
    return figures


def without_histograms(figures: Mapping[str, float | list[int]]) -> dict[str, float | list[int]]:
    """Those that are numbers: the bars are those of cosines."""
    return {name: value for name, value in figures.items() if not isinstance(value, list)}
