"""Training a cross-encoder: what a step embeds is the score of each distinct (query, document) pair of its rows.

The rest is the loop's: micro-batches of pairs sorted by length, threads, gradient caching, ranks, checkpoints, exact
resume, the doctor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from cosmith.data import Source
from cosmith.data.ragged import take_rows
from cosmith.errors import InputError, nearest
from cosmith.losses.ranking import RANKING_LOSSES, RankingLossName, RowCandidates, score_kl
from cosmith.models import CrossEncoder
from cosmith.models.cross_encoder.pairs import PairTokens
from cosmith.phrases import counted
from cosmith.training.batch_report import score_problems, shown_text, token_problems
from cosmith.training.distributed import ALONE, Ranks, start_ranks
from cosmith.training.encoding import Strategy
from cosmith.training.health import ProbeText
from cosmith.training.loop import run_job
from cosmith.training.plan import Plan
from cosmith.training.result import TrainingResult
from cosmith.training.rows import plan_of, steps_of
from cosmith.training.run import Score
from cosmith.training.settings import TrainingSettings
from cosmith.training.step import Figures, StepWork, lanes_of, shared_micro_batches, strategy_of
from cosmith.training.tuning import trainable
from cosmith.training.variant import require_merged_adapter

_TAUGHT = ("margin-mse", "score-kl")  # the losses that follow a teacher's scores


@dataclass(frozen=True)
class PairBatch:
    """What a step works on: the tokens of its U distinct pairs, and whose candidates they are.

    Attributes:
        tokens: U rows.
        candidates: Of the step's rows.
        query, document: int64 [U], the numbers of each pair's texts in the Source's table.
        first_row: int64 [U], the number of the first row of the Source, among the step's, that has the pair.
    """

    tokens: PairTokens
    candidates: RowCandidates
    query: NDArray[np.int64]
    document: NDArray[np.int64]
    first_row: NDArray[np.int64]


@dataclass(frozen=True)
class RerankerJob:
    """A run that is ready to go; see :class:`cosmith.training.step.Job`.

    Attributes:
        encoder: What is trained.
        sources: The rows.
        plan: Which rows each step takes.
        steps: How many steps.
        settings: What the user decided.
        loss: Scores [U] and candidates → a scalar.
        max_length: The most tokens of a pair; None: the model's maximum.
        strategy: How many graphs are kept.
        lanes: Threads that share a step.
    """

    encoder: CrossEncoder
    sources: tuple[Source, ...]
    plan: Plan
    steps: int
    settings: TrainingSettings
    loss: Callable[..., torch.Tensor]
    max_length: int | None
    strategy: Strategy
    lanes: int

    @property
    def module(self) -> torch.nn.Module:
        """What is trained."""
        return self.encoder.module

    @property
    def device(self) -> torch.device:
        """Where."""
        return self.encoder.device

    @property
    def facts(self) -> Mapping[str, Any]:
        """That scores are no cosines."""
        return {"scores": "unbounded"}

    @property
    def probe(self) -> Sequence[ProbeText]:
        """No text is followed: a pair has a score and no place."""
        return []

    def compute_in(self) -> AbstractContextManager[object]:
        """The context of the run's precision."""
        return self.encoder.compute_in(self.settings.precision, remember=False)

    def batch(self, source: Source, rows: NDArray[np.int64]) -> PairBatch:
        """The distinct pairs of these rows [R]; of each row its positives first, then its negatives."""
        candidates = _candidates(source, rows)
        count = len(source.texts)
        document = candidates.document
        pairs, first, places = np.unique(
            source.query[rows][candidates.row] * count + document, return_index=True, return_inverse=True
        )
        query, document = np.divmod(pairs, count)
        texts = list(zip(source.texts.take(query), source.texts.take(document), strict=True))
        tokens = self.encoder.tokenize(texts, instruction=source.settings.instruction, max_length=self.max_length)
        structure = RowCandidates(
            torch.from_numpy(places),
            torch.from_numpy(candidates.row),
            torch.from_numpy(candidates.positive),
            len(rows),
            None if candidates.teacher is None else torch.from_numpy(candidates.teacher),
        )
        return PairBatch(tokens, structure, query, document, rows[candidates.row[first]])

    def work(self, step: int, ranks: Ranks = ALONE) -> StepWork:
        """What step number ``step`` does."""
        taken = self.plan.at(step)
        source = self.sources[taken.source]
        batch = self.batch(source, taken.rows)
        lengths = batch.tokens.lengths
        batches = shared_micro_batches(
            lengths, self.settings.micro_batch_tokens, self.encoder, ranks.world * self.lanes
        )
        candidates = batch.candidates.to(self.device)
        share = ranks.rows(candidates.rows) if ranks.world > 1 else None
        vocabulary = len(self.encoder.tokenizer.tokenizer)
        return StepWork(
            source=source.name,
            epoch=self.plan.epoch(step + 1),
            rows=candidates.rows,
            tokens=int(lengths.sum()),
            embed=lambda numbers: self.encoder.logits(batch.tokens.take(numbers))[:, None],
            batches=batches,
            costs=[int(lengths[numbers].sum()) for numbers in batches],
            loss=lambda scores: self.loss(scores[:, 0], candidates, rows=share),
            describe=partial(_describe, source, batch),
            problems=lambda: [
                *(
                    f"{_describe(source, batch, number)} {what}"
                    for number, what in token_problems(batch.tokens.tokens, vocabulary)
                ),
                *score_problems(source, taken.rows),
            ],
            look=lambda scores: _look(scores[:, 0].detach().float(), candidates),
        )


