"""What was left out as too likely an answer: how much, how much of it is one, and the likeliest of each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cosmith.data.ragged import Float32, Int64
from cosmith.mining.likely_positives import LikelyPositive

if TYPE_CHECKING:
    from cosmith.mining.hard_negatives.corpus import Corpus

KEPT_A_ROW = 5
"""Likely answers of a row that are kept for a person to look at, of each kind of model."""
KINDS = ("encoder", "cross-encoder")
_BINS = np.linspace(-1.0, 1.0, 101)
_FEWEST = 20
"""Known answers that the highest scores must hold to say anything of the others that have them."""

_EMPTY = {"rows": np.int64, "documents": np.int64, "scores": np.float32, "positive_scores": np.float32,
          "kinds": np.int64}  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """Pairs of a row and a document that were left out: five arrays of one length."""

    rows: Int64
    documents: Int64
    scores: Float32
    positive_scores: Float32
    kinds: Int64

    @classmethod
    def none(cls) -> Pairs:
        """No pairs."""
        return cls(**{name: np.zeros(0, dtype=kind) for name, kind in _EMPTY.items()})

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, numbers: Int64) -> Pairs:
        """These pairs, in that order."""
        return Pairs(**{name: getattr(self, name)[numbers] for name in _EMPTY})

    def and_also(self, *others: Pairs) -> Pairs:
        """These, and behind them those of the others."""
        return Pairs(**{name: np.concatenate([getattr(each, name) for each in (self, *others)]) for name in _EMPTY})

    def likeliest(self, count: int) -> Pairs:
        """Of each row and kind the ``count`` furthest above the known answer, best first; of equals the first."""
        key = self.rows * len(KINDS) + self.kinds
        order = np.lexsort((self.documents, self.positive_scores - self.scores, key))
        first = np.searchsorted(key[order], key[order], "left")
        return self.take(order[np.arange(len(order)) - first < count])


@dataclass
class Tally:
    """Counts what is left out, and keeps the likeliest.

    Attributes:
        pairs: The likeliest of each row so far.
        count: How many were left out.
        by_score: int64 ``[bins]``, how many of them by their (first) encoder's cosine.
    """

    pairs: Pairs = field(default_factory=Pairs.none)
    count: int = 0
    by_score: Int64 = field(default_factory=lambda: np.zeros(len(_BINS) - 1, dtype=np.int64))

    def add(self, found: Pairs, cosines: Float32) -> None:
        """Take pairs that were left out, with their cosines, and keep the likeliest of each row."""
        if len(found):
            self.count += len(found)
            self.by_score += histogram(cosines)
            self.pairs = self.pairs.and_also(found).likeliest(KEPT_A_ROW)

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> Tally:
        """One of several over different rows."""
        by_score = cls().by_score
        for each in tallies:
            by_score += each.by_score
        pairs = Pairs.none().and_also(*(each.pairs for each in tallies))
        return cls(pairs, sum(each.count for each in tallies), by_score)

    def as_arrays(self) -> dict[str, Int64 | Float32]:
        """All of it as arrays by name."""
        return {name: getattr(self.pairs, name) for name in _EMPTY} | {
            "count": np.array([self.count]), "by_score": self.by_score,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Int64 | Float32]) -> Tally:
        """What :meth:`as_arrays` gave."""
        pairs = Pairs(**{name: np.asarray(arrays[name], dtype=kind) for name, kind in _EMPTY.items()})
        return cls(pairs, int(arrays["count"][0]), np.asarray(arrays["by_score"], dtype=np.int64))


def histogram(cosines: Float32) -> Int64:
    """How many cosines fall into each of a hundred equal ranges from -1 to 1."""
    return np.histogram(np.clip(cosines, -1.0, 1.0), _BINS)[0].astype(np.int64)


def estimated_answers(known: Int64, left_out: Int64) -> float | None:
    """How many of the pairs that were left out are answers that nobody has marked: a rough estimate.

    After Elkan and Noto ("Learning classifiers from only positive and unlabeled data", KDD 2008, Sections 2 and 3):
    if the marked answers are a random draw of all, then the share c of answers that are marked is the same at every
    score, and where scores are so high that nothing but answers has them, c is the share of the marked ones among all
    that do. The highest scores that enough known answers have are taken for such. Beside n marked answers of a score
    there are then n (1 - c) / c that are not; no more than what was left out at each score is counted.

    Args:
        known: How many known answers each range of scores has, int64 ``[bins]``, ascending.
        left_out: How many pairs were left out, likewise.

    Returns:
        The estimate; None where there are too few known answers to tell.
    """
    from_above = np.cumsum(known[::-1])
    if from_above[-1] < _FEWEST:
        return None
    top = len(known) - 1 - int(np.argmax(from_above >= _FEWEST))
    c = known[top:].sum() / (known[top:].sum() + left_out[top:].sum())
    return float(np.minimum(left_out, known * (1 - c) / c).sum())


class PossiblePositives:
    """The likeliest of what was left out, for a person to read: the furthest above their known answer first.

    Their texts are looked up as they are asked for.
    """

    def __init__(self, corpus: Corpus, pairs: Pairs) -> None:
        # What two models dislike for different reasons comes with the stricter one's reason: cross-encoders go first.
        order = np.lexsort((pairs.rows, pairs.positive_scores - pairs.scores, -pairs.kinds))
        self._corpus, self._pairs = corpus, pairs.take(order)

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[LikelyPositive]:
        """Each pair of a query and a document once."""
        pairs, corpus = self._pairs, self._corpus
        queries, documents = corpus.source.query[pairs.rows], corpus.documents[pairs.documents]
        _, first = np.unique(queries * len(corpus.texts) + documents, return_index=True)
        for place in np.sort(first).tolist():
            yield self._at(place)

    def one_a_query(self, most: int) -> tuple[LikelyPositive, ...]:
        """The likeliest of each query, ``most`` of them."""
        _, first = np.unique(self._corpus.source.query[self._pairs.rows], return_index=True)
        return tuple(self._at(place) for place in np.sort(first)[:most].tolist())

    def _at(self, place: int) -> LikelyPositive:
        pairs, corpus = self._pairs, self._corpus
        return LikelyPositive(
            query=corpus.texts[int(corpus.source.query[pairs.rows[place]])],
            document=corpus.texts[int(corpus.documents[pairs.documents[place]])],
            score=float(pairs.scores[place]),
            positive_score=float(pairs.positive_scores[place]),
            by=KINDS[int(pairs.kinds[place])],
        )
