"""What faiss searches in place of all vectors: a graph of neighbours, or lists of vectors near one another.

Both look at a part of the vectors only, so they may miss some of the best; rescoring does not bring those back that
were never candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosmith.errors import InputError
from cosmith.retrieval.compressed.codes import Floats
from cosmith.retrieval.compressed.coding import (
    BLOCK,
    Vectors,
    fit_transforms,
    require_finite_vectors,
    sample_of,
)
from cosmith.retrieval.compressed.faiss_library import load_faiss
from cosmith.retrieval.compressed.form import FaissStructure, with_rotation
from cosmith.retrieval.compressed.transforms import Transform
from cosmith.retrieval.dense import Positions, Scores

_NEIGHBOURS = 32
"""Of a vector in the graph, on each of its upper levels; twice as many on the lowest."""
_CONSTRUCTION_BREADTH = 100
_SEARCH_BREADTH = 64
"""Vectors that the graph's search keeps in view, at least; twice as many as are wanted, where that is more."""
_LEAST_LISTS = 32
"""Lists that are looked into, at least; a sixteenth of all, where that is more.

Of 5,183 abstracts (all-MiniLM-L6-v2, 132 lists) 0.90 of the nearest ten were among 40 candidates of 16 lists, 0.94 of
32.
"""
_OF_A_NODE = 8 + 4
"""Bytes of where a vector's links begin, and of its level."""
_OF_A_NUMBER = 8
"""Bytes by which a list knows a vector."""
_QUERY_BITS = 8
"""Of a number of the query, as RaBitQ compares it; more than the vectors' own one cost little."""


@dataclass(frozen=True)
class StructuredVectors:
    """Vectors in a structure of faiss; those in ``hnsw-sq8`` take a byte a number, in ``ivf-rabitq`` a bit.

    Attributes:
        transform: What is done first; None: nothing.
        index: faiss's.
        bytes: Of a vector, with its share of the structure.
    """

    transform: Transform | None
    index: Any
    bytes: float

    @classmethod
    def build(cls, vectors: Vectors, form: FaissStructure, *, seed: int = 0) -> StructuredVectors:
        """Build a structure of vectors ``[n, D]``; the same for the same seed, on one thread.

        Raises:
            InputError: When a transform does not go with the vectors, one of these is not finite, or faiss is not
                installed.
        """
        faiss = load_faiss()
        for start in range(0, len(vectors), BLOCK):
            require_finite_vectors(vectors[start : start + BLOCK], start)
        sample = sample_of(vectors)
        transform = fit_transforms(with_rotation(form).transforms, sample, seed=seed)
        shortened = _transformed(sample, transform)
        dimension = shortened.shape[1]
        if form.structure == "hnsw-sq8":
            index = faiss.index_factory(dimension, f"HNSW{_NEIGHBOURS},SQ8", faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = _CONSTRUCTION_BREADTH
        else:
            index = faiss.index_factory(dimension, f"IVF{lists_for(len(vectors))},RaBitQ", faiss.METRIC_INNER_PRODUCT)
            index.qb = _QUERY_BITS
            index.cp.seed, index.cp.min_points_per_centroid = seed + 1, 1
        index.train(shortened)
        for start in range(0, len(vectors), BLOCK):
            index.add(_transformed(vectors[start : start + BLOCK], transform))
        return cls(transform, index, _bytes_of(index) / len(vectors))

    def __len__(self) -> int:
        """How many vectors there are."""
        return int(self.index.ntotal)

    def bytes_among(self, count: int) -> float:
        """Of a vector, with its share of the structure, where so many vectors are in such a structure.

        A graph's levels are drawn, so that this is what is expected of it; of lists, of which there are fewer for each
        vector the more vectors there are, it is what is taken.
        """
        index = self.index
        if hasattr(index, "hnsw"):
            return float(index.storage.sa_code_size() + 4 * _expected_links(index.hnsw) + _OF_A_NODE)
        return float(index.code_size + _OF_A_NUMBER + 4 * index.d * lists_for(count) / count)

    def search(self, queries: Vectors, k: int) -> tuple[Positions, Scores]:
        """The vectors found to be nearest to each query.

        Args:
            queries: ``[Q, D]``, finite.
            k: How many; may be greater than n.

        Returns:
            Positions and scores ``[Q, min(k, n)]``, best first; -1 and -inf where fewer were found.
        """
        if k < 1:
            raise InputError(f"must be at least 1, got {k}", field="k")
        kept = min(k, len(self))
        scores, positions = self.index.search(
            _transformed(queries, self.transform), kept, params=_search_parameters(self.index, kept)
        )
        return positions.astype(np.int64), np.where(positions < 0, np.float32(-np.inf), scores)


def _bytes_of(index: Any) -> int:
    """Of codes and structure, without those few that describe them."""
    if hasattr(index, "hnsw"):
        graph = index.hnsw
        links = 4 * graph.neighbors.size() + 8 * graph.offsets.size() + 4 * graph.levels.size()
        return int(index.ntotal * index.storage.sa_code_size() + links)
    return int(index.ntotal * (index.code_size + _OF_A_NUMBER) + 4 * index.nlist * index.d)


def _expected_links(graph: Any) -> float:
    """Places for neighbours of a vector, on all levels that it is drawn for."""
    faiss = load_faiss()
    chances = faiss.vector_to_array(graph.assign_probas)  # of a vector, that a level is its highest
    places = faiss.vector_to_array(graph.cum_nneighbor_per_level)  # on all levels below one
    return float(chances @ places[1 : len(chances) + 1])


def _transformed(vectors: Vectors, transform: Transform | None) -> Floats:
    return np.ascontiguousarray(vectors if transform is None else transform(vectors), dtype=np.float32)


def lists_for(count: int) -> int:
    """Four times the root of how many vectors there are, but no more than have 39 each, which k-means wants."""
    return max(1, min(round(4 * math.sqrt(count)), count // 39))


def _search_parameters(index: Any, kept: int) -> Any:
    faiss = load_faiss()
    if hasattr(index, "hnsw"):
        return faiss.SearchParametersHNSW(efSearch=max(_SEARCH_BREADTH, 2 * kept))
    lists = min(index.nlist, max(_LEAST_LISTS, index.nlist // 16))
    return faiss.IVFRaBitQSearchParameters(nprobe=lists, qb=_QUERY_BITS)
