"""Vectors of many texts in shards, in memory or on disk, made once by any engine and gone on with after a kill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.atomic import atomic_file
from cosmith.bulk import LOCAL, Engine, ShardJob, run_shards
from cosmith.data.array_files import map_array, write_array_to
from cosmith.data.ragged import Float32, Int64
from cosmith.data.texts import TextTable
from cosmith.errors import InputError
from cosmith.models.fingerprint_parts import computed_in

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

StoredAs = Literal["float32", "float16"]

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


class MappedVectors(Vectors):
    """Vectors whose shards are mapped from files; what is pickled, for a worker elsewhere, is where these stand.

    Args:
        files: The ``.npy`` files of the shards.
        stored_as: What they hold.
        rows_a_shard: As of :class:`Vectors`.

    Raises:
        InputError: When a file is damaged.
    """

    def __init__(self, files: Sequence[Path], stored_as: StoredAs, rows_a_shard: int) -> None:
        super().__init__([map_array(file, stored_as, _REMOVE) for file in files], rows_a_shard)
        self._said = ([file.absolute() for file in files], stored_as, rows_a_shard)

    def __reduce__(self) -> tuple[type[MappedVectors], tuple[Sequence[Path], StoredAs, int]]:
        return MappedVectors, self._said


@dataclass(frozen=True, eq=False)
class Encoding:
    """Texts and how they are encoded, in shards that know nothing of each other.

    Attributes:
        encoder: Makes the vectors.
        texts: The table of the texts.
        numbers: Which of them, int64 [n].
        called: What they are, for the progress display: ``"queries"``.
        prompt, instruction, dim: As of :meth:`cosmith.models.TextEncoder.encode`.
        stored_as: What the numbers are kept as.
        rows: Texts a shard.
    """

    encoder: TextEncoder
    texts: TextTable
    numbers: Int64
    called: str
    prompt: str | None = None
    instruction: str = ""
    dim: int | None = None
    stored_as: StoredAs = "float32"
    rows: int = field(default_factory=lambda: SHARD_ROWS)

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return -(-len(self.numbers) // self.rows)

    def key(self) -> str:
        """A hash over all that the vectors depend on."""
        precision, width = computed_in(self.encoder), self.dim or self.encoder.dimension
        said = (self.encoder.fingerprint(), precision, self.prompt, self.instruction, width, self.stored_as,
                len(self.numbers))  # fmt: skip
        digest = xxhash.xxh3_128(repr(said).encode())
        digest.update(np.ascontiguousarray(self.texts.hashes[self.numbers]).view(np.uint8).data)
        return digest.hexdigest()

    def of(self, shard: int) -> Int64:
        """Which texts a shard is of, int64 [at most ``rows``]."""
        return self.numbers[shard * self.rows : (shard + 1) * self.rows]

    def vectors(self, shard: int) -> npt.NDArray[Any]:
        """The vectors of a shard, ``[at most rows, dim]``.

        Raises:
            InputError: When one is not finite.
        """
        texts = self.texts.take(self.of(shard))
        told = f"Encoding {self.called}" + (f" ({shard + 1}/{self.shards})" if self.shards > 1 else "")
        vectors = self.encoder.encode(
            texts, prompt=self.prompt, instruction=self.instruction, dim=self.dim, show_progress=told
        )
        require_finite_of(vectors, texts)
        return vectors.astype(self.stored_as, copy=False)

    def write_array(self, shard: int, path: Path) -> None:
        """Write the vectors of a shard as an ``.npy`` file."""
        vectors = self.vectors(shard)
        with atomic_file(path, "wb") as handle:
            write_array_to(handle, vectors.shape, vectors.dtype, [vectors])


def encode_in_shards(encoding: Encoding, folder: Path | None, engine: Engine = LOCAL) -> Vectors:
    """The vectors of some texts, shard by shard.

    Args:
        encoding: The texts, and how they are encoded.
        folder: Where shards are kept, as ``vectors/KEY/000000.npy`` and so on; those that stand there are not made
            again. None: in memory.
        engine: Who makes them; only this process can do it in memory.

    Raises:
        InputError: When a vector is not finite, or a shard on disk is damaged.
        StorageError: When a shard cannot be written.
    """
    if folder is None:
        return Vectors([encoding.vectors(shard) for shard in range(encoding.shards)], encoding.rows)
    job = _job(encoding, folder / "vectors" / encoding.key(), ".npy", encoding.write_array)
    run_shards(job, engine)
    found = MappedVectors(job.paths, encoding.stored_as, encoding.rows)
    if len(found) != len(encoding.numbers):
        raise InputError("holds other numbers of vectors than it should", path=job.folder,
                         remedy="Remove the folder, and its texts are encoded again.")  # fmt: skip
    return found


def require_finite_of(vectors: npt.NDArray[Any], texts: Sequence[str]) -> None:
    """Refuse vectors that are not finite, naming the text of the first.

    Raises:
        InputError: In that case.
    """
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise InputError(
            f"a vector is not finite for the text {texts[int(finite.argmin())][:80]!r}",
            field="vectors",
            remedy="The model that made it gives NaN or infinity: check its weights and its precision.",
        )


def _job(encoding: Encoding, folder: Path, suffix: str, make: Any) -> ShardJob:
    return ShardJob(
        f"Encoding {encoding.called}", folder, encoding.shards, suffix, make, tells=True, on_accelerator=True
    )
