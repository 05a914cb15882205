"""Hard negatives: for each query, the documents that a model takes for answers and that are none.

Positive-aware after NV-Retriever (Moreira et al. 2024, arXiv:2407.15831): a document that scores nearly as high as a
known answer is probably one nobody has marked, and training on it as a negative teaches the model a mistake. Such
documents are masked inside the search, before the best are selected, so that no query runs short of negatives because
its top ranks were full of likely answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from cosmith.data.ragged import take_rows
from cosmith.errors import InputError
from cosmith.phrases import counted
from cosmith.progress import track
from cosmith.retrieval.dense import QUERY_BLOCK, BestSoFar, require_finite

if TYPE_CHECKING:
    from cosmith.data import Source
    from cosmith.models import TextEncoder

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_DOCUMENT_BLOCK = 8192
_EXAMPLES = 20


@dataclass(frozen=True)
class LikelyPositive:
    """A document that looks like an answer, though nobody has marked it as one.

    Attributes:
        query: The query.
        document: The document.
        score: What the model gives it with the query.
        positive_score: That of the query's (lowest) known answer.
    """

    query: str
    document: str
    score: float
    positive_score: float


@dataclass(frozen=True)
class MiningResult:
    """What mining found.

    Attributes:
        source: The source with the negatives found, best (hardest) first, behind those that were kept.
        rows: How many rows there are.
        negatives: How many negatives were found in all.
        short_rows: Rows that got fewer than were asked for.
        kept: Negatives that the source had before and still has.
        replaced: Negatives that the source had before and has no more.
        rejected: Pairs of a row and a document that were left out as likely positives.
        negative_scores: float32 ``[negatives]``, the cosine of each negative found with the query of its row.
        positive_scores: float32 ``[positives]``, that of each known answer.
        likely_positives: The rejected pairs that look most like answers, one a query, for a person to read.
    """

    source: Source
    rows: int
    negatives: int
    short_rows: int
    kept: int
    replaced: int
    rejected: int
    negative_scores: Float32 = field(repr=False, compare=False)
    positive_scores: Float32 = field(repr=False, compare=False)
    likely_positives: tuple[LikelyPositive, ...]

    @property
    def negative_score(self) -> float:
        """The mean cosine of queries and their negatives; NaN when none were found."""
        return float(self.negative_scores.mean()) if len(self.negative_scores) else float("nan")

    @property
    def positive_score(self) -> float:
        """The mean cosine of queries and their known answers."""
        return float(self.positive_scores.mean())

    def describe(self) -> str:
        """The counts in one line."""
        line = f"{counted(self.negatives, 'negative')} for {counted(self.rows, 'row')}"
        if self.negatives:
            line += f", mean score {self.negative_score:.3f} (positives {self.positive_score:.3f})"
        line += f"; {counted(self.rejected, 'candidate')} left out as likely positives"
        if self.short_rows:
            line += f"; {counted(self.short_rows, 'row')} with fewer than asked for"
        if self.kept:
            line += f"; {counted(self.kept, 'earlier negative')} kept beside them"
        if self.replaced:
            line += f"; {counted(self.replaced, 'earlier negative')} replaced"
        return line


def mine_hard_negatives(
    encoder: TextEncoder,
    source: Source,
    *,
    negatives_per_row: int = 1,
    depth: int = 50,
    ratio: float | None = 0.95,
    margin: float | None = None,
    skip_top: int = 0,
    sample: Literal["top", "random"] = "top",
    keep: bool = True,
    seed: int = 0,
    dim: int | None = None,
) -> MiningResult:
    """Give each row the documents that score highest with its query without being, or seeming, an answer.

    Candidates are all positives of the source. Never chosen: the query itself, any positive that the source gives
    this query in any row, where rows have labels the query or a positive of any row of the same label, a negative
    that the row keeps, and what scores too near the lowest positive p of the row: a candidate must score less than
    p - |p| (1 - ratio), which is ratio x p where p is positive (TopK-PercPos), and less than p - margin
    (TopK-MarginPos). These limits guess at answers that nobody has marked; where labels mark them all, ``ratio=None``
    finds the texts of other classes that are nearest.

    Args:
        encoder: The model whose mistakes are looked for; it reads every text with the prompt and the instruction that
            it has in training, each distinct text once.
        source: The rows; each needs a positive.
        negatives_per_row: How many to find for each row.
        depth: How many of the best candidates ``sample="random"`` draws from.
        ratio: See above; ``None`` for no such limit.
        margin: See above; ``None`` for no such limit.
        skip_top: Leave out this many of the best candidates that pass.
        sample: ``"top"`` takes the best, ``"random"`` draws from the best ``depth`` without replacement.
        keep: Whether rows keep the negatives that they have (people may have judged them); the ones found stand
            behind them. Otherwise they go.
        seed: For the draws. The outcome depends on nothing else.
        dim: Compare only this many numbers of each vector.

    Raises:
        InputError: When an argument makes no sense, there are no rows, a row has no positive, or a vector is not
            finite.
    """
    _check(negatives_per_row, depth, ratio, margin, skip_top, sample)
    if not len(source):
        raise InputError(f"{source.name!r} has no rows", field="source")
    if bare := int((np.diff(source.positive_offsets) == 0).sum()):
        raise InputError(
            f"{source.name!r} has {counted(bare, 'row')} without a positive to measure candidates by",
            field="source",
            remedy="Select the rows that have one.",
        )
    mined = _Mined(encoder, source, dim, keep)
    limits = _limits(mined.lowest, ratio, margin)
    width = skip_top + negatives_per_row if sample == "top" else depth
    rng = np.random.default_rng(seed)
    chosen, scores, tally = [], [], _Tally(mined)
    with track("Mining hard negatives", len(source), "rows") as bar:
        for rows in _blocks(len(source), QUERY_BLOCK):
            numbers = np.arange(rows.start, rows.stop)
            positions, found = _search(mined, numbers, limits, width, tally)
            positions, found = positions[:, skip_top:], found[:, skip_top:]
            if sample == "random":
                columns = _draw(rng, found, negatives_per_row)
                positions = np.take_along_axis(positions, columns, axis=1)
                found = np.take_along_axis(found, columns, axis=1)
            chosen.append(positions)
            scores.append(found)
            bar.advance(len(numbers))
    positions, found = np.concatenate(chosen), np.concatenate(scores)
    there = found > -np.inf
    counts = there.sum(axis=1)
    texts = iter(source.texts.take(mined.documents[positions[there]]))
    negatives = [[next(texts) for _ in range(count)] for count in counts.tolist()]
    if keep:
        negatives = [[*row.negatives, *found] for row, found in zip(source.rows(), negatives, strict=True)]
    return MiningResult(
        source=source.with_negatives(negatives),
        rows=len(source),
        negatives=int(counts.sum()),
        short_rows=int((counts < negatives_per_row).sum()),
        kept=len(source.negatives) if keep else 0,
        replaced=0 if keep else len(source.negatives),
        rejected=tally.rejected,
        negative_scores=found[there],
        positive_scores=mined.positive_scores,
        likely_positives=tally.examples(),
    )


class _Mined:
    """A source's queries and documents as vectors, each distinct text once.

    Attributes:
        documents: int64 ``[documents]``, their text numbers, ascending.
        document_vectors: float32 ``[documents, dim]``.
        positive_scores: float32 ``[positives]``, the cosine of each with the query of its row.
        lowest: float32 ``[rows]``, the lowest of each row.
    """

    def __init__(self, encoder: TextEncoder, source: Source, dim: int | None, keep: bool) -> None:
        self.source, self._keep = source, keep
        queries, self._query_of_row = np.unique(source.query, return_inverse=True)
        self.documents, positive = np.unique(source.positives, return_inverse=True)
        said, texts = source.settings, source.texts
        self._query_vectors = encoder.encode(
            texts.take(queries), prompt=said.query_prompt, instruction=said.instruction, dim=dim,
            show_progress="Encoding queries",
        )  # fmt: skip
        self.document_vectors = encoder.encode(
            texts.take(self.documents), prompt=said.document_prompt, instruction=said.instruction, dim=dim,
            show_progress="Encoding documents",
        )  # fmt: skip
        row_of = np.repeat(np.arange(len(source)), np.diff(source.positive_offsets))
        self.positive_scores: Float32 = np.empty(len(positive), dtype=np.float32)
        for part in _blocks(len(positive), _DOCUMENT_BLOCK):
            asked, answers = self.query_vectors(row_of[part]), self.document_vectors[positive[part]]
            self.positive_scores[part] = np.einsum("ij,ij->i", asked, answers)
        self.lowest: Float32 = np.minimum.reduceat(self.positive_scores, source.positive_offsets[:-1])
        if source.labels is not None:
            self._labelled, self._label = self._labels_of_documents(source.labels, row_of)

    def query_vectors(self, rows: Int64) -> Float32:
        """The vectors of these rows' queries, float32 ``[len(rows), dim]``."""
        return self._query_vectors[self._query_of_row[rows]]

    def excluded(self, rows: Int64) -> tuple[Int64, Int64]:
        """What may never be a negative of these rows, as pairs of a place in ``rows`` and a document's position.

        All that the source knows to answer the row's query, the query itself, and the negatives that the row keeps;
        ordered by document.
        """
        asked = self.source.query[rows]
        queries, answers = self.source.known_positives(rows)
        starts, stops = np.searchsorted(queries, asked, "left"), np.searchsorted(queries, asked, "right")
        counts = stops - starts
        places = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        parts = [(answers[np.repeat(starts, counts) + within], places), (asked, np.arange(len(rows)))]
        if self._keep:
            own, offsets = take_rows(self.source.negatives, self.source.negative_offsets, rows)
            parts.append((own, np.repeat(np.arange(len(rows)), np.diff(offsets))))
        texts, places = (np.concatenate(part) for part in zip(*parts, strict=True))
        positions, is_document = self._positions(texts)
        places, positions = places[is_document], positions[is_document]
        order = np.argsort(positions, kind="stable")
        return places[order], positions[order]

    def of_same_label(self, rows: Int64, part: slice) -> npt.NDArray[np.bool_] | None:
        """Which of these documents are of the label of which of these rows: ``[len(rows), documents of the part]``.

        A document is of the labels of the rows in which it stands as a positive or as the query; None: rows have no
        labels.
        """
        if self.source.labels is None:
            return None
        there, place = np.unique(self.source.labels[rows], return_inverse=True)
        here = slice(*np.searchsorted(self._labelled, [part.start, part.stop]))
        label, document = self._label[here], self._labelled[here] - part.start
        wanted = np.isin(label, there)
        carries = np.zeros((len(there), part.stop - part.start), dtype=np.bool_)
        carries[np.searchsorted(there, label[wanted]), document[wanted]] = True
        return carries[place]

    def _labels_of_documents(self, labels: Int64, row_of: Int64) -> tuple[Int64, Int64]:
        """The pairs of a document's position and a label that it carries, ordered by document."""
        texts = np.concatenate([self.source.positives, self.source.query])
        positions, is_document = self._positions(texts)
        carried = np.concatenate([labels[row_of], labels])[is_document]
        order = np.argsort(positions[is_document], kind="stable")
        return positions[is_document][order], carried[order]

    def _positions(self, texts: Int64) -> tuple[Int64, npt.NDArray[np.bool_]]:
        """Where these texts stand among the documents, and whether they do: both ``[len(texts)]``."""
        positions = np.minimum(np.searchsorted(self.documents, texts), len(self.documents) - 1)
        return positions, self.documents[positions] == texts


