"""Training a late-interaction model: what a step embeds are the tokens of its texts, and its loss is one of their
scores.

A step's numbers are those of token vectors, so that the loop gathers, caches and shares them out like any others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosmith.data import Source
from cosmith.data.ragged import offsets_of, take_rows
from cosmith.errors import InputError
from cosmith.losses import ContrastiveSpec, LossSpec, loss_of
from cosmith.losses.late_interaction import as_dot_products, max_similarity
from cosmith.losses.spec import QUERY_TO_DOCUMENT
from cosmith.models import LateInteractionEncoder
from cosmith.training import contrastive
from cosmith.training.batch import StepBatch
from cosmith.training.distributed import ALONE, Ranks, start_ranks
from cosmith.training.encoding import Batch
from cosmith.training.health.watch import look_at_scores, look_at_spread, without_histograms
from cosmith.training.loop import run_job
from cosmith.training.objective import temperature_of
from cosmith.training.result import TrainingResult
from cosmith.training.run import Score
from cosmith.training.settings import TrainingSettings
from cosmith.training.step import Figures, StepWork
from cosmith.training.tuning import trainable
from cosmith.training.variant import (
    ContrastiveVariant,
    on_unbounded_scores,
    require_merged_adapter,
    require_no_dense_settings,
)

_WHAT = "late-interaction model"
_FEW_ROWS, _FEW_VECTORS = 64, 512  # that stand for a step's: what is watched must cost nothing beside the step


@dataclass(frozen=True)
class TokenBatch:
    """The texts of a step and which of their tokens get a vector; vectors are numbered text after text.

    Attributes:
        batch: The step.
        kept: bool [tokens].
    """

    batch: StepBatch
    kept: NDArray[np.bool_]

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """int64 [U + 1], where the vectors of each text begin."""
        starts = self.batch.tokens.offsets[:-1]  # no text is without a token
        return offsets_of(np.add.reduceat(self.kept, starts, dtype=np.int64))

    def vectors_of(self, texts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the vectors of these texts [n], text after text, and where each text's begin [n + 1]."""
        return take_rows(np.arange(self.offsets[-1]), self.offsets, texts)

    def text_of(self, vectors: NDArray[np.int64]) -> NDArray[np.int64]:
        """The text of each of these vectors."""
        return np.searchsorted(self.offsets, vectors, side="right") - 1

    def embed(self, encoder: LateInteractionEncoder, vectors: Batch) -> torch.Tensor:
        """The vectors of whole texts, [n, D]."""
        text = self.text_of(vectors)
        texts = text[np.flatnonzero(np.diff(text, prepend=-1))]
        kept = take_rows(self.kept, self.batch.tokens.offsets, texts)[0]
        return encoder.embed(self.batch.tokens.take(texts), kept)


@dataclass(frozen=True)
class LateInteractionJob(ContrastiveVariant[LateInteractionEncoder]):
    """A contrastive run on late-interaction scores; see :class:`cosmith.training.step.Job`."""

    def tokens(self, step: int) -> TokenBatch:
        """The texts of a step, with the tokens that get a vector."""
        number, batch = self.run.batch(step)
        kept = self.encoder.kept(batch.tokens, self.run.sources[number].source.settings.document_prompt)
        as_query = np.zeros(len(batch.tokens), dtype=np.bool_)
        as_query[batch.structure.query.numpy()] = True
        return TokenBatch(batch, kept | np.repeat(as_query, batch.tokens.lengths))

    def work(self, step: int, ranks: Ranks = ALONE) -> StepWork:
        """What step number ``step`` does."""
        work, texts = self.run.work(step, ranks), self.tokens(step)
        share = ranks.rows(texts.batch.rows) if ranks.world > 1 else None
        spec = self.run.specs[self.run.plan.at(step).source]
        return replace(
            work,
            embed=partial(texts.embed, self.encoder),
            batches=[texts.vectors_of(numbers)[0] for numbers in work.batches],
            loss=_loss(texts, spec, share, self.device),
            describe=lambda number: f"a token of {work.describe(int(texts.text_of(np.array([number]))[0]))}",
            look=partial(_look, texts, spec),
        )


