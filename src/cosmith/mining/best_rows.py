"""The best rows of a source, by how well a model thinks that their positives answer their queries.

Rows that nobody has checked (titles with their bodies, queries that a language model has written) are worth more when
the doubtful ones are left out: Qwen3-Embedding keeps the synthetic pairs with a cosine above 0.7 for its second stage
(arXiv:2506.05176, Section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.phrases import counted, share

if TYPE_CHECKING:
    from cosmith.data import Source

Float32 = npt.NDArray[np.float32]

_EXAMPLES = 5


@dataclass(frozen=True)
class JudgedRow:
    """A row with its score, for a person to read.

    Attributes:
        query: The query.
        document: Its positive that scores lowest.
        score: That score, which is the row's.
    """

    query: str
    document: str
    score: float


@dataclass(frozen=True)
class BestRows:
    """What was kept of a source.

    Attributes:
        source: The rows that were kept, in their order and as they were.
        rows: How many there were.
        threshold: The lowest score of a row that was kept.
        scores: float32 ``[rows]``, the score of each row that there was.
        kept: bool ``[rows]``, which of them were kept.
        barely_kept: The kept rows with the lowest scores, lowest first.
        barely_left_out: Those left out with the highest scores, highest first.
        worst: Those with the lowest scores of all, lowest first, if they were left out.
    """

    source: Source
    rows: int
    threshold: float
    scores: Float32 = field(repr=False, compare=False)
    kept: npt.NDArray[np.bool_] = field(repr=False, compare=False)
    barely_kept: tuple[JudgedRow, ...]
    barely_left_out: tuple[JudgedRow, ...]
    worst: tuple[JudgedRow, ...]

    def describe(self) -> str:
        """The counts in one line."""
        kept = len(self.source)
        line = f"{counted(kept, 'row')} of {self.rows:,} kept ({share(kept / self.rows)})"
        line += f", the lowest of them at {self.threshold:.3f}"
        low, middle, high = (float(each) for each in np.quantile(self.scores, (0.05, 0.5, 0.95)))
        return f"{line}; median of all {middle:.3f}, nine tenths lie between {low:.3f} and {high:.3f}"


def keep_best_rows(
    source: Source, scores: npt.ArrayLike | None = None, *, least: float | None = None, top: float | None = None
) -> BestRows:
    """Keep the rows whose positives score high with their query.

    A row scores as its lowest positive does: one wrong answer spoils it.

    Args:
        source: The rows; each needs a positive.
        scores: One for each positive, then for each negative of a row, row after row, ``[P + N]``, as
            :func:`~cosmith.mining.cosine_scores` and :func:`~cosmith.mining.cross_encoder_scores` give them; None:
            those that the rows have.
        least: Keep what scores at least this much.
        top: Keep this share of the rows, the best ones; of equal ones the first. With ``least``, both must hold.

    Raises:
        InputError: When neither ``least`` nor ``top`` is given or one is impossible, there are no scores or not as
            many as texts, a row has no positive, or nothing would be kept.
    """
    _check(least, top)
    values = _scores_of(source, scores)
    bare = np.flatnonzero(np.diff(source.positive_offsets) == 0)
    if len(bare):
        raise InputError(
            f"{source.name!r} has {counted(len(bare), 'row')} without a positive to judge it by, row {bare[0]} the"
            " first",
            field="source",
            remedy="Select the rows that have one.",
        )
    of_positives = values[source.arrays.places_of_positives]
    of_rows = np.minimum.reduceat(of_positives, source.positive_offsets[:-1])
    best_first = np.argsort(-of_rows, kind="stable")
    kept = best_first if top is None else best_first[: max(1, round(top * len(source)))]
    if least is not None:
        kept = kept[of_rows[kept] >= np.float32(least)]
    if not len(kept):
        raise InputError(
            f"none of {counted(len(source), 'row')} scores {least:g} or more; the best scores {of_rows.max():.3f}, the"
            f" median is {np.median(of_rows):.3f}",
            field="least",
            remedy="Lower it, or keep a share of the rows (top).",
        )
    is_kept = np.zeros(len(source), dtype=np.bool_)
    is_kept[kept] = True
    left_out = best_first[~is_kept[best_first]]

    def judged(numbers: Iterable[int]) -> tuple[JudgedRow, ...]:
        return tuple(_judged(source, of_positives, row) for row in numbers)

    return BestRows(
        source=source.select(np.flatnonzero(is_kept)),
        rows=len(source),
        threshold=float(of_rows[kept].min()),
        scores=of_rows,
        kept=is_kept,
        barely_kept=judged(kept[::-1][:_EXAMPLES].tolist()),
        barely_left_out=judged(left_out[:_EXAMPLES].tolist()),
        worst=judged(left_out[_EXAMPLES:][::-1][:_EXAMPLES].tolist()),
    )


def _scores_of(source: Source, scores: npt.ArrayLike | None) -> Float32:
    if scores is None:
        if source.scores is None:
            raise InputError(
                f"the rows of {source.name!r} have no scores",
                field="scores",
                remedy="Give a model's (cosine_scores, cross_encoder_scores).",
            )
        return source.scores
    found = source.with_scores(scores).scores
    assert found is not None
    return found


def _judged(source: Source, of_positives: Float32, row: int) -> JudgedRow:
    start, stop = source.positive_offsets[row], source.positive_offsets[row + 1]
    lowest = int(start) + int(of_positives[start:stop].argmin())
    query, document = source.texts.take([int(source.query[row]), int(source.positives[lowest])])
    return JudgedRow(query, document, float(of_positives[lowest]))


def _check(least: float | None, top: float | None) -> None:
    if least is None and top is None:
        raise InputError("neither least nor top is given", field="least", remedy="Say which rows to keep.")
    if least is not None and not math.isfinite(least):
        raise InputError(f"must be a finite number, got {least}", field="least")
    if top is not None and not 0 < top <= 1:
        raise InputError(f"must lie above 0 and not above 1, got {top}", field="top")