class _Tally:
    """Counts what is rejected as a likely positive, and keeps the likeliest of each row."""

    def __init__(self, mined: _Mined) -> None:
        self._mined = mined
        self.rejected = 0
        self._best: Float32 = np.full(len(mined.source), -np.inf, dtype=np.float32)
        self._document: Int64 = np.zeros(len(mined.source), dtype=np.int64)

    def add(self, rows: Int64, documents: Int64, scores: Float32) -> None:
        """Take rejected pairs with their scores; of equal ones of a row the first stands."""
        self.rejected += len(rows)
        order = np.lexsort((documents, -scores, rows))
        first = order[np.flatnonzero(np.diff(rows[order], prepend=-1))]
        better = first[scores[first] > self._best[rows[first]]]
        self._best[rows[better]], self._document[rows[better]] = scores[better], documents[better]

    def examples(self) -> tuple[LikelyPositive, ...]:
        """The rows whose likeliest rejected document is furthest above their known positive, one of each query."""
        source, lowest = self._mined.source, self._mined.lowest
        order = np.argsort(-(self._best - lowest), kind="stable")
        order = order[self._best[order] > -np.inf]
        _, first = np.unique(source.query[order], return_index=True)
        return tuple(
            LikelyPositive(
                query=source.texts[int(source.query[row])],
                document=source.texts[int(self._mined.documents[self._document[row]])],
                score=float(self._best[row]),
                positive_score=float(lowest[row]),
            )
            for row in order[np.sort(first)][:_EXAMPLES]
        )


