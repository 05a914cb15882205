"""The same vectors behind many doors: how Cosmith, faiss and usearch each build a search, keep it, and find.

One thread for all. What has to be trained is trained on the same 100,000 of the vectors, evenly spaced; for Cosmith and
for faiss there are as many lists, and as many of them are looked into. Products are quantised without polysemous
training (``np``), which takes faiss minutes and serves no search here. All else is at the library's defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Find = Callable[[np.ndarray, int], np.ndarray]
"""Queries ``[Q, D]`` and k → positions ``[Q, k]``."""

_TRAINED_ON = 100_000
_FILE = "index"


@dataclass(frozen=True)
class Searcher:
    """A library with a form.

    Attributes:
        build: Vectors ``[n, D]`` and an empty folder: makes what is searched, and writes it there.
        load: The folder → what finds.
        environment: Whose Python: ``""`` for that of Cosmith, else ``usearch``.
    """

    build: Callable[[np.ndarray, Path], None]
    load: Callable[[Path], Find]
    environment: str = ""


def cosmith(form: str) -> Searcher:
    """Cosmith's, by the name of the form; memory-mapped."""

    def build(vectors: np.ndarray, folder: Path) -> None:
        from cosmith.retrieval.compressed import CompressedVectors

        CompressedVectors.build(vectors, form).save(folder / _FILE)

    def load(folder: Path) -> Find:
        from cosmith.retrieval.compressed import CompressedVectors

        opened = CompressedVectors.load(folder / _FILE)
        return lambda queries, k: opened.search(queries, k)[0]

    return Searcher(build, load)


