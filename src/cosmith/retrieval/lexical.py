"""BM25: search by words, the baseline that a dense model has to beat.

bm25s computes the score of every (word, document) pair when the index is built (Lù 2024, arXiv:2407.03618); a search
only adds up a few rows. The adding and selecting is done here, so that equal scores have a defined order, documents
that share no word with the query are no hits, and k may exceed the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.data.array_files import map_array, write_array
from cosmith.errors import InputError, nearest
from cosmith.phrases import counted
from cosmith.progress import track
from cosmith.retrieval.dense import BestSoFar
from cosmith.retrieval.hits import Hits

LANGUAGES = (
    "danish", "dutch", "english", "french", "german", "italian", "norwegian", "portuguese", "russian", "spanish",
    "swedish", "turkish",
)  # fmt: skip
"""The languages with both a stemmer (Snowball) and a list of stop words."""

_FORMAT = 1
_ARRAYS = {"weights": np.float32, "documents": np.int32, "offsets": np.int64}
_TEXTS_AT_A_TIME = 4096
_BLOCK_SCORES = 4_000_000
"""Scores held at a time: 16 MB."""


@dataclass(frozen=True)
class Bm25:
    """An index of words: for each one, the documents that hold it and what it adds to their score.

    Attributes:
        ids: Document ids.
        vocabulary: Stem → its number.
        weights: float32 ``[postings]``, what a stem adds to a document's score.
        documents: int32 ``[postings]``, that document's position.
        offsets: int64 ``[stems + 1]``; the postings of stem i are ``offsets[i]:offsets[i + 1]``.
        language: Whose stemmer and stop words are used; ``None``: words as they are, in lower case.
        k1: How soon further occurrences of a word stop counting.
        b: How much long documents are held back, 0 to 1.
    """

    ids: tuple[str, ...]
    vocabulary: dict[str, int]
    weights: npt.NDArray[np.float32]
    documents: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    language: str | None
    k1: float
    b: float

    @classmethod
    def build(
        cls,
        ids: Sequence[str],
        texts: Sequence[str],
        *,
        language: str | None = "english",
        k1: float = 1.5,
        b: float = 0.75,
    ) -> Bm25:
        """Index documents with Lucene's form of BM25 (the scoring of Kamphuis et al. 2020, "Which BM25 do you mean?").

        Args:
            ids: One for each document.
            texts: The documents.
            language: One of :data:`LANGUAGES`, or ``None`` for no stemming and no stop words.
            k1: See the class.
            b: See the class.

        Raises:
            InputError: When there are no documents, ids and texts differ in number, or the language is unknown.
        """
        import bm25s

        if len(ids) != len(texts):
            raise InputError(f"{counted(len(ids), 'id')} for {counted(len(texts), 'text')}", field="ids")
        if not ids:
            raise InputError("there are no documents to index", field="texts")
        vocabulary: dict[str, int] = {}
        tokens: list[list[int]] = []
        with track("Indexing words", len(texts), "documents") as bar:
            for start in range(0, len(texts), _TEXTS_AT_A_TIME):
                for words in _words(texts[start : start + _TEXTS_AT_A_TIME], language):
                    tokens.append([vocabulary.setdefault(word, len(vocabulary)) for word in words])
                bar.advance(min(_TEXTS_AT_A_TIME, len(texts) - start))
        if not vocabulary:  # nothing but stop words: a valid corpus in which nothing can be found
            empty = np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64)
            return cls(tuple(ids), vocabulary, *empty, language, k1, b)
        index = bm25s.BM25(method="lucene", k1=k1, b=b)
        index.index((tokens, vocabulary), create_empty_token=False, show_progress=False)
        return cls(
            tuple(ids),
            vocabulary,
            np.asarray(index.scores["data"], dtype=np.float32),
            np.asarray(index.scores["indices"], dtype=np.int32),
            np.asarray(index.scores["indptr"], dtype=np.int64),
            language,
            k1,
            b,
        )

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self.ids)

    def search(self, texts: Sequence[str], k: int) -> Hits:
        """The documents that share the weightiest words with each text.

        Args:
            texts: Queries; a word that stands twice counts twice.
            k: How many of each; may be greater than the corpus.

        Returns:
            ``[len(texts), min(k, documents)]``; equal scores in the order of the corpus. A document that shares no
            word is no hit.
        """
        return Hits.from_positions(self._names, *self.search_positions(texts, k))

    def search_positions(self, texts: Sequence[str], k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """As :meth:`search`, with the documents' places in the corpus; ``-inf`` where there is no hit."""
        if k < 1:
            raise InputError(f"must be at least 1, got {k}", field="k")
        width = min(k, len(self))
        positions = np.zeros((len(texts), width), dtype=np.int64)
        scores = np.full((len(texts), width), -np.inf, dtype=np.float32)
        block = max(1, _BLOCK_SCORES // len(self))
        words = _words(texts, self.language)
        with track("Searching by words", len(texts), "queries") as bar:
            for start in range(0, len(texts), block):
                part = slice(start, min(start + block, len(texts)))
                positions[part], scores[part] = self._search_block(words[part], width)
                bar.advance(part.stop - part.start)
        return positions, scores

    def score(self, texts: Sequence[str], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """What the documents at some places of the corpus score for some texts.

        Args:
            texts: Queries, one for each place; those that are equal are scored once.
            positions: int64 ``[len(texts)]``.

        Returns:
            float32 ``[len(texts)]``; 0 where no word is shared.
        """
        rows_of: dict[str, list[int]] = {}
        for row, text in enumerate(texts):
            rows_of.setdefault(text, []).append(row)
        scores = np.zeros(len(texts), dtype=np.float32)
        for rows, words in zip(rows_of.values(), _words(list(rows_of), self.language), strict=True):
            scores[rows] = self._totals(words)[positions[rows]]
        return scores

    def _totals(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """The score of every document, float32 ``[documents]``."""
        totals = np.zeros(len(self), dtype=np.float32)
        for stem in self._known(words):
            postings = slice(self.offsets[stem], self.offsets[stem + 1])
            totals[self.documents[postings]] += self.weights[postings]
        return totals

    def _search_block(
        self, queries: Sequence[Sequence[str]], width: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        totals = np.stack([self._totals(words) for words in queries])
        totals[totals <= 0] = -np.inf
        best = BestSoFar(len(queries), width)
        best.add(totals, 0)
        return best.result()

    def stems(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of each text's stems that the vocabulary has, ascending; one that stands twice comes twice."""
        return [self._known(words) for words in _words(texts, self.language)]

    def _known(self, words: Sequence[str]) -> list[int]:
        # In the order of the vocabulary, so that the rounding does not depend on that of the query.
        return sorted(self.vocabulary[word] for word in words if word in self.vocabulary)

    @cached_property
    def _names(self) -> npt.NDArray[np.object_]:
        return Hits.names_of(self.ids)

    def save(self, folder: str | Path) -> Bm25:
        """Write the index as a folder (``bm25.json`` and three ``.npy`` files; no pickle), in place of one there.

        Raises:
            InputError: When the folder holds something else than a BM25 index.
            StorageError: When it cannot be written.
        """
        require_replaceable(Path(folder), "bm25.json", "a BM25 index")
        with atomic_folder(folder) as place:
            for name, dtype in _ARRAYS.items():
                array = getattr(self, name)
                write_array(place / f"{name}.npy", array.shape, dtype, [array])
            write_json(
                place / "bm25.json",
                {
                    "format": _FORMAT,
                    "language": self.language,
                    "k1": self.k1,
                    "b": self.b,
                    "ids": list(self.ids),
                    "vocabulary": list(self.vocabulary),
                },
            )
        return self

    @classmethod
    def load(cls, folder: str | Path) -> Bm25:
        """Read what :meth:`save` wrote; the arrays are memory-mapped.

        Raises:
            InputError: When the folder is no such index, is damaged, or is of a later format.
        """
        path = Path(folder) / "bm25.json"
        about = _read_card(path)
        weights, documents, offsets = (
            map_array(path.with_name(f"{name}.npy"), dtype, _REBUILD) for name, dtype in _ARRAYS.items()
        )
        vocabulary = {word: number for number, word in enumerate(about["vocabulary"])}
        if len(offsets) != len(vocabulary) + 1 or not len(weights) == len(documents) == int(offsets[-1]):
            raise InputError("its files do not belong together", path=folder, remedy=_REBUILD)
        return cls(
            tuple(about["ids"]), vocabulary, weights, documents, offsets, about["language"], about["k1"], about["b"]
        )


@dataclass(frozen=True)
class Bm25Scorer:
    """A :class:`~cosmith.models.PairScorer` by words: BM25 over the documents of one call.

    Attributes:
        language: As of :class:`Bm25`.
    """

    language: str | None = "english"

    def score(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        instruction: str = "",
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """Score pairs; how rare a word is, is counted in all documents that are given, each text once.

        Args:
            queries: One for each pair.
            documents: One for each pair.
            instruction: Is not read: it would be the same words for every document.
            show_progress: Is not told: it takes no time.

        Returns:
            float32 ``[pairs]``; 0 where no word is shared.

        Raises:
            InputError: When there is not a document for each query, or none at all.
        """
        if len(queries) != len(documents):
            raise InputError(f"{counted(len(queries), 'text')} for {counted(len(documents), 'document')}",
                             field="queries")  # fmt: skip
        place: dict[str, int] = {}
        positions = np.array([place.setdefault(text, len(place)) for text in documents], dtype=np.int64)
        index = Bm25.build(list(map(str, place.values())), list(place), language=self.language)
        return index.score(queries, positions)


_REBUILD = "Build the index again with Bm25.build and save it."


def _read_card(path: Path) -> dict[str, Any]:
    keys = ("format", "language", "k1", "b", "ids", "vocabulary")
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if missing := [key for key in keys if key not in about]:
            raise InputError(f"lacks {missing[0]!r}", path=path, field=missing[0], remedy=_REBUILD)
    except FileNotFoundError as error:
        raise InputError("is not a BM25 index: there is no bm25.json", path=path.parent, remedy=_REBUILD) from error
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"is not the card of a BM25 index ({error})", path=path, remedy=_REBUILD) from error
    if about["format"] != _FORMAT:
        raise InputError(f"is of format {about['format']}; this version reads {_FORMAT}", path=path, remedy=_REBUILD)
    return about


def _words(texts: Sequence[str], language: str | None) -> list[list[str]]:
    """The stems of each text: lower case, words of two letters or more, without stop words."""
    import bm25s
    import Stemmer

    if language is not None and language not in LANGUAGES:
        raise InputError(f"{language!r} is not known", field="language", remedy=nearest(language, LANGUAGES))
    words: list[list[str]] = bm25s.tokenize(
        list(texts),
        stopwords=language,
        stemmer=Stemmer.Stemmer(language) if language else None,
        return_ids=False,
        show_progress=False,
    )
    return words
