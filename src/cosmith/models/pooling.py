"""From token vectors to one vector a text.

All poolings work on flat tokens (texts one after the other, no padding); a padded batch is flattened by its mask
first, so left padding, right padding and variable length are one case and cannot disagree.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from cosmith.models.precision import at_least_float32

Pooling = Literal["cls", "mean", "max", "weighted_mean", "last_token", "mean_sqrt_len"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


def pool(tokens: torch.Tensor, lengths: torch.Tensor, text: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Pool token vectors text by text, in at least float32.

    Args:
        tokens: ``[total, D]``, the texts' tokens one after the other.
        lengths: Tokens of each text, ``[n]``, each at least 1.
        text: The number of each token's text, ``[total]``, ascending.
        pooling: ``cls`` the first token; ``last_token`` the last; ``mean``; ``mean_sqrt_len`` the sum over the square
            root of the length; ``max``; ``weighted_mean`` with weights 1, 2, 3, … (SGPT, arXiv:2202.08904, eq. 2).

    Returns:
        ``[n, D]``.
    """
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
        starts = lengths.cumsum(0) - lengths
        weights = (torch.arange(len(text), device=text.device) - starts[text] + 1).to(tokens.dtype)
        return _sum(tokens * weights[:, None], lengths, text) / (lengths * (lengths + 1) / 2)[:, None]
    divisor = lengths.to(tokens.dtype)
    if pooling == "mean_sqrt_len":
        divisor = divisor.sqrt()
    return _sum(tokens, lengths, text) / divisor[:, None]


def _sum(tokens: torch.Tensor, lengths: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    sums = tokens.new_zeros(len(lengths), tokens.shape[1])
    return sums.index_add(0, text, tokens)