def _search(mined: _Mined, rows: Int64, limits: Float32, width: int, tally: _Tally) -> tuple[Int64, Float32]:
    """The best candidates of these rows that are neither excluded nor likely positives, over the whole corpus."""
    queries = mined.query_vectors(rows)
    places, positions = mined.excluded(rows)
    best = BestSoFar(len(rows), width)
    for part in _blocks(len(mined.documents), _DOCUMENT_BLOCK):
        scores = queries @ mined.document_vectors[part].T
        require_finite(scores, part.start)
        excluded = slice(*np.searchsorted(positions, [part.start, part.stop]))
        scores[places[excluded], positions[excluded] - part.start] = -np.inf
        if (same_label := mined.of_same_label(rows, part)) is not None:
            scores[same_label] = -np.inf
        place, column = np.divmod(np.flatnonzero(scores >= limits[rows, None]), scores.shape[1])
        tally.add(rows[place], column + part.start, scores[place, column])
        scores[place, column] = -np.inf
        best.add(scores, part.start)
    return best.result()


def _limits(lowest: Float32, ratio: float | None, margin: float | None) -> Float32:
    """What a candidate of each row must score less than: float32 ``[rows]``."""
    limits = np.full(len(lowest), np.inf, dtype=np.float32)
    if ratio is not None:
        # Not ratio x p: for a negative p that would lie above it.
        limits = np.minimum(limits, lowest - np.abs(lowest) * np.float32(1 - ratio))
    if margin is not None:
        limits = np.minimum(limits, lowest - np.float32(margin))
    return limits


