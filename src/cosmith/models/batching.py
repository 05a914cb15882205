"""Micro-batches of texts of similar length under a token budget: one way to batch, for training and inference.

Sorting inside a step changes neither which negatives meet nor the loss, so it is exact; it only removes padding.
"""

from __future__ import annotations

import numpy as np

from cosmith.errors import InputError

# Tokens in a micro-batch when encoding: an accelerator wants many at once, and so does a static model, whose calls take
# longer than its sums.
ACCELERATOR_TOKENS, STATIC_TOKENS = 16_384, 65_536


def micro_batches(lengths: np.ndarray, token_budget: int, *, padded: bool = False) -> list[np.ndarray]:
    """Cut texts into micro-batches, longest first.

    Longest first, so that a batch too large for the memory fails at the start rather than after an hour.

    Args:
        lengths: Tokens of each text, ``[n]``.
        token_budget: The most tokens in a micro-batch; a single longer text makes one by itself.
        padded: Whether padding counts as tokens: every text then costs as much as the longest of its micro-batch.

    Returns:
        Index arrays (int64) that together hold each of ``0 .. n-1`` once.
    """
    if token_budget < 1:
        raise InputError(f"must be at least 1, not {token_budget}", field="token_budget")
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches: list[np.ndarray] = []
    sizes = np.asarray(lengths)[order].tolist()
    start = tokens = 0
    for position, length in enumerate(sizes):
        cost = sizes[start] if padded else length
        if position > start and tokens + cost > token_budget:
            batches.append(order[start:position])
            start, tokens, cost = position, 0, length
        tokens += cost
    if start < len(order):
        batches.append(order[start:])
    return batches
