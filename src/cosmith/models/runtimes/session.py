"""What runs a graph: token ids of one micro-batch → vectors."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cosmith.data.tokens import RaggedTokens

Vectors = npt.NDArray[np.float32]


class Session(Protocol):
    """Runs a graph, in several threads at once if asked, each call on one core."""

    def __call__(self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> Vectors:
        """Vectors of texts that were filled up to one length.

        Args:
            ids: ``[texts, tokens]``.
            mask: 1 where a text has a token, 0 where it is filled up; ``[texts, tokens]``.

        Returns:
            ``[texts, dimension]``.
        """


def rectangle(tokens: RaggedTokens, padding: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Texts filled up behind to the longest of them: ids and mask as a :class:`Session` reads them."""
    lengths = tokens.lengths
    there = np.arange(max(1, int(lengths.max(initial=0)))) < lengths[:, None]
    ids = np.full(there.shape, padding, dtype=np.int64)
    ids[there] = tokens.values
    return ids, there.astype(np.int64)


def cores() -> int:
    """How many cores to use: ``OMP_NUM_THREADS`` where it is set, else the physical ones this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said):
        return int(said)
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, psutil.cpu_count(logical=False) or allowed)
