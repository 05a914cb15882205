"""What other rooms ask of a model: the verb of encoders, that of rerankers, and what training needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from typing import Self

    import torch

    from cosmith.data.tokens import RaggedTokens
    from cosmith.models.measure import TokenMeasure
    from cosmith.models.precision import Precision
    from cosmith.models.tokenization import TextTokenizer


class TextEncoder(Protocol):
    """Anything that turns texts into unit vectors: torch, a runtime, static words, a remote service."""

    @property
    def dimension(self) -> int:
        """The length of a full vector."""

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read; the rest is cut off."""

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> np.ndarray:
        """Encode texts as unit rows.

        Args:
            texts: Any number of texts; equal ones are encoded once.
            prompt: The name of a prompt to put before each text: ``"query"``, ``"document"`` or one of the model's.
            instruction: What takes the place of ``{task}`` in the prompt, for models that take instructions.
            dim: Keep only the first ``dim`` numbers and normalise again (for models trained with nested dimensions).
            show_progress: What to call this step in the progress display; ``None`` shows nothing.

        Returns:
            float32 ``[len(texts), dim]`` in the order of ``texts``.
        """

    def fingerprint(self) -> str:
        """A hash over everything that the vectors depend on."""


class ReadingEncoder(TextEncoder, Protocol):
    """An encoder of this machine, which can also say how it reads texts, and read them with other prompts."""

    name: str

    @property
    def prompts(self) -> Mapping[str, str]:
        """Name → text put before each text of that kind."""

    def set_prompts(self, prompts: Mapping[str, str]) -> Self:
        """Give it these prompts and no others; returns the encoder itself."""

    def tokenize(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", max_length: int | None = None
    ) -> RaggedTokens:
        """Texts with their prompt → tokens."""

    def encode_tokens(
        self, tokens: RaggedTokens, *, dim: int | None = None, show_progress: str | None = None
    ) -> np.ndarray:
        """Encode what :meth:`tokenize` made of texts: float32 ``[len(tokens), dim]``, as :meth:`encode` would."""

    def token_key(self, *, prompt: str | None = None, instruction: str = "", max_length: int | None = None) -> str:
        """A key for stored tokens: equal exactly when :meth:`tokenize` would give the same for every text."""

    def measure(self, *, prompt: str | None = "document", instruction: str = "") -> TokenMeasure:
        """How long texts are for the model."""


class Trainable(Protocol):
    """A model that the training loop can train, whatever it makes of texts.

    Attributes:
        module: Its weights; the part ``backbone`` is the transformer.
        variable_length: Whether it computes without padding.
    """

    module: torch.nn.ModuleDict
    variable_length: bool

    @property
    def is_static(self) -> bool:
        """Whether tokens do not see their context."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""

    def copy(self) -> Self:
        """An independent copy, weights and all."""

    def fingerprint(self) -> str:
        """A hash over everything that its results depend on."""

    def compute_in(self, precision: Precision | None = None, *, remember: bool = True) -> AbstractContextManager[Any]:
        """The context in which to run it."""


class Embedder(Trainable, Protocol):
    """A trainable model that makes a vector, or one a token, of each text by itself."""

    tokenizer: TextTokenizer

    @property
    def dimension(self) -> int:
        """The length of a full vector."""

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """Name → text put before each text of that kind."""

    def tokenize(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", max_length: int | None = None
    ) -> RaggedTokens:
        """Texts with their prompt → tokens."""

    def token_key(self, *, prompt: str | None = None, instruction: str = "", max_length: int | None = None) -> str:
        """A key for stored tokens."""

    def embed(self, tokens: RaggedTokens) -> torch.Tensor:
        """One forward with graph, float32: a row a text, or a row a token for models of late interaction."""


class PairScorer(Protocol):
    """Anything that says how well a document answers a query, seeing both."""

    def score(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        instruction: str = "",
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """Score pairs; see :meth:`cosmith.models.CrossEncoder.score`."""
