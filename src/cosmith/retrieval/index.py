"""A searchable folder: the vectors of a corpus, its texts, and the fingerprint of the model that made them.

    index.json        format, model, fingerprint, sizes
    vectors.npy       float32 [documents or chunks, dim], memory-mapped: unit rows, or of a model that is compared
                      otherwise than by cosine as its modules leave them; or
    compressed/       unit rows in a compressed form, see :mod:`cosmith.retrieval.compressed.vectors`
    documents.arrow   id and text of each, memory-mapped
    chunks.npy        int64 [chunks, 3], where documents were cut: number of the document, start, stop in its text

Vectors of two models, or of one model before and after training, have nothing to do with each other, yet searching
one with the other gives plausible nonsense; so an index refuses every encoder but the one that made it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cosmith.atomic import require_replaceable
from cosmith.bulk import LOCAL, Engine
from cosmith.data.arrow_files import map_batch
from cosmith.data.chunking import Chunk
from cosmith.data.texts import TextTable
from cosmith.errors import InputError
from cosmith.models.fingerprint_parts import vectors_fingerprint
from cosmith.models.similarity import encode_compared, require_cosine, similarity_of
from cosmith.retrieval.best_chunk import ChunkTable, best_chunks_of, depth_in_chunks, search_best_chunk
from cosmith.retrieval.compressed.form import SearchForm, parse_form
from cosmith.retrieval.compressed.vectors import CompressedVectors
from cosmith.retrieval.dense import Positions, Scores, search_dense
from cosmith.retrieval.hits import Hits
from cosmith.retrieval.index_card import REBUILD, IndexCard, read_card
from cosmith.retrieval.index_files import compressed, read_chunks, read_vectors, write_index
from cosmith.retrieval.makers import model_name, require_maker

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

_ENCODED_AT_A_TIME = 32_768
"""Documents handed to the encoder at once: enough to sort by length, few enough to hold."""
_CHUNKS_A_DOCUMENT = 4
"""So many of the best chunks are looked for at first, for each document wanted."""


class Index:
    """Documents that can be searched by meaning; exact, but in the forms whose vectors are not.

    Attributes:
        card: What the index says about itself.
        vectors: float32 ``[documents, dim]`` or ``[chunks, dim]``, unit rows where they are compared by cosine; or
            these in a compressed form.
        chunks: Which chunks the documents were cut into; None: each document has one vector.
    """

    def __init__(
        self,
        card: IndexCard,
        vectors: npt.NDArray[np.float32] | CompressedVectors,
        documents: pa.RecordBatch,
        chunks: ChunkTable | None = None,
    ) -> None:
        """Put the parts together; use :meth:`build` or :meth:`load`."""
        self.card = card
        self.vectors = vectors
        self.chunks = chunks
        self._documents = documents

    @classmethod
    def build(
        cls,
        encoder: TextEncoder,
        documents: Mapping[str, str],
        *,
        chunks: Iterable[Chunk] | None = None,
        dim: int | None = None,
        folder: str | Path | None = None,
        model: str | None = None,
        prompt: str = "document",
        instruction: str = "",
        form: SearchForm | str | None = None,
        engine: Engine = LOCAL,
    ) -> Index:
        """Encode a corpus, to be searched by the model's own similarity.

        Args:
            encoder: Makes the vectors, and must make those of the queries.
            documents: id → text.
            chunks: The parts of the documents that get a vector each, document after document in the same order, as
                :func:`cosmith.data.chunking.chunk_texts` cuts them; a search then goes by the best chunk of each
                document. None: each document gets one vector.
            dim: Keep only this many numbers of each vector (for models trained with nested dimensions).
            folder: Write the index there as it is made, so that the vectors need not fit in memory; it takes the
                folder's name only when it is whole.
            model: A name of the encoder for people; by default its own.
            prompt: The encoder's prompt for documents.
            instruction: What takes the place of ``{task}`` in prompts, of the documents and later of the queries.
            form: Keep and search the vectors in a compressed form, e.g. ``"pca128+rabitq, rescored x4 by int8"``, see
                :mod:`cosmith.retrieval.compressed.form`; it is fit on these vectors. None: float32, searched exactly.
            engine: Who encodes: this process, or a Ray cluster whose machines all see the folder. Its shards stand in
                ``FOLDER.shards`` until the index does; a call that was killed goes on there.

        Raises:
            InputError: When there are no documents, the chunks are not theirs, ``dim`` is not within 1 and the model's
                dimension, the form is not known or does not go with the vectors, the folder holds something else than
                an index, another engine than the local one has none, or that or a form is asked for of a model that is
                compared otherwise than by cosine.
            StorageError: When the folder cannot be written.
        """
        dim = checked_dim(dim, encoder.dimension, "the model's vectors")
        kept_as = parse_form(form) if isinstance(form, str) else form
        if folder is not None:
            require_replaceable(Path(folder), "index.json", "an index")  # before the work, not after it
        elif engine.kind != "local":
            raise InputError("several processes need a folder for what they make", field="folder", remedy="Give one.")
        if engine.kind != "local":
            require_cosine(encoder, "several processes make vectors that are compared")
        if kept_as is not None:
            require_cosine(encoder, "vectors in a compressed form are compared")
        if not documents:
            raise InputError("there are no documents to index", field="documents")
        cut = None if chunks is None else list(chunks)
        table = None if cut is None else ChunkTable.of(cut, documents)
        card = IndexCard(
            model=model or model_name(encoder),
            encoder=encoder.fingerprint(),
            dimension=encoder.dimension,
            dim=dim,
            count=len(documents),
            prompt=prompt,
            instruction=instruction,
            chunks=None if cut is None else len(cut),
            fingerprint=vectors_fingerprint(
                encoder, prompt=prompt, instruction=instruction, dim=dim, form=str(kept_as or "float32")
            ),
            form=None if kept_as is None else str(kept_as),
            similarity=similarity_of(encoder),
        )
        ids, texts = list(documents), list(documents.values())
        batch = pa.record_batch(
            [pa.array(ids, type=pa.large_string()), pa.array(texts, type=pa.large_string())], names=["id", "text"]
        )
        read = texts if cut is None else [chunk.in_context for chunk in cut]
        if folder is None:
            vectors = np.concatenate(list(_encoded(encoder, read, card)))
            return cls(card, vectors if kept_as is None else compressed(vectors, card), batch, table)
        place = Path(folder)
        shards = place.with_name(f"{place.name}.shards")
        encoded = (
            _encoded(encoder, read, card) if engine.kind == "local" else _spread(encoder, read, card, shards, engine)
        )
        write_index(place, card, batch, encoded, table)
        shutil.rmtree(shards, ignore_errors=True)
        return cls.load(folder)

    def __len__(self) -> int:
        """How many documents there are."""
        return self.card.count

    def search(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        k: int,
        *,
        dim: int | None = None,
        prompt: str = "query",
        instruction: str | None = None,
    ) -> Hits:
        """The documents nearest to each text.

        Args:
            encoder: The one that built the index.
            texts: Queries.
            k: How many of each; may be greater than the corpus.
            dim: Compare only this many numbers of each vector; by default all that the index keeps.
            prompt: The encoder's prompt for queries.
            instruction: What takes the place of ``{task}`` in it; by default what the index was built with.

        Returns:
            ``[len(texts), min(k, documents)]``; the scores are cosines, or what else the model is compared by; where
            documents were cut those of the best chunk of each, and the hits say where it stands.

        Raises:
            InputError: When the encoder is another, ``k`` is less than one, or ``dim`` more than the index keeps, or
                less in a compressed form.
        """
        self.require(encoder)
        dim = checked_dim(dim, self.card.dim, "the vectors of this index")
        told = self.card.instruction if instruction is None else instruction
        if isinstance(self.vectors, CompressedVectors) and dim < self.card.dim:
            raise InputError(f"is {dim}, but vectors in the form {self.card.form!r} are compared whole", field="dim",
                             remedy=f"Leave it out, or build the index with fewer than {self.card.dim}.")  # fmt: skip
        queries = encode_compared(encoder, list(texts), prompt=prompt, instruction=told, dim=dim)
        if isinstance(self.vectors, CompressedVectors):
            return self._search_compressed(self.vectors, queries, k)
        by = self.card.similarity
        vectors = self.vectors[:, :dim]
        if by == "cosine" and dim < self.card.dim:
            vectors = _unit(vectors)
        if self.chunks is None:
            return Hits.from_positions(self._names, *search_dense(queries, vectors, k, similarity=by))
        positions, scores, best = search_best_chunk(queries, vectors, self.chunks.offsets, k, similarity=by)
        return replace(Hits.from_positions(self._names, positions, scores), spans=self.chunks.spans[best])

    def _search_compressed(self, vectors: CompressedVectors, queries: npt.NDArray[np.float32], k: int) -> Hits:
        if self.chunks is None:
            return Hits.from_positions(self._names, *vectors.search(queries, k))
        positions, scores, best = _search_chunks(vectors, queries, self.chunks, k)
        return replace(Hits.from_positions(self._names, positions, scores), spans=self.chunks.spans[best])

    @property
    def bytes(self) -> tuple[float, float]:
        """Of a vector: in what is searched, and in what only the best are looked up in, 0 without rescoring."""
        if isinstance(self.vectors, CompressedVectors):
            return self.vectors.bytes, self.vectors.finer_bytes
        return 4 * self.card.dim, 0

    def require(self, encoder: TextEncoder) -> None:
        """Refuse an encoder that did not make this index.

        Raises:
            InputError: When its fingerprint, or its similarity, is another.
        """
        made = self.card.fingerprint
        require_maker(encoder, what="index", model=self.card.model, fingerprint=self.card.encoder, parts=made)
        if (found := similarity_of(encoder)) != self.card.similarity:
            raise InputError(
                f"the index is searched by {self.card.similarity}, but {model_name(encoder)} is compared by {found}",
                field="encoder", remedy=REBUILD,
            )  # fmt: skip

    @property
    def ids(self) -> list[str]:
        """The document ids, in the order of the vectors."""
        return [str(name) for name in self._names[:-1]]

    def text(self, document_id: str) -> str:
        """The text of a document.

        Raises:
            InputError: When no document has this id.
        """
        row = self._rows.get(document_id)
        if row is None:
            raise InputError(f"the index has no document {document_id!r}", field="document_id")
        text: str = self._documents.column("text")[row].as_py()
        return text

    @cached_property
    def _names(self) -> npt.NDArray[np.object_]:
        return Hits.names_of(self._documents.column("id").to_pylist())

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self._names[:-1])}

    def save(self, folder: str | Path) -> Index:
        """Write the index, in place of one that is there, and give it back memory-mapped from that folder.

        Raises:
            InputError: When the folder holds something else than an index.
            StorageError: When it cannot be written.
        """
        kept = self.vectors if isinstance(self.vectors, CompressedVectors) else [self.vectors]
        write_index(Path(folder), self.card, self._documents, kept, self.chunks)
        return Index.load(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Index:
        """Open an index; nothing is read before it is needed.

        Raises:
            InputError: When it is no index, is damaged, or is of a later format.
        """
        folder = Path(folder)
        card = read_card(folder / "index.json")
        kind = pa.large_string()
        documents, _ = map_batch(folder / "documents.arrow", {"id": kind, "text": kind})
        vectors = read_vectors(folder, card)
        found = (len(vectors), vectors.dimension) if isinstance(vectors, CompressedVectors) else vectors.shape
        if found != (card.vectors, card.dim) or documents.num_rows != card.count:
            raise InputError(
                f"{documents.num_rows} documents and vectors {found} do not match index.json, which says"
                f" {card.count} and {card.vectors} of {card.dim} numbers",
                path=folder,
                remedy=REBUILD,
            )
        return cls(card, vectors, documents, None if card.chunks is None else read_chunks(folder / "chunks.npy", card))


def checked_dim(dim: int | None, available: int, what: str) -> int:
    """``dim``, or all that there is for ``None``.

    Raises:
        InputError: When it is not within 1 and ``available``.
    """
    if dim is not None and not 1 <= dim <= available:
        raise InputError(
            f"is {dim}, but {what} have {available} numbers", field="dim", remedy=f"Choose 1 to {available}."
        )
    return available if dim is None else dim


def _encoded(encoder: TextEncoder, texts: Sequence[str], card: IndexCard) -> Iterator[npt.NDArray[np.float32]]:
    parts = range(0, len(texts), _ENCODED_AT_A_TIME)
    for number, start in enumerate(parts, 1):
        name = "Encoding documents" if len(parts) == 1 else f"Encoding documents, part {number} of {len(parts)}"
        part = texts[start : start + _ENCODED_AT_A_TIME]
        given = encode_compared(
            encoder, part, prompt=card.prompt, instruction=card.instruction, dim=card.dim, show_progress=name
        )
        vectors = np.asarray(given, dtype=np.float32)
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise InputError(
                f"the model gives a vector that is not finite for document number {start + int(finite.argmin())}"
                " (counted from 0)",
                field="encoder",
                remedy="Check the model's weights and its precision.",
            )
        yield vectors


def _spread(
    encoder: TextEncoder, texts: Sequence[str], card: IndexCard, shards: Path, engine: Engine
) -> Iterator[npt.NDArray[np.float32]]:
    """The same vectors, made in shards by an engine."""
    from cosmith.retrieval.vectors import Encoding, encode_in_shards

    table, numbers = TextTable.from_texts(texts)
    encoding = Encoding(encoder, table, numbers, "documents", card.prompt, card.instruction, card.dim)
    vectors = encode_in_shards(encoding, shards, engine)
    for start in range(0, len(texts), _ENCODED_AT_A_TIME):
        yield vectors.part(slice(start, min(start + _ENCODED_AT_A_TIME, len(texts))))


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows that were cut, as unit rows again (zero rows stay zero)."""
    cut = np.array(vectors)
    norms = np.linalg.norm(cut, axis=1, keepdims=True)
    np.divide(cut, norms, out=cut, where=norms > 0)
    return cut


def _search_chunks(
    vectors: CompressedVectors, queries: npt.NDArray[np.float32], chunks: ChunkTable, k: int
) -> tuple[Positions, Scores, Positions]:
    """The best documents by their best chunk: as many chunks are found as have that many documents among them."""
    most = depth_in_chunks(chunks.offsets, k)
    depth = min(_CHUNKS_A_DOCUMENT * k, most)
    while True:
        found = best_chunks_of(*vectors.search(queries, depth), chunks.offsets, k)
        if depth >= most or not np.isneginf(found[1]).any():
            return found
        depth = min(2 * depth, most)