def _draw(rng: np.random.Generator, scores: Float32, count: int) -> Int64:
    """``count`` columns of each row drawn without replacement from those with a score, ascending; others fill up."""
    keys = rng.random(scores.shape)
    keys[np.isneginf(scores)] = 2.0  # drawn last
    drawn: Int64 = np.sort(np.argsort(keys, axis=1, kind="stable")[:, :count], axis=1)
    return drawn


def _blocks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _check(
    negatives_per_row: int, depth: int, ratio: float | None, margin: float | None, skip_top: int, sample: str
) -> None:
    if negatives_per_row < 1:
        raise InputError(f"must be at least 1, got {negatives_per_row}", field="negatives_per_row")
    if skip_top < 0:
        raise InputError(f"must not be negative, got {skip_top}", field="skip_top")
    if sample not in ("top", "random"):
        raise InputError(f"{sample!r} is not known", field="sample", remedy="Choose 'top' or 'random'.")
    if sample == "random" and depth < skip_top + negatives_per_row:
        raise InputError(
            f"is {depth}, but {skip_top} candidates are skipped and {negatives_per_row} wanted",
            field="depth",
            remedy=f"Make it at least {skip_top + negatives_per_row}.",
        )
    if ratio is not None and not 0 < ratio <= 1:
        raise InputError(f"must lie above 0 and not above 1, got {ratio}", field="ratio")
    if margin is not None and not 0 <= margin < np.inf:
        raise InputError(f"must not be negative, got {margin}", field="margin")
