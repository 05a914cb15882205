"""Vectors that a run has made once: the test corpus is evaluated on, mined from and searched with the same model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.atomic import atomic_file
from cosmith.data.array_files import write_array_to
from cosmith.models import TextEncoder

_FEWEST = 256
"""Shorter lists are encoded anew: faster than looking them up, and they would fill the folder."""


class RememberedVectors:
    """A :class:`~cosmith.models.TextEncoder` that keeps the vectors of long lists of texts in a folder.

    Args:
        encoder: Does the encoding.
        folder: Where the vectors are kept, one ``.npy`` a list; may be deleted at any time.
    """

    def __init__(self, encoder: TextEncoder, folder: Path) -> None:
        self.encoder, self.folder = encoder, folder
        self._fingerprint = ""

    @property
    def name(self) -> str:
        """What the model is called in tables."""
        return str(getattr(self.encoder, "name", "model"))

    @property
    def dimension(self) -> int:
        """The length of a full vector."""
        return self.encoder.dimension

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read."""
        return self.encoder.max_length

    def fingerprint(self) -> str:
        """The encoder's; worked out once, so its weights must not change."""
        self._fingerprint = self._fingerprint or self.encoder.fingerprint()
        return self._fingerprint

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """As :meth:`cosmith.models.TextEncoder.encode`."""
        if len(texts) < _FEWEST:
            return self.encoder.encode(
                texts, prompt=prompt, instruction=instruction, dim=dim, show_progress=show_progress
            )
        file = self.folder / f"{self._key(texts, prompt, instruction, self.dimension if dim is None else dim)}.npy"
        if file.is_file():
            vectors: npt.NDArray[np.float32] = np.load(file, allow_pickle=False)
            return vectors
        vectors = self.encoder.encode(
            texts, prompt=prompt, instruction=instruction, dim=dim, show_progress=show_progress
        )
        with atomic_file(file, "wb") as handle:
            write_array_to(handle, vectors.shape, vectors.dtype, [vectors])
        return vectors

    def _key(self, texts: Sequence[str], prompt: str | None, instruction: str, dim: int) -> str:
        precision = getattr(self.encoder, "precision", "")
        said = (self.fingerprint(), precision, prompt, instruction, dim, len(texts))
        hasher = xxhash.xxh3_128(repr(said).encode())
        for text in texts:
            encoded = text.encode("utf-8", "surrogatepass")
            hasher.update(len(encoded).to_bytes(8, "little"))  # so that ["ab", "c"] is not ["a", "bc"]
            hasher.update(encoded)
        return hasher.hexdigest()
