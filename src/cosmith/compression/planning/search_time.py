"""How long one query's search takes in a form of vectors, for a corpus of a stated size."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cosmith.retrieval.compressed import CompressedVectors, FaissStructure, SearchForm, StoredCodes

_K = 10
_SCANNED = 100_000  # vectors of which codes are scanned, at most
_STRUCTURED = 20_000  # vectors that a structure is built of, at most
_NOISE = 0.2  # length of what tells copies of a vector apart, where it is 1

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SearchTime:
    """How long a search takes.

    Attributes:
        seconds: Of wall time, for each query by itself, for the stated corpus.
        measured_on: How many vectors were searched; with more in the corpus, what it takes is scaled up.
    """

    seconds: tuple[float, ...]
    measured_on: int


def search_time(vectors: Vectors, queries: Vectors, form: SearchForm, corpus_size: int, *, seed: int = 0) -> SearchTime:
    """Time a form's search, one query at a time for ten documents each.

    A scan of codes is timed with those of the documents repeated, up to 100,000, and a tenth as many: what a vector
    more takes is the slope. A structure is built of up to 20,000 vectors, the documents' with a little noise where
    there are fewer; what lists take then grows with the corpus, what a graph takes with its logarithm.

    Args:
        vectors: Some documents', float32 ``[n, D]``.
        queries: ``[Q, D]``, at least one.
        form: The form.
        corpus_size: For how many documents.
        seed: Of the noise, rotations and k-means.
    """
    if isinstance(form.first, FaissStructure):
        count = min(corpus_size, _STRUCTURED)
        built = CompressedVectors.build(enlarged(vectors, count, seed=seed), form, seed=seed)
        measured = _timed(built, queries)
        hnsw = form.first.structure == "hnsw-sq8"
        factor = math.log(max(corpus_size, 2)) / math.log(max(count, 2)) if hnsw else corpus_size / count
        return SearchTime(tuple(factor * each for each in measured), count)
    count = min(corpus_size, _SCANNED)
    coded = CompressedVectors.build(vectors, form, seed=seed)
    measured = _timed(repeated(coded, count), queries)
    if corpus_size == count:
        return SearchTime(tuple(measured), count)
    few = count // 10
    middle = float(np.median(measured))
    slope = max(0.0, (middle - float(np.median(_timed(repeated(coded, few), queries)))) / (count - few))
    factor = (middle + slope * (corpus_size - count)) / middle
    return SearchTime(tuple(factor * each for each in measured), count)


def enlarged(vectors: Vectors, count: int, *, seed: int = 0) -> Vectors:
    """So many unit vectors that lie as the given ones do: these, and copies of them with a little noise."""
    if count <= len(vectors):
        return vectors[:count]
    rng = np.random.default_rng(seed)
    rows = np.resize(np.arange(len(vectors)), count)
    made = vectors[rows]
    made[len(vectors) :] += (
        rng.normal(size=(count - len(vectors), vectors.shape[1])) * _NOISE / math.sqrt(vectors.shape[1])
    ).astype(np.float32)
    found: Vectors = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
    return found


def repeated(coded: CompressedVectors, count: int) -> CompressedVectors:
    """The same codes over and over, ``count`` of them: to scan them takes what it takes with others."""

    def more(stored: StoredCodes) -> StoredCodes:
        return replace(stored, codes=np.resize(stored.codes, (count, stored.codes.shape[1])))

    assert isinstance(coded.first, StoredCodes)
    return replace(coded, first=more(coded.first), finer=None if coded.finer is None else more(coded.finer))


def _timed(vectors: CompressedVectors, queries: Vectors) -> list[float]:
    vectors.search(queries[:1], _K)  # the first pays for what the library sets up
    seconds = []
    for row in range(len(queries)):
        began = time.perf_counter()
        vectors.search(queries[row : row + 1], _K)
        seconds.append(time.perf_counter() - began)
    return seconds