def faiss(description: str, candidates: int = 0, *, products_from: int | None = None) -> Searcher:
    """faiss's index factory, inner products.

    Args:
        description: As the factory reads it; ``{lists}`` is how many there are.
        candidates: Of a refined index, for each that is wanted.
        products_from: From how many queries on a scan of whole vectors is a product of matrices
            (``distance_compute_blas_threshold``); None: as it comes, which in 1.15.1 is 128,000, so practically never.
    """

    def build(vectors: np.ndarray, folder: Path) -> None:
        import faiss

        made = faiss.index_factory(
            vectors.shape[1], description.format(lists=_lists(len(vectors))), faiss.METRIC_INNER_PRODUCT
        )
        if not made.is_trained:
            made.train(_sample(vectors))
        for start in range(0, len(vectors), _TRAINED_ON):
            made.add(np.ascontiguousarray(vectors[start : start + _TRAINED_ON]))
        faiss.write_index(made, str(folder / _FILE))

    def load(folder: Path) -> Find:
        import faiss

        if products_from is not None:
            faiss.cvar.distance_compute_blas_threshold = products_from
        opened = faiss.read_index(str(folder / _FILE))
        inner = opened
        if candidates:
            opened.k_factor = candidates
            inner = faiss.downcast_index(opened.base_index)
        if hasattr(inner, "nprobe"):
            inner.nprobe = max(32, inner.nlist // 16)
        if hasattr(inner, "hnsw"):
            inner.hnsw.efSearch = 64
        return lambda queries, k: opened.search(queries, k)[1]

    return Searcher(build, load)


def _faiss_binary() -> Searcher:
    """faiss's scan of signs."""

    def build(vectors: np.ndarray, folder: Path) -> None:
        import faiss

        made = faiss.IndexBinaryFlat(vectors.shape[1])
        for start in range(0, len(vectors), _TRAINED_ON):
            made.add(_signs(vectors[start : start + _TRAINED_ON]))
        faiss.write_index_binary(made, str(folder / _FILE))

    def load(folder: Path) -> Find:
        import faiss

        opened = faiss.read_index_binary(str(folder / _FILE))
        return lambda queries, k: opened.search(_signs(queries), k)[1]

    return Searcher(build, load)


def usearch(numbers: str) -> Searcher:
    """usearch's graph, with numbers of a type; inner products, of signs the bits that differ."""
    bits = numbers == "b1"

    def build(vectors: np.ndarray, folder: Path) -> None:
        from usearch.index import Index

        made = Index(ndim=vectors.shape[1], metric="hamming" if bits else "ip", dtype=numbers)
        for start in range(0, len(vectors), _TRAINED_ON):
            part = np.ascontiguousarray(vectors[start : start + _TRAINED_ON])
            made.add(np.arange(start, start + len(part)), _signs(part) if bits else part, threads=1)
        made.save(str(folder / _FILE))

    def load(folder: Path) -> Find:
        from usearch.index import Index

        opened: Any = Index.restore(str(folder / _FILE))

        def find(queries: np.ndarray, k: int) -> np.ndarray:
            found = opened.search(_signs(queries) if bits else queries, k, threads=1)
            return np.asarray(found.keys, dtype=np.int64).reshape(len(queries), k)

        return find

    return Searcher(build, load, "usearch")


def _lists(count: int) -> int:
    from cosmith.retrieval.compressed.structures import lists_for

    return lists_for(count)


def _sample(vectors: np.ndarray) -> np.ndarray:
    rows = np.linspace(0, len(vectors) - 1, min(_TRAINED_ON, len(vectors))).astype(np.int64)
    return np.ascontiguousarray(vectors[rows])


def _signs(vectors: np.ndarray) -> np.ndarray:
    return np.packbits(vectors > 0, axis=1)


SEARCHERS: Mapping[str, Searcher] = {
    "cosmith float32": cosmith("float32"),
    "cosmith float16": cosmith("float16"),
    "cosmith int8": cosmith("int8"),
    "cosmith pca128+int8": cosmith("pca128+int8"),
    "cosmith binary": cosmith("binary"),
    "cosmith binary x10 by int8": cosmith("binary, rescored x10 by int8"),
    "cosmith rabitq": cosmith("rabitq"),
    "cosmith rabitq x4 by int8": cosmith("rabitq, rescored x4 by int8"),
    "cosmith pq48 x4 by int8": cosmith("pq48, rescored x4 by int8"),
    "cosmith ivf-rabitq": cosmith("ivf-rabitq"),
    "cosmith ivf-rabitq x4 by int8": cosmith("ivf-rabitq, rescored x4 by int8"),
    "cosmith hnsw-sq8": cosmith("hnsw-sq8"),
    "faiss Flat": faiss("Flat"),
    "faiss Flat, products from 20": faiss("Flat", products_from=20),
    "faiss SQfp16": faiss("SQfp16"),
    "faiss SQ8": faiss("SQ8"),
    "faiss PCA128,SQ8": faiss("PCA128,SQ8"),
    "faiss BinaryFlat": _faiss_binary(),
    "faiss RaBitQ": faiss("RR384,RaBitQ"),
    "faiss RaBitQ x4 by SQ8": faiss("RR384,RaBitQ,Refine(SQ8)", 4),
    "faiss PQ48 x4 by SQ8": faiss("PQ48np,Refine(SQ8)", 4),
    "faiss IVF,PQ48 x4 by SQ8": faiss("IVF{lists},PQ48np,Refine(SQ8)", 4),
    "faiss IVF,RaBitQ": faiss("IVF{lists},RaBitQ"),
    "faiss IVF,RaBitQ x4 by SQ8": faiss("IVF{lists},RaBitQ,Refine(SQ8)", 4),
    "faiss HNSW32,SQ8": faiss("HNSW32,SQ8"),
    "faiss HNSW32,Flat": faiss("HNSW32,Flat"),
    "usearch f32": usearch("f32"),
    "usearch f16": usearch("f16"),
    "usearch i8": usearch("i8"),
    "usearch b1": usearch("b1"),
}

_SELDOM = ("cosmith ivf-rabitq", "faiss IVF,RaBitQ", "faiss HNSW32,Flat", "usearch f32", "usearch f16")
USUAL = [name for name in SEARCHERS if name not in _SELDOM]
"""All but the graphs that take longest to build, and lists whose candidates nothing puts in order."""

PEERS: Mapping[str, tuple[str, ...]] = {
    "cosmith float32": ("faiss Flat", "faiss Flat, products from 20"),
    "cosmith float16": ("faiss SQfp16",),
    "cosmith int8": ("faiss SQ8",),
    "cosmith pca128+int8": ("faiss PCA128,SQ8",),
    "cosmith binary": ("faiss BinaryFlat", "usearch b1"),
    "cosmith binary x10 by int8": ("faiss RaBitQ x4 by SQ8", "faiss IVF,PQ48 x4 by SQ8"),
    "cosmith rabitq": ("faiss RaBitQ",),
    "cosmith rabitq x4 by int8": ("faiss RaBitQ x4 by SQ8",),
    "cosmith pq48 x4 by int8": ("faiss PQ48 x4 by SQ8",),
    "cosmith ivf-rabitq": ("faiss IVF,RaBitQ",),
    "cosmith ivf-rabitq x4 by int8": ("faiss IVF,RaBitQ x4 by SQ8", "faiss IVF,PQ48 x4 by SQ8", "usearch i8"),
    "cosmith hnsw-sq8": ("faiss HNSW32,SQ8", "usearch i8", "usearch f16"),
}
"""A form → what it is held against: those that take about as many bytes, or find in the same way."""
