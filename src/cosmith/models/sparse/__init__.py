"""Sparse encoders: text → a weight for each word of the vocabulary."""

from cosmith.models.sparse.encoder import SparseEncoder
from cosmith.models.sparse.vectors import SparseVectors

__all__ = ["SparseEncoder", "SparseVectors"]
