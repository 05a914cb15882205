"""Models: text → unit vectors."""

from cosmith.models.adapters import AdapterKind, AdapterSpec
from cosmith.models.batching import micro_batches
from cosmith.models.cached_encoder import CachedEncoder
from cosmith.models.cross_encoder import CrossEncoder
from cosmith.models.encoder import Encoder
from cosmith.models.end_token import append_end_token
from cosmith.models.from_scratch import initialise, train_tokenizer
from cosmith.models.from_vocabulary import distil_static, initialise_static
from cosmith.models.kinds import ModelKind, kind_of
from cosmith.models.late_interaction import LateInteractionEncoder, LateInteractionSpec, QueryExpansion, TokenVectors
from cosmith.models.measure import TokenMeasure
from cosmith.models.packaged import find_model
from cosmith.models.pair_scorer import load_pair_scorer
from cosmith.models.pooling import POOLINGS, Pooling, pool
from cosmith.models.precision import Precision, has_bf16, resolve_precision
from cosmith.models.protocol import Embedder, PairScorer, TextEncoder, Trainable
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
    "Encoder",
    "LateInteractionEncoder",
    "LateInteractionSpec",
    "ModelKind",
    "PairScorer",
    "Pooling",
    "Precision",
    "QueryExpansion",
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
    "find_model",
    "has_bf16",
    "initialise",
    "initialise_static",
    "kind_of",
    "load_pair_scorer",
    "load_word_vectors",
    "micro_batches",
    "pool",
    "resolve_precision",
    "tiny_cross_encoder",
    "tiny_encoder",
    "train_tokenizer",
]
