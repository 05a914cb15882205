"""Search: exact nearest vectors, BM25, an index in a folder, and a better order for what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

# Imported on first use: an index needs Arrow, BM25 alone does not.
_PUBLIC = {
    "BestSoFar": "cosmith.retrieval.dense",
    "Bm25": "cosmith.retrieval.lexical",
    "ChunkTable": "cosmith.retrieval.best_chunk",
    "Hits": "cosmith.retrieval.hits",
    "VECTOR_FORMS": "cosmith.retrieval.vector_forms",
    "VectorForm": "cosmith.retrieval.vector_forms",
    "as_stored": "cosmith.retrieval.vector_forms",
    "int8_codes": "cosmith.retrieval.vector_forms",
    "sign_bits": "cosmith.retrieval.vector_forms",
    "stored_bytes": "cosmith.retrieval.vector_forms",
    "Index": "cosmith.retrieval.index",
    "IndexCard": "cosmith.retrieval.index_card",
    "VectorFolder": "cosmith.retrieval.vector_shards",
    "encode_stream": "cosmith.retrieval.streaming",
    "rerank": "cosmith.retrieval.reranking",
    "search_best_chunk": "cosmith.retrieval.best_chunk",
    "search_dense": "cosmith.retrieval.dense",
    "search_late_interaction": "cosmith.retrieval.late_interaction",
    "search_sparse": "cosmith.retrieval.sparse",
}

__all__ = ["VECTOR_FORMS", "BestSoFar", "Bm25", "ChunkTable", "Hits", "Index", "IndexCard", "VectorFolder",
           "VectorForm", "as_stored", "encode_stream", "int8_codes", "rerank", "search_best_chunk", "search_dense",
           "search_late_interaction", "search_sparse", "sign_bits", "stored_bytes"]  # fmt: skip

if TYPE_CHECKING:
    from cosmith.retrieval.best_chunk import ChunkTable, search_best_chunk
    from cosmith.retrieval.dense import BestSoFar, search_dense
    from cosmith.retrieval.hits import Hits
    from cosmith.retrieval.index import Index
    from cosmith.retrieval.index_card import IndexCard
    from cosmith.retrieval.late_interaction import search_late_interaction
    from cosmith.retrieval.lexical import Bm25
    from cosmith.retrieval.reranking import rerank
    from cosmith.retrieval.sparse import search_sparse
    from cosmith.retrieval.streaming import encode_stream
    from cosmith.retrieval.vector_forms import (
        VECTOR_FORMS,
        VectorForm,
        as_stored,
        int8_codes,
        sign_bits,
        stored_bytes,
    )
    from cosmith.retrieval.vector_shards import VectorFolder

__getattr__ = on_first_use(__name__, _PUBLIC)
