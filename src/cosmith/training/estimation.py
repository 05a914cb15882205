"""What a run will cost, before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from cosmith.data import Cut, RaggedTokens, Source
from cosmith.models import Encoder, resolve_precision
from cosmith.phrases import counted, share, size
from cosmith.progress import clock
from cosmith.training.batch import StepBatch, TokenisedSource
from cosmith.training.contrastive import ContrastiveJob, prepare
from cosmith.training.encoding import backward_step, graph_bytes
from cosmith.training.rows import wanted_batch_size
from cosmith.training.settings import TrainingSettings
from cosmith.training.tuning import changes_encoder, trainable

_SAMPLED_STEPS = 20
_TIMED_BATCHES = 3  # for each lane
_WITH_GAPS = 1.5  # what the memory of graphs grows to, as those of the next step do not fit the gaps of the last


@dataclass(frozen=True)
class Estimate:
    """The cost of a run; see :func:`estimate`.

    Attributes:
        steps: Steps of the run.
        epochs: How often each row is taken.
        texts_per_step, tokens_per_step: Distinct texts and their tokens, mean of the sampled steps.
        padding_share: Share of the cells of one padded batch a step that would hold no token; here none is computed.
        cut_queries, cut_documents: How many of the distinct texts are longer than their maximum length.
        seconds: Time for the steps, evaluations left out.
        memory: Bytes at the peak: what the process holds already, weights, gradients, Adam's two moments, graphs
            and embeddings.
        kept_share: Share of a step's graphs that fit the memory; the rest is computed twice.
        variable_length: Whether the encoder computes without padding.
        device, precision: On what it would run, and in which precision.
        smaller_batches: Name and rows of the Sources that have fewer rows than a batch, so that each of their steps
            takes all of them.
        query_lengths, document_lengths: int32 [texts], the tokens that each distinct text would have uncut.
    """

    steps: int
    epochs: float
    texts_per_step: float
    tokens_per_step: float
    padding_share: float
    cut_queries: Cut
    cut_documents: Cut
    seconds: float
    memory: int
    kept_share: float
    variable_length: bool
    device: str
    precision: str
    smaller_batches: tuple[tuple[str, int], ...]
    query_lengths: NDArray[np.int32] = field(repr=False, compare=False)
    document_lengths: NDArray[np.int32] = field(repr=False, compare=False)

    def describe(self) -> list[str]:
        """The estimate as lines for people."""
        replayed = f"; {share(1 - self.kept_share)} of a step is computed twice to save memory" * (self.kept_share < 1)
        epochs = f"{self.epochs:.3g} epoch" + "s" * (f"{self.epochs:.3g}" != "1")
        return [
            f"{counted(self.steps, 'step')} ({epochs}) of {counted(round(self.texts_per_step), 'distinct text')} and"
            f" {counted(round(self.tokens_per_step), 'token')}",
            *(
                f"the source {name!r} has {counted(rows, 'row')}, fewer than a batch: each of its steps takes them all"
                for name, rows in self.smaller_batches
            ),
            f"about {clock(self.seconds)} for the steps in {self.precision} on {self.device}, evaluations left out",
            f"about {size(self.memory)} of memory at the peak{replayed}",
            f"padding one batch a step would have wasted {share(self.padding_share)} of the work; "
            + ("none is done here" if self.variable_length else "here only texts of like length are padded together"),
            self.cut_queries.describe(),
            self.cut_documents.describe(),
        ]


def estimate(
    encoder: Encoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    teacher: Encoder | None = None,
) -> Estimate:
    """Say what a run will cost, from the plan of its steps and a few micro-batches that are really computed.

    The encoder's weights, gradients and mode and torch's generators are left as they were.

    Args:
        encoder: Where the run would start.
        sources: What it would be trained on.
        settings: How.
        teacher: The model whose vectors some losses ask for; it encodes all texts, which is not part of the estimate.

    Raises:
        InputError: As :func:`cosmith.training.train` would.
    """
    settings = settings or TrainingSettings()
    if changes_encoder(settings):
        encoder = trainable(encoder.copy(), settings)
    job = prepare(encoder, sources, settings, teacher=teacher)
    steps = [job.batch(step) for step in _spread(job.steps, _SAMPLED_STEPS)]
    batches = [batch for _, batch in steps]
    texts, tokens = (float(np.mean([count(b) for b in batches])) for count in (_texts, _tokens))
    cells = sum(len(batch.tokens) * int(batch.tokens.lengths.max()) for batch in batches)
    costs = _measure(job, *steps[0])
    graphs = float(np.mean([len(job.micro_batches(batch)) for batch in batches]))
    kept = _kept(job, costs.graph, graphs)
    again = 1 + (graphs - kept) / graphs / 3  # a replay is a forward, a third of a forward and backward
    parameters = list(encoder.module.parameters())
    weights = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
    trained = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
    queries = [(tokenised.query_tokens, np.unique(tokenised.source.query)) for tokenised in job.sources]
    documents = [(tokenised.document_tokens, np.unique(_documents(tokenised))) for tokenised in job.sources]
    embeddings = 3 * 4 * texts * encoder.dimension  # themselves, the leaf and its gradient
    return Estimate(
        steps=job.steps,
        epochs=job.plan.epoch(job.steps),
        texts_per_step=texts,
        tokens_per_step=tokens,
        padding_share=1 - sum(map(_tokens, batches)) / cells,
        cut_queries=_cut("queries", queries, job, "max_query_length"),
        cut_documents=_cut("documents", documents, job, "max_document_length"),
        seconds=job.steps * (tokens * costs.seconds_per_token * again + costs.loss_seconds),
        memory=int(costs.already + weights + 3 * trained + max(kept, 1.0) * costs.graph * _WITH_GAPS + embeddings),
        kept_share=kept / graphs,
        variable_length=encoder.variable_length,
        device=str(encoder.device),
        precision=resolve_precision(job.settings.precision, encoder.device),
        smaller_batches=tuple(
            (source.name, len(source)) for source in sources if len(source) < wanted_batch_size(source, job.settings)
        ),
        query_lengths=np.concatenate([tokens.full_lengths[numbers] for tokens, numbers in queries]),
        document_lengths=np.concatenate([tokens.full_lengths[numbers] for tokens, numbers in documents]),
    )


@dataclass(frozen=True)
class _Costs:
    """Seconds forward and backward, seconds of the loss, bytes of the largest graph and of what was held before it."""

    seconds_per_token: float
    loss_seconds: float
    graph: int
    already: int


def _measure(job: ContrastiveJob[Encoder], source: int, batch: StepBatch) -> _Costs:
    """Compute a few micro-batches of the step and its loss."""
    encoder, module = job.encoder, job.encoder.module
    parameters = list(module.parameters())
    gradients = [parameter.grad for parameter in parameters]
    was_training = module.training
    device = encoder.device
    order = job.micro_batches(batch)
    largest = batch.tokens.take(order[0])
    timed = [order[number] for number in _spread(len(order), _TIMED_BATCHES * job.lanes)]
    places = np.split(np.arange(sum(map(len, timed))), np.cumsum([len(numbers) for numbers in timed])[:-1])
    tokens = batch.tokens.take(np.concatenate(timed))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            module.train()
            for parameter in parameters:
                parameter.grad = None  # gradients are added in place, and these are the caller's
            with job.compute_in():
                graph = graph_bytes(lambda: encoder.embed(largest), parameters)
            already = _memory_in_use(device)  # with what libraries take at the first pass
            step = partial(
                backward_step,
                lambda numbers: encoder.embed(tokens.take(numbers)),
                places,
                lambda embeddings: embeddings.sum(),
                parameters,
                autocast=job.compute_in,
                costs=[int(batch.tokens.lengths[numbers].sum()) for numbers in timed],
                lanes=job.lanes,
            )
            step()  # the first pass of a process is slow: it is not timed
            seconds = _timed(step, device)
            leaf = torch.randn(len(batch.tokens), encoder.dimension, device=device)
            leaf = torch.nn.functional.normalize(leaf, dim=1).requires_grad_()
            loss = job.loss(source, batch)
            loss_seconds = _timed(lambda: loss(leaf).backward(), device)  # type: ignore[no-untyped-call]
        finally:
            module.train(was_training)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
    return _Costs(seconds / len(tokens.values), loss_seconds, graph, already)


def _kept(job: ContrastiveJob[Encoder], graph: int, graphs: float) -> float:
    """How many of a step's graphs are kept."""
    keep = graphs if job.strategy.keep is None else min(float(job.strategy.keep), graphs)
    return keep if job.strategy.memory is None else max(1.0, min(keep, job.strategy.memory // max(graph, 1)))


def _timed(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _memory_in_use(device: torch.device) -> int:
    """Bytes: on an accelerator what is allocated there, on a CPU what the process holds."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    import psutil

    return int(psutil.Process().memory_info().rss)


def _spread(count: int, most: int) -> list[int]:
    """At most ``most`` numbers of ``range(count)``, evenly spread, the first and the last among them."""
    places = np.linspace(0, count - 1, min(count, most))
    return [int(place) for place in np.unique(places.round())]


def _texts(batch: StepBatch) -> int:
    return len(batch.tokens)


def _tokens(batch: StepBatch) -> int:
    return len(batch.tokens.values)


def _documents(tokenised: TokenisedSource) -> NDArray[np.int64]:
    return np.concatenate([tokenised.source.positives, tokenised.source.negatives])


def _cut(
    what: str, stores: Sequence[tuple[RaggedTokens, NDArray[np.int64]]], job: ContrastiveJob[Encoder], which: str
) -> Cut:
    """How many of these texts were cut, and where, if the setting ``which`` is the same for all."""
    most = job.encoder.max_length
    limits = {
        min(getattr(tokenised.source.settings, which) or getattr(job.settings, which) or most, most)
        for tokenised in job.sources
    }
    truncated = np.concatenate([tokens.truncated[numbers] for tokens, numbers in stores])
    return Cut.among(what, truncated, limits.pop() if len(limits) == 1 else None)
