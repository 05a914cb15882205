"""How a model reads texts: with which prompt before them, and how many tokens of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from cosmith.data.tokens import RaggedTokens
from cosmith.models.measure import TokenMeasure
from cosmith.models.prompts import fill_prompt
from cosmith.models.tokenization import TextTokenizer

if TYPE_CHECKING:
    from typing import Self

    from cosmith.models.folder import ModelSpec
    from cosmith.models.similarity import Similarity


@dataclass(frozen=True)
class TextReader:
    """Texts → tokens, as one model wants them.

    Attributes:
        tokenizer: The model's.
        prompts: Name → text put before each text of that kind; may contain ``{task}``.
        default_prompt: The name of the prompt used when none is asked for.
        max_length: The most tokens of a text, special tokens included.
        include_prompt: Whether the tokens of prompts are pooled with those of the text.
    """

    tokenizer: TextTokenizer
    prompts: Mapping[str, str]
    default_prompt: str | None
    max_length: int
    include_prompt: bool = True

    def prompt(self, name: str | None, instruction: str) -> str:
        """The text of a prompt; None means the default one.

        Raises:
            InputError: When the model has no such prompt.
        """
        return fill_prompt(self.prompts, name if name is not None else self.default_prompt, instruction)

    def tokenize(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", max_length: int | None = None
    ) -> RaggedTokens:
        """As :meth:`ReadsTexts.tokenize`."""
        before, limit = self.prompt(prompt, instruction), self._limit(max_length)
        tokens = self.tokenizer([before + text for text in texts] if before else texts, limit)
        if not before or self.include_prompt:
            return tokens
        left_out = np.full(len(tokens), self.tokenizer.prompt_length(before), dtype=np.int32)
        return replace(tokens, prompt_lengths=left_out)

    def key(self, *, prompt: str | None = None, instruction: str = "", max_length: int | None = None) -> str:
        """A key for stored tokens: equal exactly when :meth:`tokenize` would give the same for every text."""
        before, limit = self.prompt(prompt, instruction), self._limit(max_length)
        said = f"{self.tokenizer.fingerprint()}|{limit}|{before}"
        if before and not self.include_prompt:
            said += "|left out"
        return xxhash.xxh3_64_hexdigest(said.encode())

    def _limit(self, max_length: int | None) -> int:
        return self.max_length if max_length is None else min(max_length, self.max_length)


class ReadsTexts(ABC):
    """A model that reads texts through a :class:`TextReader`."""

    @abstractmethod
    def _reader(self, prompt: str | None) -> TextReader:
        """What reads texts with a prompt."""

    def tokenize(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", max_length: int | None = None
    ) -> RaggedTokens:
        """Tokenise texts with their prompt before them, as the model wants to read them.

        Args:
            texts: Any number of texts.
            prompt: The name of a prompt (see :meth:`cosmith.models.Encoder.encode`).
            instruction: What takes the place of ``{task}`` in the prompt.
            max_length: Fewer tokens than the model's own maximum.

        Raises:
            InputError: When the model has no such prompt.
        """
        return self._reader(prompt).tokenize(texts, prompt=prompt, instruction=instruction, max_length=max_length)

    def token_key(self, *, prompt: str | None = None, instruction: str = "", max_length: int | None = None) -> str:
        """A key for stored tokens: equal exactly when :meth:`tokenize` would give the same for every text."""
        return self._reader(prompt).key(prompt=prompt, instruction=instruction, max_length=max_length)

    def measure(self, *, prompt: str | None = "document", instruction: str = "") -> TokenMeasure:
        """How long texts are for this model, to cut documents by (:func:`cosmith.data.chunking.chunk_documents`)."""
        reader = self._reader(prompt)
        tokenize = partial(self.tokenize, prompt=prompt, instruction=instruction)
        return TokenMeasure(reader.max_length, reader.tokenizer, tokenize)


class ReadsAsSaved(ReadsTexts):
    """A dense model that reads texts as its folder says, whatever runs it.

    Attributes:
        spec: What the folder says.
    """

    spec: ModelSpec

    @property
    def similarity(self) -> Similarity:
        """By what its vectors are compared."""
        return self.spec.similarity or "cosine"

    def set_prompts(self, prompts: Mapping[str, str]) -> Self:
        """Give it these prompts (name → text put before each text) and no others; returns the encoder itself."""
        default = self.spec.default_prompt if self.spec.default_prompt in prompts else None
        self.spec = replace(self.spec, prompts=dict(prompts), default_prompt=default)
        return self
