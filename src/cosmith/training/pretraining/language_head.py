"""From hidden states back to words: the head that masked-language training needs and that is dropped after it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch.utils.checkpoint import checkpoint

_ROWS = 1_024  # whose logits over the vocabulary are held at once


class LanguageHead(torch.nn.Module):
    """BERT's head: a dense layer, GELU, a norm, then the scores of all words by the input embeddings (tied) and a bias.

    Args:
        hidden: Width of the states.
        embedding: Width of the word embeddings.
        vocabulary: How many words.
        seed: Of the weights.
    """

    def __init__(self, hidden: int, embedding: int, vocabulary: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.dense = torch.nn.Linear(hidden, embedding)
            torch.nn.init.normal_(self.dense.weight, std=0.02)
            torch.nn.init.zeros_(self.dense.bias)
        self.norm = torch.nn.LayerNorm(embedding, eps=1e-12)  # BERT's: the states are small at first
        self.bias = torch.nn.Parameter(torch.zeros(vocabulary))

    def forward(self, states: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """States [n, hidden] and word embeddings [V, embedding] → scores [n, V]."""
        shaped: torch.Tensor = self.norm(torch.nn.functional.gelu(self.dense(states)))
        return torch.nn.functional.linear(shaped, words, self.bias)


class DecoderHead(torch.nn.Module):
    """A decoder's own head: scores by its input embeddings (tied), or by words of its own.

    Args:
        cap: Scores are squeezed into ±cap (Gemma 2's ``final_logit_softcapping``); None: they are left as they are.
        weight: The words of its own, [V, hidden]; None: it is tied.
    """

    weight: torch.nn.Parameter | None

    def __init__(self, cap: float | None, weight: torch.Tensor | None = None) -> None:
        super().__init__()
        self.cap = cap
        self.weight = None if weight is None else torch.nn.Parameter(weight)

    def forward(self, states: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """States [n, hidden] and word embeddings [V, hidden] → scores [n, V]."""
        scores = torch.nn.functional.linear(states, words if self.weight is None else self.weight)
        return scores if self.cap is None else torch.tanh(scores / self.cap) * self.cap


def word_loss(
    head: LanguageHead | DecoderHead,
    words: torch.Tensor,
    labels: torch.Tensor,
    *,
    rows: slice,
    compute_in: Callable[[], AbstractContextManager[object]],
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The mean cross-entropy of the hidden words as a function of their states [M, hidden].

    Scores over the vocabulary are made for a block of words at a time, and again on the way back.

    Args:
        head: Turns states into scores.
        words: The word embeddings [V, embedding], trained as well where the head is tied to them.
        labels: int64 [M].
        rows: The words that this rank answers for; the mean is over all M, so that ranks add up.
        compute_in: The context of lower precision.
    """

    def of_block(states: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        with compute_in():
            scores = head(states, words)
        return torch.nn.functional.cross_entropy(scores.float(), wanted, reduction="sum")

    def loss(states: torch.Tensor) -> torch.Tensor:
        total = states.new_zeros(())
        for block, wanted in zip(torch.split(states[rows], _ROWS), torch.split(labels[rows], _ROWS), strict=True):
            total = total + checkpoint(of_block, block, wanted, use_reentrant=False)
        return total / len(labels)

    return loss
