"""Vectors in a form: built, searched, kept in a folder.

vectors.json                what it is: format, form, sizes, the model's name and fingerprint
first.codes.npy             codes [n, width], memory-mapped; or first.faiss
first.mean.npy, ...         what was fit
finer.codes.npy, ...        the same of what puts candidates in order
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.models.fingerprint_parts import EmbeddingFingerprint, embedding_fingerprint
from cosmith.retrieval.compressed.coding import StoredCodes, Vectors, require_finite_vectors
from cosmith.retrieval.compressed.folder import read, write
from cosmith.retrieval.compressed.form import Coding, SearchForm, parse_form
from cosmith.retrieval.compressed.structures import StructuredVectors
from cosmith.retrieval.dense import Positions, Scores
from cosmith.retrieval.makers import model_name, require_maker

if TYPE_CHECKING:
    from cosmith.models import TextEncoder


@dataclass(frozen=True)
class CompressedVectors:
    """Vectors that are stored and searched in a form.

    Attributes:
        form: The form.
        dimension: Numbers of a vector before it, D.
        first: What finds candidates.
        finer: What puts them in order; None where nothing is rescored.
        model: The name of the model that made the vectors, for people; "" where it was not said.
        encoder: Its fingerprint; "" likewise.
        fingerprint: That of the vectors, part by part; None where it is not known.
    """

    form: SearchForm
    dimension: int
    first: StoredCodes | StructuredVectors
    finer: StoredCodes | None = None
    model: str = ""
    encoder: str = ""
    fingerprint: EmbeddingFingerprint | None = None

    @classmethod
    def build(
        cls, vectors: Vectors, form: SearchForm | str, *, encoder: TextEncoder | None = None, seed: int = 0
    ) -> CompressedVectors:
        """Bring vectors into a form that is fit on them.

        Args:
            vectors: ``[n, D]``, finite; may be memory-mapped: it is read in blocks.
            form: The form, or its name, e.g. ``"pca128+binary, rescored x4 by int8"``.
            encoder: What made the vectors: its name and fingerprint are kept with them.
            seed: Of rotations and k-means.

        Raises:
            InputError: When there are no vectors, one is not finite, the form is not known or does not go with their
                length, or it needs what is not installed.
        """
        form = parse_form(form) if isinstance(form, str) else form
        if vectors.ndim != 2 or not vectors.size:
            raise InputError(f"vectors {vectors.shape} must be [n, D] with n and D of at least 1", field="vectors")
        first: StoredCodes | StructuredVectors
        if isinstance(form.first, Coding):
            first = StoredCodes.build(vectors, form.first, seed=seed)
        else:
            first = StructuredVectors.build(vectors, form.first, seed=seed)
        finer = None if form.by is None else StoredCodes.build(vectors, form.by, seed=seed)
        if encoder is None:
            return cls(form, vectors.shape[1], first, finer)
        made = embedding_fingerprint(encoder).extended({"dimensions": str(vectors.shape[1]), "kept as": str(form)})
        return cls(form, vectors.shape[1], first, finer, model_name(encoder), encoder.fingerprint(), made)

    def __len__(self) -> int:
        """How many vectors there are."""
        return len(self.first)

    @property
    def bytes(self) -> float:
        """Of a vector, in what is searched first; a structure counts with its share."""
        return self.first.bytes

    @property
    def finer_bytes(self) -> float:
        """Of a vector, in what only candidates are looked up in, and which may stay on a disk; 0 without rescoring."""
        return 0 if self.finer is None else self.finer.bytes

    def search(self, queries: Vectors, k: int) -> tuple[Positions, Scores]:
        """The vectors nearest to each query.

        Args:
            queries: ``[Q, D]``, whole vectors.
            k: How many; may be greater than n.

        Returns:
            Positions int64 and scores float32 ``[Q, min(k, n)]``, best first; -1 and -inf where a structure finds
            fewer. Scores estimate inner products, but those of signs and of whitened vectors are cosines of these.

        Raises:
            InputError: When ``k`` is less than 1, or the queries are of another length or not finite.
        """
        if k < 1:
            raise InputError(f"must be at least 1, got {k}", field="k")
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise InputError(
                f"queries {queries.shape} must be [Q, {self.dimension}], as the vectors were", field="queries",
                remedy="Encode them with the model that made the vectors.",
            )  # fmt: skip
        require_finite_vectors(queries, 0)
        if self.finer is None:
            return self.first.search(queries, k)
        candidates, _ = self.first.search(queries, k * (self.form.rescored or 1))
        return self.finer.rescore(queries, candidates, k)

    def require(self, encoder: TextEncoder) -> None:
        """Refuse an encoder that did not make these vectors.

        Raises:
            InputError: When its fingerprint is another, or it is not known what made them.
        """
        require_maker(
            encoder, what="vectors", model=self.model, fingerprint=self.encoder, parts=self.fingerprint
        )  # fmt: skip

    def save(self, folder: str | Path) -> CompressedVectors:
        """Write them, in place of such that are there, and give them back memory-mapped from that folder.

        Raises:
            InputError: When the folder holds something else.
            StorageError: When it cannot be written.
        """
        write(
            Path(folder), self.form, self.dimension, self.first, self.finer,
            made={
                "model": self.model,
                "encoder": self.encoder,
                "fingerprint": None if self.fingerprint is None else self.fingerprint.as_json(),
            },
        )  # fmt: skip
        return CompressedVectors.load(folder)

    @classmethod
    def load(cls, folder: str | Path, *, encoder: TextEncoder | None = None) -> CompressedVectors:
        """Open a folder that :meth:`save` wrote; codes are not read before they are needed.

        Args:
            folder: Where.
            encoder: What will make the queries; see :meth:`require`.

        Raises:
            InputError: When it is no such folder, is damaged or of a later format, or another model made the vectors.
        """
        found = cls(*read(Path(folder)))
        if encoder is not None:
            found.require(encoder)
        return found


def neighbour_recall(found: Positions, exact: Positions) -> float:
    """The share of the exactly nearest vectors that a search finds, averaged over queries.

    Args:
        found: Positions ``[Q, k]``; -1 is none.
        exact: Those of an exact search, ``[Q, k]``.
    """
    if found.shape != exact.shape or not exact.size:
        raise InputError(f"positions {found.shape} and {exact.shape} must both be [Q, k], not empty", field="found")
    same = (found[:, :, None] == exact[:, None, :]).any(axis=1)
    return float(np.count_nonzero(same) / exact.size)
