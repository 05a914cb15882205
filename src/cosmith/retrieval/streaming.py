"""Texts to a folder of vectors: as they come, in memory that does not grow, or shared out among machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cosmith.bulk import LOCAL, Engine, ShardJob, run_shards
from cosmith.progress import Bar, counted_by, track, untold
from cosmith.retrieval import vectors
from cosmith.retrieval.vector_shards import NamedTexts, ShardForm, ShardWriter, VectorFolder
from cosmith.retrieval.vectors import Encoding, StoredAs

if TYPE_CHECKING:
    from cosmith.models import TextEncoder


def encode_stream(
    encoder: TextEncoder,
    texts: Iterable[tuple[str, str]],
    folder: str | Path,
    *,
    prompt: str | None = None,
    instruction: str = "",
    dim: int | None = None,
    form: ShardForm = "parquet",
    token_counts: bool = False,
    rows: int | None = None,
    stored_as: StoredAs = "float32",
    total: int | None = None,
    called: str = "texts",
) -> VectorFolder:
    """Encode texts as they come into a folder of shards; no more than one shard is held in memory.

    A text that stands several times in a shard is encoded once. A call that was killed goes on when it is made again:
    the texts of shards that stand are read, compared with those that the shards were made of, and passed over.

    Args:
        encoder: Makes the vectors.
        texts: Id and text of each, in the same order each time.
        folder: Where the shards go: a new folder, or one that this function began.
        prompt, instruction, dim: As of :meth:`cosmith.models.TextEncoder.encode`.
        form: ``"parquet"``, with the columns ``_id`` and ``vector``, or ``"npy"``, with the ids as JSON lines beside.
        token_counts: Keep with each vector how many tokens its text has, those that were cut off included.
        rows: Texts a shard; None: 32,768.
        stored_as: What the numbers are kept as.
        total: How many texts there are, for the progress; None: that is not known.
        called: What they are called there.

    Raises:
        InputError: When there are no texts; when a vector is not finite; when the folder holds something else, or
            vectors of other texts, of another model or made in another way, saying in what they differ.
        StorageError: When the folder cannot be written.
    """
    writer = ShardWriter(
        encoder, Path(folder), prompt, instruction, dim, form, vectors.SHARD_ROWS if rows is None else rows,
        token_counts, stored_as,
    )  # fmt: skip
    writer.require_ours()
    shards = 0
    with track(f"Encoding {called}", total, called) as bar:
        for window in _windows(texts, writer.rows):
            _make(writer, shards, window, bar)
            shards += 1
    return writer.finish(shards)


def _make(writer: ShardWriter, number: int, texts: NamedTexts, bar: Bar) -> None:
    if writer.stands(number, texts):
        bar.skip(len(texts))
        return
    with counted_by(bar, len(texts)):
        writer.write(number, texts)


def write_vectors(
    encoding: Encoding,
    ids: Sequence[str],
    folder: str | Path,
    engine: Engine = LOCAL,
    *,
    form: ShardForm = "parquet",
    token_counts: bool = False,
) -> VectorFolder:
    """Write the same shards as :func:`encode_stream`, of texts that are in memory, by any engine.

    Args:
        encoding: The texts, and how they are encoded.
        ids: Their ids [n].
        folder: Where the shards go.
        engine: Who makes them; either engine goes on where the other was killed.
        form, token_counts: As of :func:`encode_stream`.

    Raises:
        InputError: As :func:`encode_stream`.
        StorageError: When a shard cannot be written.
    """
    said = (encoding.encoder, Path(folder), encoding.prompt, encoding.instruction, encoding.dim)
    writer = ShardWriter(*said, form, encoding.rows, token_counts, encoding.stored_as)
    writer.require_ours()
    held = _HeldTexts(writer, encoding, pa.array(ids, pa.large_string()))
    called = f"Encoding {encoding.called}"
    if engine.kind == "local":
        with track(called, len(ids), encoding.called) as bar:
            for number in range(encoding.shards):
                _make(writer, number, held.of(number), bar)
    else:
        for number in range(encoding.shards):
            writer.stands(number, held.of(number))  # refuses one of other texts
        writer.begin()
        run_shards(ShardJob(called, writer.folder, encoding.shards, f".{form}", held.make, on_accelerator=True), engine)
    return writer.finish(encoding.shards)


@dataclass(frozen=True, eq=False)
class _HeldTexts:
    """Texts in memory, which travel to who makes their shards."""

    writer: ShardWriter
    encoding: Encoding
    ids: Any  # Arrow's strings

    def of(self, number: int) -> NamedTexts:
        """The texts of a shard, with their ids."""
        rows = self.encoding.rows
        names = self.ids.slice(number * rows, rows).to_pylist()
        return list(zip(names, self.encoding.texts.take(self.encoding.of(number)), strict=True))

    def make(self, number: int, path: Path) -> None:
        """Write the shard of a number; ``path`` is where the writer puts it."""
        self.writer.write(number, self.of(number))


def _windows(texts: Iterable[tuple[str, str]], rows: int) -> Iterator[list[tuple[str, str]]]:
    remaining = iter(texts)
    while window := _taken(remaining, rows):
        yield window


def _taken(texts: Iterator[tuple[str, str]], rows: int) -> list[tuple[str, str]]:
    with untold():  # files tell how far they are read
        return list(islice(texts, rows))