def _loss(
    texts: TokenBatch, spec: LossSpec, share: slice | None, device: torch.device
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The loss of a step as a function of its token vectors; of the share's queries only their scores are needed."""
    embeddings = _embeddings(texts, share or slice(None), device)
    structure = texts.batch.structure.to(device)
    return lambda vectors: loss_of(embeddings(vectors), structure, spec, rows=share)


def _embeddings(texts: TokenBatch, rows: slice, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """A step's token vectors → vectors of its texts, [U, Q], whose dot products are the scores of these rows' queries
    with all documents."""
    structure = texts.batch.structure
    asked = np.unique(structure.query[rows].numpy())
    read = np.unique(torch.cat([structure.positives, structure.negatives]).numpy())
    queries, query_offsets = (torch.from_numpy(each).to(device) for each in texts.vectors_of(asked))
    documents, document_offsets = (torch.from_numpy(each).to(device) for each in texts.vectors_of(read))
    asked_number, read_number = (torch.from_numpy(each).to(device) for each in (asked, read))

    def embeddings(vectors: torch.Tensor) -> torch.Tensor:
        scores = max_similarity(vectors[queries], query_offsets, vectors[documents], document_offsets)
        return as_dot_products(scores, asked_number, read_number, structure.embeddings)

    return embeddings


def _look(texts: TokenBatch, spec: LossSpec, vectors: torch.Tensor) -> Figures:
    """How the token vectors of a step lie, and the scores of some of its rows."""
    if not bool(torch.isfinite(vectors).all()):
        return {}
    with torch.no_grad():
        values = vectors.detach().float()
        scores = _embeddings(texts, slice(_FEW_ROWS), values.device)(values)
        structure = texts.batch.structure.to(values.device)
        return {
            **look_at_spread(values, _FEW_VECTORS),
            **without_histograms(look_at_scores(scores, structure, spec, _FEW_ROWS)),
        }


def train_late_interaction(
    encoder: LateInteractionEncoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    folder: str | Path | None = None,
    dev: Score[LateInteractionEncoder] | None = None,
    general: Score[LateInteractionEncoder] | None = None,
) -> TrainingResult[LateInteractionEncoder]:
    """Train a late-interaction model on the scores of queries and documents, and tell what came of it.

    Example::

        start = LateInteractionEncoder.from_encoder(Encoder.load("all-MiniLM-L6-v2"))
        tuned = train_late_interaction(start, [source], TrainingSettings(epochs=1)).encoder

    Args:
        encoder: Where to start; it is left as it is.
        sources: The rows.
        settings: How to train. The loss is a contrastive one that compares queries with documents only,
            ``margin-mse`` or ``score-kl``; the temperature is 1 unless said, and a margin in cosine leaves out
            nothing, since a score is a sum of cosines.
        folder: As in :func:`cosmith.training.train_with_result`.
        dev, general: Likewise, of a late-interaction model.

    Raises:
        InputError: When settings and rows do not fit, or the folder holds another run.
        Interrupted, CosmithError: As there.
    """
    settings = settings or TrainingSettings()
    place = None if folder is None else Path(folder)
    ranks, device = start_ranks(encoder.device)
    job = prepare(trainable(encoder.copy().to(device), settings), sources, settings, place)
    identity: dict[str, Any] = {
        "settings": settings.identity(),
        "objective": {"kind": "late-interaction"},
        "sources": {f"{place}. {source.name}": source.fingerprint() for place, source in enumerate(sources, start=1)},
        "model": encoder.fingerprint(),
    }
    ranks.check_same("model, sources and settings", repr(identity), device)
    return run_job(job, encoder, identity, ranks=ranks, folder=place, dev=dev, general=general)


def prepare(
    encoder: LateInteractionEncoder, sources: Sequence[Source], settings: TrainingSettings, folder: Path | None = None
) -> LateInteractionJob:
    """Check that encoder, Sources and settings fit each other, and tokenise."""
    require_no_dense_settings(settings)
    require_merged_adapter(settings, _WHAT)
    run = contrastive.prepare(encoder, sources, settings, folder)
    specs = tuple(
        on_unbounded_scores(spec, temperature_of(source, settings), _WHAT)
        for spec, source in zip(run.specs, sources, strict=True)
    )
    for spec in specs:
        if isinstance(spec, ContrastiveSpec) and not spec.blocks <= QUERY_TO_DOCUMENT:
            raise InputError(
                "the loss compares queries with queries, or documents with documents, which have no such score",
                field="loss", remedy="Take one that compares queries with documents, as 'default' does.",
            )  # fmt: skip
    # a text has other vectors as a query than as a document, even where both are read alike
    apart = tuple(replace(each, embed_twice=True) for each in run.sources)
    return LateInteractionJob(replace(run, specs=specs, sources=apart))
