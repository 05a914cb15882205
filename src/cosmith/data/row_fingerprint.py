"""A hash of a source's rows and settings, taken piece by piece: of rows in memory and of rows on disk alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.rows import SourceSettings

Column = tuple[int, Iterable[npt.NDArray[Any]]]
"""How many numbers, and the numbers in blocks."""


def rows_fingerprint(
    settings: SourceSettings,
    columns: Sequence[Column | None],
    groups: Iterable[bytes] | None,
    document_groups: Iterable[bytes] | None,
) -> str:
    """The fingerprint of rows.

    Args:
        settings: What a trainer must know about them.
        columns: Hashes of the queries, offsets and hashes of positives, those of negatives, scores, labels; None for
            one that the rows do not have.
        groups: What :func:`group_bytes` makes of the rows' groups, in pieces of any size; None without groups.
        document_groups: Likewise.
    """
    digest = xxhash.xxh3_128(json.dumps(asdict(settings), sort_keys=True).encode())
    for column in columns:
        if column is None:
            digest.update(b"none")
            continue
        length, blocks = column
        digest.update(length.to_bytes(8, "little"))
        for block in blocks:
            digest.update(np.ascontiguousarray(block).view(np.uint8).data)
    for piece in groups or ():
        digest.update(piece)
    if document_groups is not None:
        digest.update(b"document_groups")
        for piece in document_groups:
            digest.update(piece)
    return digest.hexdigest()


def group_bytes(name: str) -> bytes:
    """A group's name with its length before it, so that two names in a row are not taken for other two."""
    return f"{len(name)}:{name}".encode()
