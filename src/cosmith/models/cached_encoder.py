"""An encoder that makes no vector twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.models.batched import distinct_of
from cosmith.models.fingerprint_parts import computed_in, embedding_fingerprint
from cosmith.models.protocol import TextEncoder
from cosmith.models.similarity import Similarity, encode_unscaled, leaves_unit_rows, similarity_of
from cosmith.models.vector_cache import VectorCache

_TEXTS_AT_ONCE = 50_000
"""Encoded before they are kept: what is killed loses no more than these."""


class CachedEncoder:
    """A :class:`~cosmith.models.TextEncoder` that looks its vectors up before it makes them.

    A vector is found again by the model's fingerprint, the precision it computes in, the prompt's name, the instruction
    and the text, so a model that was changed, in its weights or its maximum length, never gets an old one. Full vectors
    are kept as the model's modules leave them, and cut and made unit length on the way out: a sweep over dimensions
    encodes once, and so does a model that is scored by unit rows and by others. Such vectors equal those of the encoder
    but for rounding; one as it is kept is the same, bit for bit. An encoder whose vectors cost money may say after how
    many texts at most they are kept: its attribute ``kept_at_once``.

    Args:
        encoder: Makes the vectors that are not there.
        cache: Where they are kept; encoders may share it.
        frozen: The caller's word that the model will not change, for services that are asked for one text at a time:
            its fingerprint, which takes a pass over the weights, is then worked out once, and not at each call.
    """

    def __init__(self, encoder: TextEncoder, cache: VectorCache, *, frozen: bool = False) -> None:
        self.encoder, self.cache = encoder, cache
        self._fingerprint = encoder.fingerprint() if frozen else None

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

    @property
    def similarity(self) -> Similarity:
        """By what the encoder's vectors are compared."""
        return similarity_of(self.encoder)

    @property
    def normalises(self) -> bool:
        """Whether the encoder has no other vectors than those of length one."""
        return leaves_unit_rows(self.encoder)

    @property
    def precision(self) -> str:
        """In what the model computes here."""
        return computed_in(self.encoder)

    def fingerprint(self) -> str:
        """The encoder's."""
        return self._fingerprint or self.encoder.fingerprint()

    def fingerprint_parts(self) -> Mapping[str, str]:
        """The encoder's."""
        return embedding_fingerprint(self.encoder).parts

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """As :meth:`cosmith.models.TextEncoder.encode`; progress counts the texts that are not there."""
        distinct, places = distinct_of(texts)
        if not distinct or self._wrong(dim):  # the encoder says what is wrong with it
            return self.encoder.encode(texts, prompt=prompt, instruction=instruction, dim=dim)
        vectors = self._whole(distinct, prompt, instruction, show_progress)[:, :dim]
        if not self.normalises or vectors.shape[1] < self.dimension:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        found: npt.NDArray[np.float32] = vectors[places]
        return found

    def encode_unscaled(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """As :meth:`cosmith.models.similarity.UnscaledEncoder.encode_unscaled`."""
        if self.normalises:
            return self.encode(texts, prompt=prompt, instruction=instruction, dim=dim, show_progress=show_progress)
        distinct, places = distinct_of(texts)
        if not distinct or self._wrong(dim):
            return encode_unscaled(self.encoder, texts, prompt=prompt, instruction=instruction, dim=dim)
        found: npt.NDArray[np.float32] = self._whole(distinct, prompt, instruction, show_progress)[places, :dim]
        return found

    def _wrong(self, dim: int | None) -> bool:
        return dim is not None and not 1 <= dim <= self.dimension

    def _whole(
        self, distinct: Sequence[str], prompt: str | None, instruction: str, show_progress: str | None
    ) -> npt.NDArray[np.float32]:
        """The full vectors of different texts, as the model's modules leave them; a new array."""
        keys = self._keys(distinct, prompt, instruction)
        vectors = np.empty((len(distinct), self.dimension), dtype=np.float32)
        missing = np.flatnonzero(~self.cache.look_up(keys, vectors))
        at_once = int(getattr(self.encoder, "kept_at_once", _TEXTS_AT_ONCE))
        for start in range(0, len(missing), at_once):
            rows = missing[start : start + at_once].tolist()
            made = encode_unscaled(
                self.encoder, [distinct[row] for row in rows], prompt=prompt, instruction=instruction,
                show_progress=show_progress,
            )  # fmt: skip
            vectors[rows] = made
            self.cache.keep([keys[row] for row in rows], made)
        return vectors

    def _keys(self, texts: Sequence[str], prompt: str | None, instruction: str) -> list[bytes]:
        said: tuple[object, ...] = (self.fingerprint(), self.precision, self.dimension, prompt, instruction)
        if not self.normalises:  # files of earlier releases have unit rows of such models
            said += ("unscaled",)
        before = xxhash.xxh3_128_digest(repr(said).encode("utf-8", "surrogatepass"))
        return [xxhash.xxh3_128_digest(before + text.encode("utf-8", "surrogatepass")) for text in texts]
