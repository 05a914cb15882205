"""Vectors of many texts in shards, in memory or as memory-mapped files, made once and gone on with after a kill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.atomic import atomic_file
from cosmith.data.array_files import map_array, write_array_to
from cosmith.data.ragged import Float32, Int64
from cosmith.data.texts import TextTable
from cosmith.errors import InputError
from cosmith.mining.hard_negatives.blocks import blocks
from cosmith.mining.hard_negatives.settings import StoredAs

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

SHARD_ROWS = 32_768
"""Texts encoded together: enough to sort by length, few enough to hold and to lose."""

_REMOVE = "Remove the file, and its texts are encoded again."


class Vectors:
    """Rows of numbers in shards of equal length (the last may be shorter), read as float32 whatever they are kept as.

    Args:
        shards: float32 or float16 ``[at most rows_a_shard, dim]`` each; may be memory-mapped.
        rows_a_shard: The length of all but the last.
    """

    def __init__(self, shards: Sequence[npt.NDArray[Any]], rows_a_shard: int) -> None:
        self._shards, self._size = tuple(shards), rows_a_shard

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    @property
    def dimension(self) -> int:
        """The length of a row."""
        return int(self._shards[0].shape[1]) if self._shards else 0

    def part(self, rows: slice) -> Float32:
        """These rows, float32 ``[rows.stop - rows.start, dim]``; not to be written to."""
        first, last = rows.start // self._size, max(rows.start, rows.stop - 1) // self._size
        pieces = [
            self._shards[number][max(rows.start - number * self._size, 0) : rows.stop - number * self._size]
            for number in range(first, last + 1)
        ]
        whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return np.asarray(whole, dtype=np.float32)

    def take(self, numbers: Int64) -> Float32:
        """Rows ``numbers`` [m] in that order, float32 ``[m, dim]``."""
        if len(self._shards) == 1:
            return np.asarray(self._shards[0][numbers], dtype=np.float32)
        taken: Float32 = np.empty((len(numbers), self.dimension), dtype=np.float32)
        shard, place = np.divmod(numbers, self._size)
        for number in np.unique(shard).tolist():
            here = shard == number
            taken[here] = self._shards[number][place[here]]
        return taken


def encode_in_shards(
    encoder: TextEncoder,
    texts: TextTable,
    numbers: Int64,
    *,
    prompt: str,
    instruction: str,
    dim: int | None,
    folder: Path | None,
    stored_as: StoredAs,
    called: str,
) -> Vectors:
    """The vectors of some texts, shard by shard.

    Args:
        encoder: Makes them.
        texts: The table of the texts.
        numbers: Which of them, int64 [n].
        prompt, instruction, dim: As of :meth:`cosmith.models.TextEncoder.encode`.
        folder: Where shards are kept, as ``vectors/KEY/000000.npy`` and so on; those that stand there are not made
            again. None: in memory.
        stored_as: What the numbers are kept as.
        called: What is encoded, for the progress display: ``"queries"``.

    Raises:
        InputError: When a vector is not finite, or a shard on disk is damaged.
        StorageError: When a shard cannot be written.
    """
    place = None
    if folder is not None:
        place = folder / "vectors" / vectors_key(encoder, texts, numbers, prompt, instruction, dim, stored_as)
    shards: list[npt.NDArray[Any]] = []
    parts = list(blocks(len(numbers), SHARD_ROWS))
    for number, part in enumerate(parts):
        file = None if place is None else place / f"{number:06d}.npy"
        if file is None or not file.is_file():
            told = f"Encoding {called}" + (f" ({number + 1}/{len(parts)})" if len(parts) > 1 else "")
            vectors = encoder.encode(
                texts.take(numbers[part]), prompt=prompt, instruction=instruction, dim=dim, show_progress=told
            )
            _require_finite(vectors, texts, numbers[part])
            vectors = vectors.astype(stored_as, copy=False)
            if file is None:
                shards.append(vectors)
                continue
            with atomic_file(file, "wb") as handle:
                write_array_to(handle, vectors.shape, vectors.dtype, [vectors])
        shards.append(map_array(file, stored_as, _REMOVE))
        if len(shards[-1]) != part.stop - part.start:
            raise InputError("holds other numbers of vectors than it should", path=file, remedy=_REMOVE)
    return Vectors(shards, SHARD_ROWS)


def vectors_key(
    encoder: TextEncoder,
    texts: TextTable,
    numbers: Int64,
    prompt: str,
    instruction: str,
    dim: int | None,
    stored_as: StoredAs,
) -> str:
    """A hash over all that the vectors depend on."""
    precision = getattr(encoder, "precision", "")
    said = (encoder.fingerprint(), precision, prompt, instruction, dim or encoder.dimension, stored_as, len(numbers))
    digest = xxhash.xxh3_128(repr(said).encode())
    digest.update(np.ascontiguousarray(texts.hashes[numbers]).view(np.uint8).data)
    return digest.hexdigest()


def _require_finite(vectors: npt.NDArray[Any], texts: TextTable, numbers: Int64) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        text = texts[int(numbers[int(finite.argmin())])]
        raise InputError(
            f"the vector of the text {text[:80]!r} is not finite",
            field="vectors",
            remedy="The model that made it gives NaN or infinity: check its weights and its precision.",
        )
