"""Long ranges in short pieces, and how long the pieces of a search are."""

from __future__ import annotations

from collections.abc import Iterator

QUERIES = 512
"""Rows scored together: with a block of documents, 16 MB of scores."""
DOCUMENTS = 8192
"""Documents scored together."""
ROWS = 4096
"""Rows searched for in one pass over the corpus: what is lost when a search is killed."""


def blocks(count: int, size: int) -> Iterator[slice]:
    """``range(count)`` as slices of ``size``, the last one maybe shorter."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
