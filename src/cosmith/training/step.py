"""One step of a run: from its number to gradients in the parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.losses import ContrastiveSpec
from cosmith.models import Encoder, micro_batches
from cosmith.models.dropout import draws_in_threads
from cosmith.training.batch import StepBatch, TokenisedSource, assemble, tokenise
from cosmith.training.distributed import ALONE, Ranks
from cosmith.training.encoding import Batch, Strategy, backward_step
from cosmith.training.memory import available_memory
from cosmith.training.mixing import key_of
from cosmith.training.objective import spec_of, step_loss
from cosmith.training.plan import Plan
from cosmith.training.settings import TrainingSettings

# Tokens embedded at once. On a CPU, 1,024 to 16,384 are equally fast (measured with a 22 M model in bf16), so it is
# few, for the memory of a graph; an accelerator wants more.
CPU_MICRO_BATCH, ACCELERATOR_MICRO_BATCH = 2_048, 16_384
_GRAPH_SHARE = 0.5  # of the free memory; the rest is for the loss, Adam's two moments and the others on the machine


@dataclass(frozen=True)
class Job:
    """A run that is ready to go: everything that a step needs besides its number.

    Attributes:
        encoder: What is trained.
        sources: The Sources with their tokens.
        specs: The loss of each Source.
        plan: Which rows each step takes.
        steps: How many steps.
        settings: What the user decided.
        strategy: How many graphs are kept.
        lanes: Threads that share the micro-batches of a step, see :func:`lanes_of`.
    """

    encoder: Encoder
    sources: tuple[TokenisedSource, ...]
    specs: tuple[ContrastiveSpec, ...]
    plan: Plan
    steps: int
    settings: TrainingSettings
    strategy: Strategy
    lanes: int = 1

    def batch(self, step: int) -> tuple[int, StepBatch]:
        """The number of the step's Source, and what the step works on."""
        taken = self.plan.at(step)
        return taken.source, assemble(self.sources[taken.source], taken.rows)

    def micro_batches(self, batch: StepBatch, ranks: Ranks = ALONE) -> list[Batch]:
        """The step's texts in micro-batches, longest first: as many for one worker (a lane of a rank) as for another,
        if there are texts enough, and the same ones for one, two and four workers (dropout draws by micro-batch)."""
        budget = self.settings.micro_batch_tokens
        if budget is None:
            budget = CPU_MICRO_BATCH if self.encoder.device.type == "cpu" else ACCELERATOR_MICRO_BATCH
        tokens, workers = len(batch.tokens.values), ranks.world * self.lanes
        multiple = workers if 4 % workers else 4
        count = multiple * -(-tokens // (multiple * budget))
        return micro_batches(batch.tokens.lengths, -(-tokens // count))

    def compute_in(self) -> AbstractContextManager[object]:
        """The context of the run's precision."""
        return self.encoder.compute_in(self.settings.precision, remember=False)

    def loss(self, source: int, batch: StepBatch, ranks: Ranks = ALONE) -> Callable[[torch.Tensor], torch.Tensor]:
        """This rank's part of the step's loss as a function of the embeddings [U, D]."""
        return step_loss(
            batch.structure.to(self.encoder.device),
            self.specs[source],
            dimension=self.encoder.dimension,
            dims=self.settings.dims,
            dim_weights=self.settings.dim_weights,
            rows=ranks.rows(batch.rows) if ranks.world > 1 else None,
        )


@dataclass(frozen=True)
class StepCount:
    """What a step was: its Source's number, its loss, how many rows and tokens it had."""

    source: int
    loss: float
    rows: int
    tokens: int


def prepare(encoder: Encoder, sources: Sequence[Source], settings: TrainingSettings, folder: Path | None = None) -> Job:
    """Check that encoder, Sources and settings fit each other, and tokenise.

    Args:
        encoder: What is to be trained.
        sources: The rows.
        settings: How to train.
        folder: Where the tokens of Sources that have no folder of their own are kept; None: memory.

    Raises:
        InputError: When there is no Source, two have one name, one has rows that cannot be trained on, or a nested
            dimension is larger than the model's.
    """
    if not sources:
        raise InputError("no Source to train on", field="sources", remedy="Give at least one.")
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise InputError(f"two Sources have one name: {', '.join(sorted(names))}", field="sources",
                         remedy="Give each its own.")  # fmt: skip
    for dim in settings.dims:
        if dim >= encoder.dimension:
            raise InputError(f"{dim} is not smaller than the model's {encoder.dimension} dimensions", field="dims",
                             remedy="Name the smaller ones only; the full size is always trained.")  # fmt: skip
    batch_sizes = [source.settings.batch_size or settings.batch_size for source in sources]
    plan = Plan(
        tuple(len(source) for source in sources),
        tuple(batch_sizes),
        settings.seed,
        settings.mixing,
        tuple(source.settings.weight for source in sources),
        settings.alpha,
    )
    specs = tuple(spec_of(source, settings, size) for source, size in zip(sources, batch_sizes, strict=True))
    tokenised = tuple(
        tokenise(
            encoder,
            source,
            max_query_length=settings.max_query_length,
            max_document_length=settings.max_document_length,
            folder=source.folder or (folder and folder / "sources" / source.fingerprint()),
        )
        for source in sources
    )
    steps = settings.steps or plan.steps(1.0 if settings.epochs is None else settings.epochs)
    return Job(encoder, tokenised, specs, plan, steps, settings, _strategy(settings, encoder.device), lanes_of(encoder))


def add_gradients(job: Job, step: int, ranks: Ranks = ALONE) -> StepCount:
    """Add the gradient of a step (counted from 0) to the parameters.

    A pure function of weights, seed and step, but for rounding; the state of torch's generators does not matter and
    is not kept.
    """
    source, batch = job.batch(step)
    batches = job.micro_batches(batch, ranks)
    loss = backward_step(
        lambda numbers: job.encoder.embed(batch.tokens.take(numbers)),
        batches,
        job.loss(source, batch, ranks),
        (parameter for parameter in job.encoder.module.parameters() if parameter.requires_grad),
        strategy=job.strategy,
        seed=key_of(job.settings.seed, step),
        autocast=job.compute_in,
        ranks=ranks,
        costs=[int(batch.tokens.lengths[numbers].sum()) for numbers in batches],
        lanes=job.lanes,
    )
    return StepCount(source, loss, batch.rows, len(batch.tokens.values))


def lanes_of(encoder: Encoder) -> int:
    """How many threads can train the encoder at once, each on micro-batches of its own.

    On a CPU as many as torch may use, where all that draws random numbers in training can do so in several threads;
    else one, which leaves the cores to torch's operations.
    """
    in_threads = encoder.device.type == "cpu" and encoder.variable_length and draws_in_threads(encoder.module)
    return torch.get_num_threads() if in_threads else 1


def _strategy(settings: TrainingSettings, device: torch.device) -> Strategy:
    if settings.strategy == "direct":
        return Strategy()
    if settings.strategy == "cached":
        return Strategy(keep=0)
    if settings.strategy == "keep-last-k":
        return Strategy(keep=settings.keep)
    return Strategy(memory=settings.graph_memory or int(available_memory(device) * _GRAPH_SHARE))
