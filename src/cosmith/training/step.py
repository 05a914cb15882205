"""One step of any run: from what it works on to gradients in the parameters.

Kinds of training differ in what a step embeds and in the loss over it, and in nothing else: a :class:`Job` says the
two for every step number, and the loop does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import torch

from cosmith.models import Trainable, micro_batches
from cosmith.models.dropout import draws_in_threads
from cosmith.training.distributed import ALONE, Ranks
from cosmith.training.encoding import Batch, Strategy, backward_step
from cosmith.training.memory import available_memory
from cosmith.training.mixing import key_of
from cosmith.training.settings import TrainingSettings

if TYPE_CHECKING:
    from cosmith.training.health.probe import ProbeText

# Tokens embedded at once. On a CPU, 1,024 to 16,384 are equally fast (measured with a 22 M model in bf16), so it is
# few, for the memory of a graph; an accelerator wants more.
CPU_MICRO_BATCH, ACCELERATOR_MICRO_BATCH = 2_048, 16_384
_GRAPH_SHARE = 0.5  # of the free memory; the rest is for the loss, Adam's two moments and the others on the machine


Model = TypeVar("Model", bound=Trainable, covariant=True)

Figures = Mapping[str, float | list[int]]
"""Numbers and histograms by name."""


@dataclass(frozen=True)
class StepWork:
    """What a step does.

    Attributes:
        source: The name of what its rows come from.
        epoch: How often each row has been taken when the step is done, on average.
        rows, tokens: How many the step has.
        embed: One micro-batch of numbers [n] → embeddings [n, D], with the graph that the ambient grad mode asks for.
        batches: The micro-batches, which together hold every number of ``range(U)`` once, the largest first.
        costs: What each of them costs, in tokens.
        loss: The embeddings of all, [U, D] → a scalar (with several ranks, this rank's part of it).
        describe: A number of ``range(U)`` → what it is, for people.
        problems: What is wrong with the rows themselves, a clause each; looked at when a step fails.
        look: The embeddings of all, [U, D] → figures on them, by name; looked at now and then.
    """

    source: str
    epoch: float
    rows: int
    tokens: int
    embed: Callable[[Batch], torch.Tensor]
    batches: Sequence[Batch]
    costs: Sequence[int]
    loss: Callable[[torch.Tensor], torch.Tensor]
    describe: Callable[[int], str]
    problems: Callable[[], list[str]]
    look: Callable[[torch.Tensor], Figures] = lambda embeddings: {}


class Job(Protocol[Model]):
    """A run that is ready to go: everything that a step needs besides its number."""

    @property
    def encoder(self) -> Model:
        """The model: what is scored on the way and handed back in the end."""

    @property
    def module(self) -> torch.nn.Module:
        """All that is trained: the encoder's module, and what the objective has besides."""

    @property
    def device(self) -> torch.device:
        """Where."""

    @property
    def probe(self) -> Sequence[ProbeText]:
        """Texts whose movement is followed; none where the job has no use for it."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is known before the first step and may explain what comes of it, as JSON values."""

    @property
    def settings(self) -> TrainingSettings:
        """What the user decided."""

    @property
    def steps(self) -> int:
        """How many steps."""

    @property
    def strategy(self) -> Strategy:
        """How many graphs are kept."""

    @property
    def lanes(self) -> int:
        """Threads that share the micro-batches of a step."""

    def compute_in(self) -> AbstractContextManager[object]:
        """The context of the run's precision."""

    def work(self, step: int, ranks: Ranks = ALONE) -> StepWork:
        """What step number ``step`` (from 0) does: a pure function, the same on every rank but for ``loss``."""


@dataclass(frozen=True)
class StepCount:
    """What a step was: its source's name, the epoch at its end, its loss, how many rows and tokens it had, and
    figures on its embeddings if they were looked at."""

    source: str
    epoch: float
    loss: float
    rows: int
    tokens: int
    figures: Figures


def add_gradients(job: Job[Trainable], step: int, ranks: Ranks = ALONE, *, look: bool = False) -> StepCount:
    """Add the gradient of a step (counted from 0) to the parameters.

    A pure function of weights, seed and step, but for rounding; the state of torch's generators does not matter and
    is not kept. With ``look`` the step's embeddings are looked at, which changes nothing.
    """
    work = job.work(step, ranks)
    figures: dict[str, float | list[int]] = {}

    def loss_of(embeddings: torch.Tensor) -> torch.Tensor:
        if look:
            figures.update(work.look(embeddings.detach()))
        return work.loss(embeddings)

    loss = backward_step(
        work.embed,
        work.batches,
        loss_of,
        job.module.parameters(),
        strategy=job.strategy,
        seed=key_of(job.settings.seed, step),
        autocast=job.compute_in,
        ranks=ranks,
        costs=work.costs,
        lanes=1 if ranks.sharded else job.lanes,  # threads would take turns through a layer in an order nobody knows
    )
    return StepCount(work.source, work.epoch, loss, work.rows, work.tokens, figures)


def shared_micro_batches(lengths: np.ndarray, budget: int | None, encoder: Trainable, workers: int) -> list[Batch]:
    """A step's texts in micro-batches, longest first: as many for one worker (a lane of a rank) as for another, if
    there are texts enough, and the same ones for one, two and four workers.

    Dropout draws by micro-batch. Another number of workers makes others, so there the masks differ, and nothing else.

    Args:
        lengths: Tokens of each text, [U].
        budget: The most tokens embedded at once; None: by device.
        encoder: What embeds them.
        workers: How many share them.
    """
    if budget is None and encoder.is_static:  # its graphs take no memory, and each costs a gradient of the whole table
        return micro_batches(lengths, max(1, -(-int(lengths.sum()) // workers)))
    if budget is None:
        budget = CPU_MICRO_BATCH if encoder.device.type == "cpu" else ACCELERATOR_MICRO_BATCH
    tokens, multiple = int(lengths.sum()), workers if 4 % workers else 4
    count = multiple * -(-tokens // (multiple * budget))
    return micro_batches(lengths, -(-tokens // count), padded=not encoder.variable_length)


def lanes_of(encoder: Trainable) -> int:
    """How many threads can train the encoder at once, each on micro-batches of its own.

    On a CPU as many as torch may use, where all that draws random numbers in training can do so in several threads;
    else one, which leaves the cores to torch's operations.
    """
    in_threads = encoder.device.type == "cpu" and encoder.variable_length and draws_in_threads(encoder.module)
    return torch.get_num_threads() if in_threads else 1


def strategy_of(settings: TrainingSettings, device: torch.device) -> Strategy:
    """How many graphs the settings let a step keep."""
    if settings.strategy == "direct":
        return Strategy()
    if settings.strategy == "cached":
        return Strategy(keep=0)
    if settings.strategy == "keep-last-k":
        return Strategy(keep=settings.keep)
    if settings.sharding == "full":  # ranks must replay alike, whatever memory each has left
        return Strategy(keep=0)
    return Strategy(memory=settings.graph_memory or int(available_memory(device) * _GRAPH_SHARE))
