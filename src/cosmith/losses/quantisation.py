"""Quantisation-aware training: one loss on the embeddings as they will be stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

import torch
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses.spec import Quantisation, check_choice
from cosmith.losses.views import shares_of, summed


def quantised(
    loss: Callable[[Tensor], Tensor],
    kinds: Quantisation | Sequence[Quantisation],
    weights: Sequence[float] | None = None,
) -> Callable[[Tensor], Tensor]:
    """A loss that also holds for quantised embeddings.

    The weighted sum over ``kinds`` of ``loss`` on the embeddings in that form, e.g. ``["float32", "int8"]``; the
    gradient at a quantised embedding is taken for that at the embedding (straight-through, arXiv:1308.3432). Inside
    of ``nested`` (``nested(quantised(loss, …), dims)``) each prefix is quantised as it will be stored: cut, made unit
    length, quantised. The other way round would cut embeddings that were quantised whole.

    Args:
        loss: [U, D] unit rows → scalar.
        kinds: ``float32``: as they are; ``int8``: 256 even levels between the least and the largest value that each
            dimension has in the step; ``binary``: signs. The latter two are made unit length again.
        weights: As many, finite and not negative; None: 1 each.

    Returns:
        A function of embeddings [U, D] of unit rows.

    Raises:
        InputError: When ``kinds`` is empty, repeats or has an unknown one, or ``weights`` do not fit.
    """
    forms = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if not forms:
        raise InputError("no quantisation is given", field="quantise", remedy="Give at least one, e.g. ['int8'].")
    for kind in forms:
        check_choice(kind, "quantisation", get_args(Quantisation))
    if len(set(forms)) < len(forms):
        raise InputError(f"one stands twice in {list(forms)}", field="quantise", remedy="Name each once.")
    shares = shares_of(weights, len(forms), "quantisations")
    views = [partial(_straight_through, kind=kind) for kind in forms]
    return lambda embeddings: summed(loss, views, shares, embeddings)


def _straight_through(embeddings: Tensor, kind: Quantisation) -> Tensor:
    """The quantised embeddings, with the gradient of the embeddings themselves."""
    if kind == "float32":
        return embeddings
    with torch.no_grad():
        levels = _signs(embeddings) if kind == "binary" else _eight_bits(embeddings)
        difference = torch.nn.functional.normalize(levels, dim=1) - embeddings
    return embeddings + difference


def _signs(embeddings: Tensor) -> Tensor:
    return torch.where(embeddings.isnan(), embeddings, torch.where(embeddings > 0, 1.0, -1.0).to(embeddings.dtype))


def _eight_bits(embeddings: Tensor) -> Tensor:
    least, most = embeddings.aminmax(dim=0)
    step = ((most - least) / 255).clamp(min=torch.finfo(embeddings.dtype).tiny)
    return ((embeddings - least) / step).round() * step + least
