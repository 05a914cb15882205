"""Training a sparse encoder: the contrastive run on dot products, and a regulariser that makes vectors sparse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cosmith.data import RaggedTokens, Source
from cosmith.errors import InputError
from cosmith.losses import LossSpec, StepStructure
from cosmith.losses.sparsity import active, flops, warmed_up
from cosmith.models import SparseEncoder
from cosmith.training import contrastive
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

_WHAT = "sparse encoder"
_QUERY_LEARNING_RATE = 1e-3
_FEW = 128  # vectors that stand for a step's where all pairs are compared: each is as wide as the vocabulary


@dataclass(frozen=True)
class Sparsity:
    """How strongly vectors are made sparse.

    Attributes:
        documents: Weight of the FLOPS regulariser of positives and negatives.
        queries: Likewise of the queries; the more, the quicker a search.
        warmup: Share of the steps over which the weights rise, with the square of the step.

    The defaults are those of sentence-transformers' examples for SPLADE.
    """

    documents: float = 3e-5
    queries: float = 5e-5
    warmup: float = 1 / 3

    def __post_init__(self) -> None:
        for name in ("documents", "queries"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"must be at least 0, not {getattr(self, name)}", field=name)
        if not 0 <= self.warmup <= 1:
            raise InputError(f"must lie between 0 and 1, not {self.warmup}", field="warmup")


@dataclass(frozen=True)
class SparseJob(ContrastiveVariant[SparseEncoder]):
    """A contrastive run whose loss has the regularisers besides; see :class:`cosmith.training.step.Job`.

    Attributes:
        sparsity: How strongly vectors are made sparse.
    """

    sparsity: Sparsity

    def work(self, step: int, ranks: Ranks = ALONE) -> StepWork:
        """What step number ``step`` does."""
        number, batch = self.run.batch(step)
        work = self.run.work(step, ranks)
        queries, documents = _roles(batch.structure.to(self.device))
        rise = round(self.sparsity.warmup * self.steps)
        weights = [warmed_up(weight, step, rise) for weight in (self.sparsity.queries, self.sparsity.documents)]
        columns = ranks.rows(self.encoder.dimension) if ranks.world > 1 else None

        if self.encoder.static_queries is not None:
            weights[0] = 0.0  # a query has the words that it has: nothing can make it sparser
            work = replace(work, embed=partial(_embed_by_role, self.encoder, batch.tokens, len(queries)))

        def loss(embeddings: torch.Tensor) -> torch.Tensor:
            total = work.loss(embeddings)
            for weight, texts in zip(weights, (queries, documents), strict=True):
                if weight:
                    total = total + weight * flops(embeddings[texts], columns=columns)
            return total

        return replace(work, loss=loss, look=partial(_look, batch.structure, self.run.specs[number]))


def _embed_by_role(encoder: SparseEncoder, tokens: RaggedTokens, queries: int, numbers: Batch) -> torch.Tensor:
    """The embeddings of a micro-batch, [n, D], of texts of which the first ``queries`` are queries."""
    asked = numbers < queries
    vectors = torch.cat([
        encoder.embed_queries(tokens.take(numbers[asked])), encoder.embed(tokens.take(numbers[~asked])),
    ])  # fmt: skip
    order = np.argsort(np.concatenate([np.flatnonzero(asked), np.flatnonzero(~asked)]))
    return vectors[torch.from_numpy(order).to(vectors.device)]


def _roles(structure: StepStructure) -> tuple[torch.Tensor, torch.Tensor]:
    """The embeddings that are queries, and those that are documents, each once."""
    return torch.unique(structure.query), torch.unique(torch.cat([structure.positives, structure.negatives]))


def _look(structure: StepStructure, spec: LossSpec, embeddings: torch.Tensor) -> Figures:
    """How many words the vectors of a step have, how some of them lie, and the scores between them."""
    if not bool(torch.isfinite(embeddings).all()):
        return {}
    with torch.no_grad():
        values, structure = embeddings.detach().float(), structure.to(embeddings.device)
        queries, documents = _roles(structure)
        few = torch.nn.functional.normalize(values[:: -(-len(values) // _FEW)], dim=1)
        return {
            "sparsity/query_words": active(values[queries]),
            "sparsity/document_words": active(values[documents]),
            **look_at_spread(few, _FEW),
            **without_histograms(look_at_scores(values, structure, spec)),
        }


def train_sparse(
    encoder: SparseEncoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    sparsity: Sparsity | None = None,
    query_learning_rate: float | None = _QUERY_LEARNING_RATE,
    folder: str | Path | None = None,
    dev: Score[SparseEncoder] | None = None,
    general: Score[SparseEncoder] | None = None,
) -> TrainingResult[SparseEncoder]:
    """Train a sparse encoder on dot products, and tell what came of it.

    Example::

        tuned = train_sparse(SparseEncoder.load("my-splade"), [source], TrainingSettings(epochs=1)).encoder

    Args:
        encoder: Where to start; it is left as it is.
        sources: The rows.
        settings: How to train. The loss is a contrastive one, ``margin-mse`` or ``score-kl``; the temperature is 1
            unless said, and a margin in cosine leaves out nothing, since scores are dot products.
        sparsity: How strongly vectors are made sparse; by default as :class:`Sparsity` says.
        query_learning_rate: The highest rate of the weights of queries, where the model does not read these
            (:meth:`~cosmith.models.SparseEncoder.with_static_queries`): much higher than that of the model, which has
            learnt before (sentence-transformers names 1e-3). None: the same rate.
        folder: As in :func:`cosmith.training.train_with_result`.
        dev, general: Likewise, of a sparse encoder.

    Raises:
        InputError: When settings and rows do not fit, or the folder holds another run.
        Interrupted, CosmithError: As there.
    """
    settings = settings or TrainingSettings()
    sparsity = sparsity or Sparsity()
    if encoder.static_queries is None and query_learning_rate not in (None, _QUERY_LEARNING_RATE):
        raise InputError(
            "the model reads queries itself, so there are no weights of their tokens to have a rate of their own",
            field="query_learning_rate",
            remedy="Give it static queries (static_queries in a recipe, with_static_queries in Python), or leave the"
            " rate out.",
        )
    if query_learning_rate is not None and not 0 < query_learning_rate < float("inf"):
        raise InputError(f"must be above 0, not {query_learning_rate}", field="query_learning_rate")
    place = None if folder is None else Path(folder)
    ranks, device = start_ranks(encoder.device)
    job = prepare(trainable(encoder.copy().to(device), settings), sources, settings, sparsity, place)
    identity: dict[str, Any] = {
        "settings": settings.identity(),
        "objective": {"kind": "sparse", **vars(sparsity)},
        "sources": {f"{place}. {source.name}": source.fingerprint() for place, source in enumerate(sources, start=1)},
        "model": encoder.fingerprint(),
    }
    factors = {}
    if job.encoder.static_queries is not None and query_learning_rate is not None:
        identity["objective"]["query_learning_rate"] = query_learning_rate
        factors = {"queries.weight": query_learning_rate / settings.learning_rate}
    ranks.check_same("model, sources and settings", repr(identity), device)
    return run_job(job, encoder, identity, ranks=ranks, folder=place, dev=dev, general=general, rate_factors=factors)


def prepare(
    encoder: SparseEncoder,
    sources: Sequence[Source],
    settings: TrainingSettings,
    sparsity: Sparsity,
    folder: Path | None = None,
) -> SparseJob:
    """Check that encoder, Sources and settings fit each other, and tokenise."""
    require_no_dense_settings(settings)
    require_merged_adapter(settings, _WHAT)
    for source in sources:
        if encoder.static_queries is not None and source.settings.document_prompt == "query":
            raise InputError(
                f"the documents of the source {source.name!r} would be read as queries are, which have weights of their"
                f" own; its task is {source.settings.task}",
                field="sources",
                remedy='Give it the prompts ("query", "document"), or the task retrieval.',
            )
    run = contrastive.prepare(encoder, sources, settings, folder)
    specs = tuple(
        on_unbounded_scores(spec, temperature_of(source, settings), _WHAT)
        for spec, source in zip(run.specs, sources, strict=True)
    )
    return SparseJob(replace(run, specs=specs), sparsity)
