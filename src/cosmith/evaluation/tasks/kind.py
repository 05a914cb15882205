"""The names of the kinds of task."""

from typing import Literal

Kind = Literal[
    "retrieval", "reranking", "sts", "pair-classification", "classification", "clustering", "bitext-mining",
    "summarisation", "word-similarity", "analogy",
]  # fmt: skip