@dataclass(frozen=True)
class _Candidates:
    """The candidates of some rows, [N] each: row (from 0), text number, whether it is a positive, teacher's score."""

    row: NDArray[np.int64]
    document: NDArray[np.int64]
    positive: NDArray[np.bool_]
    teacher: NDArray[np.float32] | None


def _candidates(source: Source, rows: NDArray[np.int64]) -> _Candidates:
    positives, positive_offsets = take_rows(source.positives, source.positive_offsets, rows)
    negatives, negative_offsets = take_rows(source.negatives, source.negative_offsets, rows)
    numbers = np.arange(len(rows))
    row = np.concatenate([np.repeat(numbers, np.diff(offsets)) for offsets in (positive_offsets, negative_offsets)])
    order = np.argsort(row, kind="stable")  # as the scores stand: a row's positives, then its negatives
    teacher = None
    if source.scores is not None:
        teacher = take_rows(source.scores, source.arrays.score_offsets, rows)[0]
    return _Candidates(
        row[order],
        np.concatenate([positives, negatives])[order],
        (np.arange(len(row)) < len(positives))[order],
        teacher,
    )


def _look(scores: torch.Tensor, candidates: RowCandidates) -> Figures:
    """How the negatives of rows stand to the best positive of theirs, by the scores [U] of a step."""
    if not bool(torch.isfinite(scores).all()) or bool(candidates.positive.all()):
        return {}
    of_candidates, positive, row = scores[candidates.pair], candidates.positive, candidates.row
    best = scores.new_full((candidates.rows,), -torch.inf)
    best.scatter_reduce_(0, row[positive], of_candidates[positive], "amax")
    above = of_candidates[~positive] > best[row[~positive]]
    beaten = torch.unique(row[~positive][above])
    return {"scores/own_above": float(above.float().mean()), "scores/first": 1 - len(beaten) / candidates.rows}


def _describe(source: Source, batch: PairBatch, number: int) -> str:
    """A pair, for people."""
    query, document = (source.texts[int(numbers[number])] for numbers in (batch.query, batch.document))
    row = int(batch.first_row[number])
    return f"a pair of row {row} of {source.name!r}, {shown_text(query)!r} with {shown_text(document)!r}"


