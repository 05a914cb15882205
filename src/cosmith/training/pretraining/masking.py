"""Which tokens of a step are hidden, and behind what."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cosmith.data import RaggedTokens

_MASKED, _RANDOM = 0.8, 0.1  # of the chosen tokens; the rest stay as they are (arXiv:1810.04805, section 3.1)


@dataclass(frozen=True)
class MaskedTokens:
    """Texts with some of their tokens hidden.

    Attributes:
        tokens: The texts as the model sees them.
        positions: int64 [M], the places in ``tokens.values`` that are to be guessed, ascending.
        labels: int64 [M], what stood there.
    """

    tokens: RaggedTokens
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]


def mask_tokens(
    tokens: RaggedTokens,
    *,
    special: NDArray[np.int64],
    mask: int,
    vocabulary: int,
    rate: float,
    seed: int,
    first: bool = True,
) -> MaskedTokens:
    """Hide a random share of the tokens: 80 % behind the mask token, 10 % behind a random one, 10 % stay.

    Args:
        tokens: The texts.
        special: Ids that are never hidden and never stand in for another.
        mask: Id of the mask token.
        vocabulary: The number of ids.
        rate: The share of tokens to guess; in each text that has any at least one.
        seed: Nothing else decides.
        first: Whether the first token of a text may be hidden (not where the token before it has to guess it).

    Returns:
        The masked texts (Devlin et al., "BERT", arXiv:1810.04805, section 3.1).
    """
    rng = np.random.default_rng(seed)
    draws = rng.random(len(tokens.values))
    draws[np.isin(tokens.values, special)] = np.inf
    if not first:
        draws[tokens.offsets[:-1][tokens.lengths > 0]] = np.inf
    lowest = np.minimum.reduceat(draws, tokens.offsets[:-1]) if len(draws) else draws
    chosen = np.isfinite(draws) & ((draws < rate) | (draws == np.repeat(lowest, np.diff(tokens.offsets))))
    positions = np.flatnonzero(chosen)
    labels = tokens.values[positions].astype(np.int64)
    allowed = np.setdiff1d(np.arange(vocabulary), special)
    how = rng.random(len(positions))
    shown = np.where(how < _MASKED, mask, np.where(how < _MASKED + _RANDOM, rng.choice(allowed, len(how)), labels))
    values = tokens.values.copy()
    values[positions] = shown
    return MaskedTokens(replace(tokens, values=values), positions, labels)
