"""How long a text is for whoever is to read it."""

from __future__ import annotations

import re
from typing import Protocol

import numpy as np

from cosmith.data.ragged import Int64

_WORD = re.compile(r"[\u3040-\u9fff]|[^\W\u3040-\u9fff]+|[^\w\s]")  # a character of Chinese or Japanese, a word, a mark


class TextMeasure(Protocol):
    """The tokens of texts; :meth:`cosmith.models.Encoder.measure` gives a model's own."""

    @property
    def limit(self) -> int | None:
        """The most tokens that are read, in the sense of :meth:`count`; None: any number."""

    def spans(self, text: str) -> Int64:
        """Where the tokens of a text stand: int64 ``[tokens, 2]``, first and behind-the-last character of each."""

    def count(self, text: str) -> int:
        """How many tokens are read where this text is given, all that a model adds to it included."""


class WordMeasure:
    """Words, numbers and punctuation marks as tokens, fewer than a model's: it has several for rare words."""

    limit: int | None = None

    def spans(self, text: str) -> Int64:
        """Where the words stand: int64 ``[words, 2]``."""
        return np.array([found.span() for found in _WORD.finditer(text)], dtype=np.int64).reshape(-1, 2)

    def count(self, text: str) -> int:
        """How many there are."""
        return sum(1 for _ in _WORD.finditer(text))