def train_reranker(
    encoder: CrossEncoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    loss: RankingLossName = "binary",
    teacher_temperature: float = 1.0,
    max_length: int | None = None,
    folder: str | Path | None = None,
    dev: Score[CrossEncoder] | None = None,
    general: Score[CrossEncoder] | None = None,
) -> TrainingResult[CrossEncoder]:
    """Train a cross-encoder on rows of queries with positives and negatives, and tell what came of it.

    Example::

        start = CrossEncoder.from_encoder(Encoder.load("all-MiniLM-L6-v2"))
        reranker = train_reranker(start, [mined], TrainingSettings(epochs=1), folder="runs/reranker").encoder

    Args:
        encoder: Where to start; it is left as it is.
        sources: The rows, each with the documents that a first search confuses as its negatives.
        settings: How to train; of what concerns the losses of embeddings and the lengths of single texts nothing is
            used.
        loss: ``binary``, ``listwise``, or from the rows' teacher scores ``margin-mse`` or ``score-kl``, see
            :mod:`cosmith.losses.ranking`. The loss that a Source names for itself is one of embeddings: it does not
            count here.
        teacher_temperature: Divides the teacher's scores in ``score-kl``.
        max_length: The most tokens of a pair; None: the model's maximum.
        folder: As in :func:`cosmith.training.train_with_result`.
        dev, general: Likewise, of a cross-encoder.

    Raises:
        InputError: When settings and rows do not fit, or the folder holds another run.
        Interrupted, CosmithError: As there.
    """
    settings = settings or TrainingSettings()
    ranks, device = start_ranks(encoder.device)
    tuned = trainable(encoder.copy().to(device), settings)
    job = prepare(tuned, sources, settings, loss, teacher_temperature=teacher_temperature, max_length=max_length)
    identity: dict[str, Any] = {
        "settings": settings.identity(),
        "objective": {
            "kind": "reranking", "loss": loss, "teacher_temperature": teacher_temperature, "max_length": max_length,
        },
        "sources": {f"{place}. {source.name}": source.fingerprint() for place, source in enumerate(sources, start=1)},
        "model": encoder.fingerprint(),
    }  # fmt: skip
    ranks.check_same("model, sources and settings", repr(identity), device)
    place = None if folder is None else Path(folder)
    return run_job(job, encoder, identity, ranks=ranks, folder=place, dev=dev, general=general)


def prepare(
    encoder: CrossEncoder,
    sources: Sequence[Source],
    settings: TrainingSettings,
    loss: RankingLossName = "binary",
    *,
    teacher_temperature: float = 1.0,
    max_length: int | None = None,
) -> RerankerJob:
    """Check that cross-encoder, Sources, settings and loss fit each other."""
    if loss not in RANKING_LOSSES:
        raise InputError(f"there is no loss {loss!r} of rerankers", field="loss",
                         remedy=nearest(str(loss), get_args(RankingLossName)))  # fmt: skip
    if not teacher_temperature > 0:
        raise InputError(f"must be above 0, not {teacher_temperature}", field="teacher_temperature")
    if loss != "score-kl" and teacher_temperature != 1.0:
        raise InputError(f"the loss {loss} has no teacher_temperature", field="teacher_temperature",
                         remedy="Leave it out, or take the loss score-kl.")  # fmt: skip
    require_merged_adapter(settings, "cross-encoder")
    plan = plan_of(sources, settings)
    for source in sources:
        _check(source, loss)
    function = RANKING_LOSSES[loss]
    if function is score_kl:
        function = partial(score_kl, teacher_temperature=teacher_temperature)
    return RerankerJob(
        encoder=encoder,
        sources=tuple(sources),
        plan=plan,
        steps=steps_of(plan, settings),
        settings=settings,
        loss=function,
        max_length=max_length,
        strategy=strategy_of(settings, encoder.device),
        lanes=lanes_of(encoder),
    )


def _check(source: Source, loss: str) -> None:
    """Whether the rows have what the loss needs."""
    bare = np.flatnonzero(np.diff(source.positive_offsets) == 0)
    if len(bare):
        raise InputError(f"row {bare[0]} of the source {source.name!r} has no positive", field="positives",
                         remedy="Give each row one, or leave it out.")  # fmt: skip
    if not len(source.negatives):
        raise InputError(
            f"none of the {counted(len(source), 'row')} of the source {source.name!r} has a negative, so that any score"
            " would do", field="negatives",
            remedy="Mine hard negatives, what a search confuses with the answers; where that has found none, with"
            " wider limits (ratio, margin).",
        )  # fmt: skip
    if loss in _TAUGHT and source.scores is None:
        raise InputError(
            f"the rows of the source {source.name!r} have no scores, which the loss {loss} follows", field="scores",
            remedy="Give every row a score for each positive and negative, or take the loss binary or listwise.",
        )  # fmt: skip
