"""Mining from end to end: candidates, what is left out, what is taken, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zipfile import BadZipFile

import numpy as np
import xxhash

from cosmith.atomic import atomic_file
from cosmith.bulk import LOCAL, Engine, ShardJob, run_shards
from cosmith.data.ragged import Float32, Int64
from cosmith.errors import InputError
from cosmith.mining.hard_negatives import blocks as sizes
from cosmith.mining.hard_negatives.blocks import blocks
from cosmith.mining.hard_negatives.corpus import Corpus
from cosmith.mining.hard_negatives.fusion import chosen
from cosmith.mining.hard_negatives.possible_positives import (
    PossiblePositives,
    Tally,
    estimated_answers,
    histogram,
)
from cosmith.mining.hard_negatives.rankings import Judge, Words, mean_scores
from cosmith.mining.hard_negatives.search import Search, stacked
from cosmith.mining.hard_negatives.settings import (
    Candidates,
    Limits,
    MiningSettings,
    Sample,
    labels_settle,
    ratio_of,
)
from cosmith.mining.likely_positives import LikelyPositive, Review, with_answers
from cosmith.phrases import counted
from cosmith.progress import track
from cosmith.retrieval.vectors import StoredAs

if TYPE_CHECKING:
    from cosmith.data import Source
    from cosmith.data.passages import CorpusTexts
    from cosmith.models import CrossEncoder, TextEncoder

_EXAMPLES = 20


@dataclass(frozen=True)
class MiningResult:
    """What mining found.

    Attributes:
        source: The source with the negatives found, best (hardest) first, behind those that were kept.
        rows: How many rows there are.
        documents: How many candidates there were.
        negatives: How many negatives were found in all.
        short_rows: Rows that got fewer than were asked for.
        kept: Negatives that the source had before and still has.
        replaced: Negatives that the source had before and has no more.
        rejected: Pairs of a row and a document that were left out as likely positives.
        estimated_positives: How many of those pairs are answers, a rough estimate (see
            :func:`~cosmith.mining.hard_negatives.possible_positives.estimated_answers`); None where nothing tells.
        negative_scores: float32 ``[negatives]``, the (mean) cosine of each negative found with the query of its row.
        positive_scores: float32 ``[positives]``, that of each known answer.
        likely_positives: The rejected pairs that look most like answers, one a query, for a person to read.
        possible_positives: The likeliest rejected pairs of all rows, for :func:`~cosmith.mining.write_review`.
    """

    source: Source
    rows: int
    documents: int
    negatives: int
    short_rows: int
    kept: int
    replaced: int
    rejected: int
    estimated_positives: float | None
    negative_scores: Float32 = field(repr=False, compare=False)
    positive_scores: Float32 = field(repr=False, compare=False)
    likely_positives: tuple[LikelyPositive, ...]
    possible_positives: PossiblePositives = field(repr=False, compare=False)

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
        if self.estimated_positives is not None and self.rejected:
            line += f", by a rough estimate {self.estimated_positives:,.0f} of them answers"
        if self.short_rows:
            line += f"; {counted(self.short_rows, 'row')} with fewer than asked for"
        if self.kept:
            line += f"; {counted(self.kept, 'earlier negative')} kept beside them"
        if self.replaced:
            line += f"; {counted(self.replaced, 'earlier negative')} replaced"
        return line


def mine_hard_negatives(
    models: TextEncoder | Sequence[TextEncoder],
    source: Source,
    *,
    corpus: CorpusTexts = (),
    negatives_per_row: int = 1,
    candidates: Candidates = "dense",
    agreement: int = 1,
    depth: int = 50,
    skip_top: int = 0,
    sample: Sample = "top",
    ratio: float | Literal["auto"] | None = "auto",
    margin: float | None = None,
    max_score: float | None = None,
    cross_encoder: CrossEncoder | None = None,
    review: Review | None = None,
    keep: bool | Literal["auto"] = "auto",
    scores: bool = False,
    seed: int = 0,
    dim: int | None = None,
    language: str | None = "english",
    folder: str | Path | None = None,
    stored_as: StoredAs = "float32",
    engine: Engine = LOCAL,
) -> MiningResult:
    """Give each row the documents that score highest with its query without being, or seeming, an answer.

    Candidates are all positives of the source, and the texts of ``corpus``. Never chosen: the query itself, any
    positive that the source gives this query in any row, a document that the row's positives are parts of and all other
    parts of it, where rows have labels the query or a positive of any row of the same label, a negative that the row
    keeps, and what scores too near the lowest positive p of the row: a candidate must score less than p - |p| (1 -
    ratio), which is ratio x p where p is positive (TopK-PercPos), less than p - margin (TopK-MarginPos), and less than
    max_score (TopK-Abs). With several models, it must by each of them. These limits guess at answers that nobody has
    marked; where every row has a label, the labels mark them all: then there is no ``ratio`` unless one is given, and
    what is found, the nearest texts of other classes, stands in place of the negatives that were drawn from these.

    All documents are compared with all queries, and limits hold before the best are selected. What passes is ranked by
    the models' cosines, by BM25, or by both; several rankings become one by reciprocal rank fusion, see
    :func:`~cosmith.mining.hard_negatives.fusion.agreed`.

    Args:
        models: The encoder whose mistakes are looked for, or several; each reads every text with the prompt and the
            instruction that it has in training, each distinct text once.
        source: The rows; each needs a positive.
        corpus: Texts that may become negatives besides, by their ids, e.g. ``collection.documents``, or as passages
            (:class:`cosmith.data.Passage`): none becomes one of a row whose ``document_group`` is its id or the
            document that it is a chunk of. Of bare texts nobody knows their documents.
        negatives_per_row: How many to find for each row.
        candidates: Who ranks what passes: ``"dense"``, the models; ``"bm25"``, the words that query and document
            share; ``"both"``.
        agreement: In how many rankings, down to ``depth``, a document must stand.
        depth: How many of the best candidates ``sample="random"`` draws from, rankings are compared by, and the
            cross-encoder reads.
        skip_top: Leave out this many of the best candidates that pass: with ``depth`` a window of ranks.
        sample: ``"top"`` takes the best, ``"random"`` draws from the best ``depth`` without replacement.
        ratio, margin, max_score: See above; ``None`` for no such limit. The ratio ``"auto"`` is 0.95, and none where
            every row has a label.
        cross_encoder: Reads the candidates that were found; those that it puts above the row's lowest positive are left
            out as well.
        review: What people have said of likely positives (:func:`~cosmith.mining.read_review`): answers become
            positives of their queries, non-answers may be negatives whatever they score.
        keep: Whether rows keep the negatives that they have (people may have judged them); the ones found stand
            behind them. Otherwise they go. ``"auto"``: they are kept unless every row has a label.
        scores: Whether the rows get scores, for distillation: the (mean) cosine of each positive and each negative.
        seed: For the draws. The outcome depends on nothing else.
        dim: Compare only this many numbers of each vector.
        language: Whose stemmer and stop words BM25 uses, see :data:`cosmith.retrieval.lexical.LANGUAGES`.
        folder: Where vectors, the index of words and what was found so far are kept, memory-mapped; a call that was
            killed goes on there, and another one over the same texts finds them. It may be deleted at any time. None:
            all is in memory.
        stored_as: What vectors are kept as: ``"float16"`` takes half the space, and scores are exact to a thousandth.
        engine: Who encodes and searches: this process, or a Ray cluster whose machines all see the folder.

    Raises:
        InputError: When an argument makes no sense, another engine than the local one has no folder, there are no
            rows, a row has no positive, or a vector is not finite.
        StorageError: When the folder cannot be written.
    """
    encoders = list(models) if isinstance(models, Sequence) else [models]
    ratio = ratio_of(ratio, source)
    if keep == "auto":
        keep = not labels_settle(source)
    settings = MiningSettings(
        negatives_per_row, candidates, agreement, depth, skip_top, sample, Limits(ratio, margin, max_score), keep,
        scores, seed, dim, language, stored_as,
    )  # fmt: skip
    rankings = (candidates != "dense") + (len(encoders) if candidates != "bm25" else 0)
    _check(encoders, source)
    settings.check_agreement(rankings)
    settings.check_depth(reads_all=rankings > 1 or cross_encoder is not None)
    if folder is None and engine.kind != "local":
        raise InputError("several processes need a folder for what they make", field="folder", remedy="Give one.")
    place = None if folder is None else Path(folder)
    source = with_answers(source, review.answers if review else ())
    among = Corpus(source, corpus, keep=keep, encode_kept=keep and scores, review=review or Review())
    search = Search(
        corpus=among,
        judges=[Judge(encoder, among, settings, place, engine) for encoder in encoders],
        words=Words.build(among, language, place) if candidates != "dense" else None,
        cross_encoder=cross_encoder,
        settings=settings,
    )
    found, tally = _searched(search, place, engine)
    return _result(search, chosen(found, settings), tally)


def _searched(search: Search, folder: Path | None, engine: Engine) -> tuple[Int64, Tally]:
    """The candidates of all rows, and what was left out; rows that an earlier call has searched for are read."""
    shards = _SearchInShards(search, sizes.ROWS)
    parts = shards.parts
    if folder is None:
        results = []
        with track("Mining hard negatives", len(search.corpus.source), "rows") as bar:
            for part in parts:
                results.append(search.of(np.arange(part.start, part.stop)))
                bar.advance(part.stop - part.start)
    else:
        job = ShardJob(
            "Mining hard negatives", folder / "searches" / _search_key(search), len(parts), ".npz", shards.write,
            on_accelerator=search.cross_encoder is not None,
        )  # fmt: skip
        run_shards(job, engine)
        results = [_read(file) for file in job.paths]
    return stacked([candidates for candidates, _ in results]), Tally.of([tally for _, tally in results])


@dataclass(frozen=True)
class _SearchInShards:
    """A search for so many rows at a time."""

    search: Search
    rows: int

    @property
    def parts(self) -> list[slice]:
        """The rows of each shard."""
        return list(blocks(len(self.search.corpus.source), self.rows))

    def write(self, shard: int, path: Path) -> None:
        """Search for the rows of a shard, and write what was found."""
        part = self.parts[shard]
        candidates, tally = self.search.of(np.arange(part.start, part.stop))
        with atomic_file(path, "wb") as handle:
            np.savez(handle, allow_pickle=False, candidates=candidates, **tally.as_arrays())


def _read(file: Path) -> tuple[Int64, Tally]:
    """What a search of some rows found, from the disk.

    Raises:
        InputError: When the file is damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["candidates"], Tally.from_arrays(arrays)
    except (OSError, ValueError, LookupError, BadZipFile) as error:
        remedy = "Remove it, and its rows are searched for again."
        raise InputError(f"is not what a search found ({error})", path=file, remedy=remedy) from error


