"""The search for hard negatives: every document is scored for every row, and what is too likely an answer is left out
before the best are selected, so that no row runs short because its top ranks are full of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cosmith.data.ragged import Float32, Int64
from cosmith.mining.hard_negatives import blocks as sizes
from cosmith.mining.hard_negatives.blocks import blocks
from cosmith.mining.hard_negatives.corpus import Corpus, Places
from cosmith.mining.hard_negatives.fusion import agreed
from cosmith.mining.hard_negatives.possible_positives import Pairs, Tally
from cosmith.mining.hard_negatives.rankings import Judge, ScoreRows, Words, mean_scores
from cosmith.mining.hard_negatives.settings import MiningSettings
from cosmith.mining.scoring import cross_encoder_scores
from cosmith.retrieval.dense import BestSoFar

if TYPE_CHECKING:
    from cosmith.models import CrossEncoder


@dataclass(frozen=True)
class Search:
    """All that the search for the negatives of a row needs.

    Attributes:
        corpus: The candidates.
        judges: The encoders, which say what is too likely an answer.
        words: BM25's ranking, where it is asked for.
        cross_encoder: Reads the candidates that were found, where there is one.
        settings: How to search.
    """

    corpus: Corpus
    judges: Sequence[Judge]
    words: Words | None
    cross_encoder: CrossEncoder | None
    settings: MiningSettings

    @property
    def rankings(self) -> int:
        """How many rankings there are."""
        return (self.words is not None) + (len(self.judges) if self.settings.candidates != "bm25" else 0)

    @property
    def width(self) -> int:
        """How many candidates of a row are looked at."""
        first = self.settings.skip_top + self.settings.negatives_per_row
        return first if self.settings.sample == "top" and not self.reads_all else self.settings.depth

    @property
    def reads_all(self) -> bool:
        """Whether rankings are compared, or candidates read, down to ``depth`` whatever is taken of them."""
        return self.rankings > 1 or self.cross_encoder is not None

    def of(self, rows: Int64) -> tuple[Int64, Tally]:
        """The candidates of some rows.

        Returns:
            Positions int64 ``[rows, at most width]``, best first, -1 behind the last one; and what was left out.
        """
        parts = list(blocks(len(rows), sizes.QUERIES))
        numbers = [rows[part] for part in parts]
        kept = [[BestSoFar(len(each), self.width) for _ in range(self.rankings)] for each in numbers]
        excluded = [self.corpus.excluded(each) for each in numbers]
        exempt = [self.corpus.exempt(each) for each in numbers]
        tallies = [Tally() for _ in parts]
        for part in blocks(len(self.corpus), sizes.DOCUMENTS):
            judged = [judge.over(part) for judge in self.judges]
            worded = None if self.words is None else self.words.over(part)
            for each, best, never, always, tally in zip(numbers, kept, excluded, exempt, tallies, strict=True):
                scores, likely = self._judged(each, part, judged, _within(never, part), _within(always, part))
                tally.add(*self._left_out(each, part, scores, likely))
                ranked = [] if self.settings.candidates == "bm25" else scores
                if worded is not None:
                    by_words = worded(each)
                    by_words[np.isneginf(scores[0])] = -np.inf  # excluded
                    ranked = [*ranked, by_words]
                for values, so_far in zip(ranked, best, strict=True):
                    values[likely] = -np.inf
                    so_far.add(values, part.start)
        found = [agreed([so_far.result() for so_far in best], self.settings.agreement, self.width) for best in kept]
        candidates, tally = stacked(found), Tally.of(tallies)
        return (candidates, tally) if self.cross_encoder is None else self._read(rows, candidates, tally)

    def _judged(
        self, rows: Int64, part: slice, judged: Sequence[ScoreRows], never: Places, always: Places
    ) -> tuple[list[Float32], Places]:
        """Each judge's scores of a block, ``-inf`` where a document is excluded, and the places of those that some
        judge takes for an answer."""
        same_label = self.corpus.of_same_label(rows, part)
        all_scores, likely = [], None
        for judge, score in zip(self.judges, judged, strict=True):
            scores = score(rows)
            scores[never] = -np.inf
            if same_label is not None:
                scores[same_label] = -np.inf
            above = scores >= judge.limits[rows, None]
            likely = above if likely is None else likely | above
            all_scores.append(scores)
        assert likely is not None
        likely[always] = False
        place, column = np.divmod(np.flatnonzero(likely), likely.shape[1])
        return all_scores, (place, column)

    def _left_out(self, rows: Int64, part: slice, scores: Sequence[Float32], likely: Places) -> tuple[Pairs, Float32]:
        """The pairs of a block that were taken for answers, by the judge that puts them furthest above the known one,
        with the first judge's cosines."""
        place, column = likely
        if not len(place):
            return Pairs.none(), np.zeros(0, dtype=np.float32)
        values = np.stack([each[place, column] for each in scores])
        known = np.stack([judge.lowest[rows[place]] for judge in self.judges])
        by, pair = (values - known).argmax(axis=0), np.arange(len(place))
        kinds = np.zeros(len(place), dtype=np.int64)
        return Pairs(rows[place], column + part.start, values[by, pair], known[by, pair], kinds), values[0]

    def _read(self, rows: Int64, candidates: Int64, tally: Tally) -> tuple[Int64, Tally]:
        """Leave out the candidates that the cross-encoder puts above the row's lowest known answer."""
        assert self.cross_encoder is not None
        place, column = np.nonzero(candidates >= 0)
        source = self.corpus.with_negatives(rows, candidates, keep=False)
        scores = cross_encoder_scores(self.cross_encoder, source)
        known = np.minimum.reduceat(scores[source.arrays.places_of_positives], source.positive_offsets[:-1])
        found = scores[source.arrays.places_of_negatives]
        position = candidates[place, column]
        allowed = {*zip(*(each.tolist() for each in self.corpus.exempt(rows)), strict=True)}
        above = found > known[place]
        if allowed:
            pairs = zip(place.tolist(), position.tolist(), strict=True)
            above &= ~np.array([pair in allowed for pair in pairs], dtype=np.bool_)
        kinds = np.ones(int(above.sum()), dtype=np.int64)
        rejected = Pairs(rows[place[above]], position[above], found[above], known[place[above]], kinds)
        tally.add(rejected, mean_scores(self.judges[:1], rejected.rows, rejected.documents))
        passed = np.full(candidates.shape, False)
        passed[place[~above], column[~above]] = True
        order = np.argsort(~passed, axis=1, kind="stable")
        return np.where(
            np.take_along_axis(passed, order, axis=1), np.take_along_axis(candidates, order, axis=1), -1
        ), tally


def _within(pairs: Places, part: slice) -> Places:
    """The pairs whose document is in a block, by its place there."""
    places, positions = pairs
    here = slice(*np.searchsorted(positions, [part.start, part.stop]))
    return places[here], positions[here] - part.start


def stacked(found: Sequence[Int64]) -> Int64:
    """Arrays of as many columns or fewer, one above the other, filled up with -1."""
    width = max((each.shape[1] for each in found), default=0)
    return np.concatenate(
        [np.pad(each, ((0, 0), (0, width - each.shape[1])), constant_values=-1) for each in found]
        or [np.zeros((0, 0), dtype=np.int64)]
    )
