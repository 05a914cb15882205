"""Models: text → unit vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

# Imported on first use: what runs an exported model needs neither torch nor transformers.
_PUBLIC = {
    "POOLINGS": "cosmith.models.pooling",
    "AdapterKind": "cosmith.models.adapters",
    "AdapterSpec": "cosmith.models.adapters",
    "CacheCounts": "cosmith.models.vector_cache",
    "CachedEncoder": "cosmith.models.cached_encoder",
    "CrossEncoder": "cosmith.models.cross_encoder",
    "Embedder": "cosmith.models.protocol",
    "EmbeddingFingerprint": "cosmith.models.fingerprint_parts",
    "Encoder": "cosmith.models.encoder",
    "LateInteractionEncoder": "cosmith.models.late_interaction",
    "LateInteractionSpec": "cosmith.models.late_interaction",
    "ModelKind": "cosmith.models.kinds",
    "PairScorer": "cosmith.models.protocol",
    "Pooling": "cosmith.models.pooling",
    "Precision": "cosmith.models.precision",
    "QueryExpansion": "cosmith.models.late_interaction",
    "ReadingEncoder": "cosmith.models.protocol",
    "RemoteEncoder": "cosmith.models.remote",
    "SparseEncoder": "cosmith.models.sparse",
    "SparseVectors": "cosmith.models.sparse",
    "TextEncoder": "cosmith.models.protocol",
    "TokenMeasure": "cosmith.models.measure",
    "TokenVectors": "cosmith.models.late_interaction",
    "Trainable": "cosmith.models.protocol",
    "VectorCache": "cosmith.models.vector_cache",
    "append_end_token": "cosmith.models.end_token",
    "default_cache_path": "cosmith.models.vector_cache",
    "embedding_fingerprint": "cosmith.models.fingerprint_parts",
    "distil_static": "cosmith.models.from_vocabulary",
    "find_model": "cosmith.models.packaged",
    "has_bf16": "cosmith.models.precision",
    "initialise": "cosmith.models.from_scratch",
    "initialise_static": "cosmith.models.from_vocabulary",
    "kind_of": "cosmith.models.kinds",
    "load_encoder": "cosmith.models.loading",
    "load_pair_scorer": "cosmith.models.pair_scorer",
    "load_word_vectors": "cosmith.models.word_vectors",
    "micro_batches": "cosmith.models.batching",
    "pool": "cosmith.models.pooling",
    "resolve_precision": "cosmith.models.precision",
    "tiny_cross_encoder": "cosmith.models.tiny",
    "tiny_encoder": "cosmith.models.tiny",
    "train_tokenizer": "cosmith.models.from_scratch",
    "vectors_fingerprint": "cosmith.models.fingerprint_parts",
}

if TYPE_CHECKING:
    from cosmith.models.adapters import AdapterKind, AdapterSpec
    from cosmith.models.batching import micro_batches
    from cosmith.models.cached_encoder import CachedEncoder
    from cosmith.models.cross_encoder import CrossEncoder
    from cosmith.models.encoder import Encoder
    from cosmith.models.end_token import append_end_token
    from cosmith.models.fingerprint_parts import EmbeddingFingerprint, embedding_fingerprint, vectors_fingerprint
    from cosmith.models.from_scratch import initialise, train_tokenizer
    from cosmith.models.from_vocabulary import distil_static, initialise_static
    from cosmith.models.kinds import ModelKind, kind_of
    from cosmith.models.late_interaction import (
        LateInteractionEncoder,
        LateInteractionSpec,
        QueryExpansion,
        TokenVectors,
    )
    from cosmith.models.loading import load_encoder
    from cosmith.models.measure import TokenMeasure
    from cosmith.models.packaged import find_model
    from cosmith.models.pair_scorer import load_pair_scorer
    from cosmith.models.pooling import POOLINGS, Pooling, pool
    from cosmith.models.precision import Precision, has_bf16, resolve_precision
    from cosmith.models.protocol import Embedder, PairScorer, ReadingEncoder, TextEncoder, Trainable
    from cosmith.models.remote import RemoteEncoder
    from cosmith.models.sparse import SparseEncoder, SparseVectors
    from cosmith.models.tiny import tiny_cross_encoder, tiny_encoder
    from cosmith.models.vector_cache import CacheCounts, VectorCache, default_cache_path
    from cosmith.models.word_vectors import load_word_vectors

__all__ = [
    "POOLINGS",
    "AdapterKind",
    "AdapterSpec",
    "CacheCounts",
    "CachedEncoder",
    "CrossEncoder",
    "Embedder",
    "EmbeddingFingerprint",
    "Encoder",
    "LateInteractionEncoder",
    "LateInteractionSpec",
    "ModelKind",
    "PairScorer",
    "Pooling",
    "Precision",
    "QueryExpansion",
    "ReadingEncoder",
    "RemoteEncoder",
    "SparseEncoder",
    "SparseVectors",
    "TextEncoder",
    "TokenMeasure",
    "TokenVectors",
    "Trainable",
    "VectorCache",
    "append_end_token",
    "default_cache_path",
    "distil_static",
    "embedding_fingerprint",
    "find_model",
    "has_bf16",
    "initialise",
    "initialise_static",
    "kind_of",
    "load_encoder",
    "load_pair_scorer",
    "load_word_vectors",
    "micro_batches",
    "pool",
    "resolve_precision",
    "tiny_cross_encoder",
    "tiny_encoder",
    "train_tokenizer",
    "vectors_fingerprint",
]

__getattr__ = on_first_use(__name__, _PUBLIC)