def _search_key(search: Search) -> str:
    """A hash over all that the candidates depend on."""
    corpus, reader = search.corpus, search.cross_encoder
    said = [search.settings.described(), corpus.source.fingerprint(), corpus.exempt_key(), sizes.ROWS,
            corpus.documents_key()]  # fmt: skip
    said += [[judge.key for judge in search.judges], None if reader is None else reader.fingerprint()]
    digest = xxhash.xxh3_128(repr(said).encode())
    digest.update(np.ascontiguousarray(corpus.texts.hashes[corpus.documents]).view(np.uint8).data)
    return digest.hexdigest()


def _result(search: Search, taken: Int64, tally: Tally) -> MiningResult:
    """What the candidates taken come to."""
    corpus, settings, judges = search.corpus, search.settings, search.judges
    source, rows = corpus.source, len(corpus.source)
    place, column = np.nonzero(taken >= 0)
    counts = np.bincount(place, minlength=rows)
    mined = corpus.with_negatives(np.arange(rows), taken, keep=settings.keep)
    row_of_positive = np.repeat(np.arange(rows), np.diff(source.positive_offsets))
    positive_scores = mean_scores(judges, row_of_positive, corpus.places_encoded(source.positives))
    if settings.scores:
        row_of_negative = np.repeat(np.arange(rows), np.diff(mined.negative_offsets))
        scores: Float32 = np.empty(len(mined.positives) + len(mined.negatives), dtype=np.float32)
        scores[mined.arrays.places_of_positives] = positive_scores
        scores[mined.arrays.places_of_negatives] = mean_scores(
            judges, row_of_negative, corpus.places_encoded(mined.negatives)
        )
        mined = mined.with_scores(scores)
    possible = PossiblePositives(corpus, tally.pairs)
    return MiningResult(
        source=mined,
        rows=rows,
        documents=len(corpus),
        negatives=int(counts.sum()),
        short_rows=int((counts < settings.negatives_per_row).sum()),
        kept=len(source.negatives) if settings.keep else 0,
        replaced=0 if settings.keep else len(source.negatives),
        rejected=tally.count,
        estimated_positives=estimated_answers(histogram(judges[0].positive_scores), tally.by_score),
        negative_scores=mean_scores(judges, place, taken[place, column]),
        positive_scores=positive_scores,
        likely_positives=possible.one_a_query(_EXAMPLES),
        possible_positives=possible,
    )


def _check(encoders: Sequence[TextEncoder], source: Source) -> None:
    if not encoders:
        raise InputError("no model is given", field="models", remedy="Give one, or several.")
    if not len(source):
        raise InputError(f"{source.name!r} has no rows", field="source")
    if bare := int((np.diff(source.positive_offsets) == 0).sum()):
        raise InputError(
            f"{source.name!r} has {counted(bare, 'row')} without a positive to measure candidates by",
            field="source",
            remedy="Select the rows that have one.",
        )
