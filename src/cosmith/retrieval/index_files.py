"""The files of an index: its vectors, whole or compressed, its documents and chunks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.data.array_files import map_array, write_array
from cosmith.data.arrow_files import write_batch
from cosmith.errors import InputError
from cosmith.retrieval.best_chunk import ChunkTable
from cosmith.retrieval.compressed.vectors import CompressedVectors
from cosmith.retrieval.index_card import REBUILD, IndexCard, card_as_json


def write_index(
    folder: Path,
    card: IndexCard,
    documents: pa.RecordBatch,
    vectors: Iterable[npt.NDArray[np.float32]] | CompressedVectors,
    chunks: ChunkTable | None,
) -> None:
    """Write an index, in place of one that is there.

    Args:
        folder: Takes its name when all is written.
        card: What it says about itself; its form, too, in which vectors that come whole are written.
        documents: Ids and texts.
        vectors: float32 parts, one after another, or all in a compressed form.
        chunks: Where the documents were cut.

    Raises:
        InputError: When the folder holds something else than an index.
    """
    require_replaceable(folder, "index.json", "an index")
    with atomic_folder(folder) as place:
        if isinstance(vectors, CompressedVectors):
            vectors.save(place / "compressed")
        else:
            whole = place / "vectors.npy"
            write_array(whole, (card.vectors, card.dim), np.float32, vectors)
            if card.form is not None:
                compressed(map_array(whole, np.float32, REBUILD), card).save(place / "compressed")
                whole.unlink()
        if chunks is not None:
            write_array(place / "chunks.npy", (len(chunks), 3), np.int64, [chunks.to_array()])
        write_batch(place / "documents.arrow", documents)
        write_json(place / "index.json", card_as_json(card))


def compressed(vectors: npt.NDArray[np.float32], card: IndexCard) -> CompressedVectors:
    """Vectors in the form that the card names."""
    assert card.form is not None
    built = CompressedVectors.build(vectors, card.form)
    return replace(built, model=card.model, encoder=card.encoder, fingerprint=card.fingerprint)


def read_vectors(folder: Path, card: IndexCard) -> npt.NDArray[np.float32] | CompressedVectors:
    """The vectors of an index, memory-mapped.

    Raises:
        InputError: When they are missing, damaged, or not those of the card.
    """
    if card.form is None:
        return map_array(folder / "vectors.npy", np.float32, REBUILD)
    vectors = CompressedVectors.load(folder / "compressed")
    if str(vectors.form) != card.form or vectors.encoder != card.encoder:
        raise InputError("does not match the index.json above it", path=folder / "compressed", remedy=REBUILD)
    return vectors


def read_chunks(path: Path, card: IndexCard) -> ChunkTable:
    """Where the documents of an index were cut.

    Raises:
        InputError: When the file is missing, damaged, or does not match the card.
    """
    array = map_array(path, np.int64, REBUILD)
    table = ChunkTable.from_array(array, card.count) if array.shape == (card.vectors, 3) else None
    if table is None:
        raise InputError("does not match the documents and vectors beside it", path=path, remedy=REBUILD)
    return table
