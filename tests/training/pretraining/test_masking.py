"""Which tokens are hidden."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import RaggedTokens
from cosmith.training.pretraining import mask_tokens

SPECIAL, MASK, VOCABULARY = np.array([0, 1, 2]), 2, 50


def ragged(lengths: list[int], seed: int = 0) -> RaggedTokens:
    """Texts of random words between two special tokens."""
    rng = np.random.default_rng(seed)
    rows = [np.concatenate([[0], rng.integers(3, VOCABULARY, length), [1]]) for length in lengths]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return RaggedTokens(np.concatenate(rows).astype(np.int32), offsets, np.diff(offsets).astype(np.int32))


def masked(tokens: RaggedTokens, rate: float, seed: int):  # type: ignore[no-untyped-def]
    return mask_tokens(tokens, special=SPECIAL, mask=MASK, vocabulary=VOCABULARY, rate=rate, seed=seed)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.floats(0.01, 0.99), st.integers(0, 99))
def test_words_are_hidden_and_nothing_else_is_touched(lengths: list[int], rate: float, seed: int) -> None:
    tokens = ragged(lengths, seed)
    found = masked(tokens, rate, seed)
    np.testing.assert_array_equal(found.labels, tokens.values[found.positions])
    assert not np.isin(found.labels, SPECIAL).any()
    others = np.setdiff1d(np.arange(len(tokens.values)), found.positions)
    np.testing.assert_array_equal(found.tokens.values[others], tokens.values[others])
    assert not np.isin(found.tokens.values[found.positions], [0, 1]).any()
    in_text, _ = np.histogram(found.positions, tokens.offsets)
    assert all((count > 0) == (length > 0) for count, length in zip(in_text, lengths, strict=True))
    again = masked(tokens, rate, seed)
    np.testing.assert_array_equal(again.tokens.values, found.tokens.values)


def test_the_shares_are_berts() -> None:
    tokens = ragged([2000] * 50)
    found = masked(tokens, 0.15, 1)
    shown = found.tokens.values[found.positions]
    assert abs(len(found.positions) / 100_000 - 0.15) < 0.005
    assert abs((shown == MASK).mean() - 0.8) < 0.015
    same = (shown == found.labels).mean()  # 10 % on purpose, and a random word is the right one once in 47
    assert abs(same - (0.1 + 0.1 / 47)) < 0.01
    assert len(found.positions) != len(masked(tokens, 0.15, 2).positions)
