"""A better order for what a first search has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.retrieval.hits import Hits

if TYPE_CHECKING:
    from cosmith.models import PairScorer


def rerank(
    hits: Hits,
    scorer: PairScorer,
    queries: Sequence[str],
    documents: Mapping[str, str],
    *,
    top: int = 100,
    passages: bool = False,
    instruction: str = "",
    show_progress: str | None = None,
) -> Hits:
    """Put the first hits of each query in the order of a model that reads query and document together.

    Args:
        hits: What a search found.
        scorer: E.g. a :class:`cosmith.models.CrossEncoder`.
        queries: The text of each row of ``hits``.
        documents: Id → text, of all hits at least.
        top: How many hits of each query are read; those behind stay behind, in their order.
        passages: Read of each document only the passage that the search found best, ``hits.spans``.
        instruction: What the scorer is told to look for, if it takes instructions.
        show_progress: What to call this step in the progress display; None shows nothing.

    Returns:
        The same ids, row by row, in another order. Scores are the scorer's; a hit that was not read has one less than
        the hit before it. Of equal scores, the hit that came first stays first.

    Raises:
        InputError: When there is not a query for each row, a hit is no document, ``top`` is less than one, or the hits
            have no passages that could be read.
    """
    if top < 1:
        raise InputError(f"must be at least 1, got {top}", field="top")
    if len(queries) != len(hits):
        raise InputError(f"there are {len(queries)} queries, but hits for {len(hits)}", field="queries")
    unknown = next((name for name in hits.ids.flat if name and name not in documents), None)
    if unknown is not None:
        raise InputError(f"the hit {unknown!r} is no document", field="documents",
                         remedy="Give the documents that were searched.")  # fmt: skip
    read = hits.top(top)
    row, column = (read.ids != "").nonzero()
    texts = [documents[name] for name in read.ids[row, column]]
    if passages:
        if read.spans is None:
            raise InputError("the hits are whole documents", field="passages", remedy="Search by chunks, or leave it.")
        texts = [text[start:stop] for text, (start, stop) in zip(texts, read.spans[row, column].tolist(), strict=True)]
    scores = np.full(read.ids.shape, -np.inf, dtype=np.float32)
    scores[row, column] = scorer.score(
        [queries[number] for number in row.tolist()],
        texts,
        instruction=instruction,
        show_progress=show_progress,
    )
    order = np.argsort(-scores, axis=1, kind="stable")
    scores = np.take_along_axis(scores, order, axis=1)
    behind = hits.ids[:, top:]
    steps = np.arange(1, behind.shape[1] + 1, dtype=np.float32)
    lower = np.where(behind != "", scores[:, -1:] - steps, -np.inf).astype(np.float32)
    ids = np.take_along_axis(read.ids, order, axis=1)
    spans = None
    if hits.spans is not None and read.spans is not None:
        ordered = np.take_along_axis(read.spans, order[:, :, None], axis=1)
        spans = np.concatenate([ordered, hits.spans[:, top:]], axis=1)
    return Hits(np.concatenate([ids, behind], axis=1), np.concatenate([scores, lower], axis=1), spans)
