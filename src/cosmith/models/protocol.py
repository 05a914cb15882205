"""The one verb that every other room uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


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
