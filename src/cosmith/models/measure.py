"""How long texts are for a model, for cutting documents into chunks that it reads whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cosmith.data.ragged import Int64
from cosmith.data.tokens import RaggedTokens
from cosmith.models.tokenization import TextTokenizer


@dataclass(frozen=True)
class TokenMeasure:
    """A :class:`cosmith.data.chunking.TextMeasure` of a model's tokens.

    Attributes:
        limit: The most tokens of a text that the model reads.
        tokenizer: The model's.
        tokenize: Texts as the model reads them, with prompt and special tokens.
    """

    limit: int
    tokenizer: TextTokenizer
    tokenize: Callable[[list[str]], RaggedTokens]

    def spans(self, text: str) -> Int64:
        """Where the tokens of a text stand: int64 ``[tokens, 2]``, first and behind-the-last character of each."""
        return self.tokenizer.with_spans(text)[1]

    def count(self, text: str) -> int:
        """How many tokens the model would read of this text if it read all, prompt and special tokens included."""
        return int(self.tokenize([text]).full_lengths[0])
