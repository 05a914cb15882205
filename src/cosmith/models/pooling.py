"""From token vectors to one vector a text.

All poolings work on flat tokens (texts one after the other, no padding); a padded batch is flattened by its mask
first, so left padding, right padding and variable length are one case and cannot disagree.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from cosmith.errors import InputError, nearest
from cosmith.models.precision import at_least_float32

Pooling = Literal["cls", "mean", "max", "weighted_mean", "last_token", "mean_sqrt_len"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


def checked_pooling(name: str) -> Pooling:
    """A pooling by its name.

    Raises:
        InputError: When there is none of that name.
    """
    if name not in POOLINGS:
        raise InputError(f"{name!r} is no pooling", field="pooling", remedy=nearest(name, POOLINGS))
    return name


def pool(
    tokens: torch.Tensor,
    lengths: torch.Tensor,
    text: torch.Tensor,
    pooling: Pooling,
    prompt_lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """Pool token vectors text by text, in at least float32.

    Args:
        tokens: ``[total, D]``, the texts' tokens one after the other.
        lengths: Tokens of each text, ``[n]``, each at least 1.
        text: The number of each token's text, ``[total]``, ascending.
        pooling: ``cls`` the first token; ``last_token`` the last; ``mean``; ``mean_sqrt_len`` the sum over the square
            root of the length; ``max``; ``weighted_mean`` with weights 1, 2, 3, … (SGPT, arXiv:2202.08904, eq. 2).
        prompt_lengths: How many of each text's first tokens are left out, ``[n]``; None: none. The others keep the
            weights of their places, as in sentence-transformers; the last token of a text always stays.

    Returns:
        ``[n, D]``.
    """
    left_out = torch.zeros_like(lengths)
    if prompt_lengths is not None:
        left_out = torch.minimum(prompt_lengths, lengths - 1)
        kept = _positions(lengths, text) >= left_out[text]
        tokens, text, lengths = tokens[kept], text[kept], lengths - left_out
    if pooling == "last_token":
        return at_least_float32(tokens[lengths.cumsum(0) - 1])
    if pooling == "cls":
        return at_least_float32(tokens[lengths.cumsum(0) - lengths])
    tokens = at_least_float32(tokens)
    if pooling == "max":
        empty = tokens.new_full((len(lengths), tokens.shape[1]), -torch.inf)
        index = text[:, None].expand_as(tokens)
        return empty.scatter_reduce(0, index, tokens, "amax")
    if pooling == "weighted_mean":
        weights = _positions(lengths, text) + left_out[text] + 1
        totals = lengths * (lengths + 2 * left_out + 1) / 2
        return _sum(tokens * weights.to(tokens.dtype)[:, None], lengths, text) / totals[:, None]
    divisor = lengths.to(tokens.dtype)
    if pooling == "mean_sqrt_len":
        divisor = divisor.sqrt()
    return _sum(tokens, lengths, text) / divisor[:, None]


def _positions(lengths: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """The place of each token within its text, ``[total]``."""
    starts = lengths.cumsum(0) - lengths
    return torch.arange(len(text), device=text.device) - starts[text]


def _sum(tokens: torch.Tensor, lengths: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    sums = tokens.new_zeros(len(lengths), tokens.shape[1])
    return sums.index_add(0, text, tokens)
