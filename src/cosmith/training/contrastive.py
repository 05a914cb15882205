"""The contrastive run: rows of texts, embedded once each, and a loss over the embeddings of the whole step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.losses import ContrastiveSpec, CustomSpec, EmbeddingMseSpec, LossSpec, loss_name
from cosmith.models import Embedder, Encoder
from cosmith.models.dropout import drops
from cosmith.training.batch import StepBatch, TokenisedSource, assemble, tokenise
from cosmith.training.batch_report import batch_problems, describe_text
from cosmith.training.distributed import ALONE, Ranks, start_ranks
from cosmith.training.encoding import Batch, Strategy
from cosmith.training.health.probe import ProbeText, probe_texts
from cosmith.training.health.watch import look_at_embeddings
from cosmith.training.loop import run_job
from cosmith.training.objective import spec_of, step_loss
from cosmith.training.plan import Plan
from cosmith.training.remining import MinedRows, Remining
from cosmith.training.result import TrainingResult
from cosmith.training.rows import plan_of, steps_of
from cosmith.training.run import Dev
from cosmith.training.settings import TrainingSettings
from cosmith.training.step import StepWork, lanes_of, shared_micro_batches, strategy_of
from cosmith.training.teaching import teach, turned
from cosmith.training.tuning import trainable

Model = TypeVar("Model", bound=Embedder)


@dataclass(frozen=True)
class ContrastiveJob(Generic[Model]):
    """A run that is ready to go: everything that a step needs besides its number.

    Attributes:
        encoder: What is trained.
        sources: The Sources with their tokens.
        specs: The loss of each Source.
        plan: Which rows each step takes.
        steps: How many steps.
        settings: What the user decided.
        strategy: How many graphs are kept.
        lanes: Threads that share the micro-batches of a step, see :func:`~cosmith.training.step.lanes_of`.
        mined: The Sources as they are mined along the way; None: they stay what they are.
    """

    encoder: Model
    sources: tuple[TokenisedSource, ...]
    specs: tuple[LossSpec, ...]
    plan: Plan
    steps: int
    settings: TrainingSettings
    strategy: Strategy
    lanes: int = 1
    mined: MinedRows | None = None

    def rows_of(self, source: int) -> TokenisedSource:
        """A Source as the next step has it."""
        return (self.sources if self.mined is None else self.mined.current)[source]

    def batch(self, step: int) -> tuple[int, StepBatch]:
        """The number of the step's Source, and what the step works on."""
        taken = self.plan.at(step)
        return taken.source, assemble(self.rows_of(taken.source), taken.rows)

    def micro_batches(self, batch: StepBatch, ranks: Ranks = ALONE) -> list[Batch]:
        """The step's texts in micro-batches."""
        budget = self.settings.micro_batch_tokens
        return shared_micro_batches(batch.tokens.lengths, budget, self.encoder, ranks.world * self.lanes)

    def compute_in(self) -> AbstractContextManager[object]:
        """The context of the run's precision."""
        return self.encoder.compute_in(self.settings.precision, remember=False)

    @property
    def module(self) -> torch.nn.Module:
        """What is trained."""
        return self.encoder.module

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is known before the first step and may explain what comes of it, as JSON values."""
        temperatures = {spec.temperature for spec in self.specs if isinstance(spec, ContrastiveSpec)}
        return {
            "temperature": temperatures.pop() if len(temperatures) == 1 else None,
            "prompts": dict(self.encoder.prompts),
            "sources": [
                {
                    "name": each.source.name,
                    "rows": len(each.source),
                    "task": each.source.settings.task,
                    "instruction": each.source.settings.instruction,
                    "prompts": [each.source.settings.query_prompt, each.source.settings.document_prompt],
                }
                for each in self.sources
            ],
        }

    @property
    def probe(self) -> Sequence[ProbeText]:
        """Texts whose movement is followed."""
        return probe_texts([each.source for each in self.sources])

    @property
    def device(self) -> torch.device:
        """Where."""
        return self.encoder.device

    def work(self, step: int, ranks: Ranks = ALONE) -> StepWork:
        """What step number ``step`` does."""
        number, batch = self.batch(step)
        source, rows = self.rows_of(number).source, self.plan.at(step).rows
        batches = self.micro_batches(batch, ranks)
        structure = batch.structure.to(self.device)
        return StepWork(
            source=source.name,
            epoch=self.plan.epoch(step + 1),
            rows=batch.rows,
            tokens=len(batch.tokens.values),
            embed=lambda numbers: self.encoder.embed(batch.tokens.take(numbers)),
            batches=batches,
            costs=[int(batch.tokens.lengths[numbers].sum()) for numbers in batches],
            loss=self.loss(number, batch, ranks),
            describe=partial(describe_text, source, rows, batch),
            problems=lambda: batch_problems(source, rows, batch, len(self.encoder.tokenizer.tokenizer)),
            look=partial(look_at_embeddings, structure=structure, spec=self.specs[number]),
        )

    def loss(self, source: int, batch: StepBatch, ranks: Ranks = ALONE) -> Callable[[torch.Tensor], torch.Tensor]:
        """This rank's part of the step's loss as a function of the embeddings [U, D]."""
        return step_loss(
            batch.structure.to(self.encoder.device),
            self.specs[source],
            dimension=self.encoder.dimension,
            dims=self.settings.dims,
            dim_weights=self.settings.dim_weights,
            quantise=self.settings.quantise,
            spread=self.settings.spread_out,
            rows=ranks.rows(batch.rows) if ranks.world > 1 else None,
        )


def train(
    encoder: Encoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    folder: str | Path | None = None,
    dev: Dev | None = None,
    general: Dev | None = None,
    teacher: Encoder | None = None,
    remine: Remining | None = None,
) -> Encoder:
    """Fine-tune an encoder; :func:`train_with_result` without the story.

    Example::

        tuned = train(Encoder.load("all-MiniLM-L6-v2"), [source], TrainingSettings(epochs=1), folder="runs/first")
    """
    return train_with_result(
        encoder, sources, settings, folder=folder, dev=dev, general=general, teacher=teacher, remine=remine
    ).encoder


def train_with_result(
    encoder: Encoder,
    sources: Sequence[Source],
    settings: TrainingSettings | None = None,
    *,
    folder: str | Path | None = None,
    dev: Dev | None = None,
    general: Dev | None = None,
    teacher: Encoder | None = None,
    remine: Remining | None = None,
) -> TrainingResult[Encoder]:
    """Fine-tune an encoder and tell what came of it.

    Args:
        encoder: Where to start; it is left as it is.
        sources: The rows. Each step takes its rows from one of them.
        settings: How to train.
        folder: Where checkpoints and metrics go. If it holds a checkpoint of the same run, training goes on there
            and ends with the weights of an undisturbed run. None: nothing is written.
        dev: The score of an encoder on a development set, higher is better. Called before the first step, along the
            way and at the end; by its scores the best weights are chosen.
        general: The score on what shall not be forgotten, written down beside ``dev``'s; it chooses nothing.
        teacher: The model whose vectors ``gist`` is guided by and ``embedding-mse`` and ``follow-query`` follow; it
            encodes each text once, before the first step.
        remine: Mine negatives anew every so many epochs, with the model as it then is; needs a folder, and no teacher.

    Returns:
        The new encoder in evaluation mode, and how it came to be.

    Raises:
        InputError: When settings and sources do not fit, or the folder holds another run.
        Interrupted: On Ctrl-C or termination, after a checkpoint was written.
        CosmithError: When the loss, the gradient or a score is not a finite number.
    """
    settings = settings or TrainingSettings()
    place = None if folder is None else Path(folder)
    ranks, device = start_ranks(encoder.device)
    tuned = trainable(encoder.copy().to(device), settings)
    job = prepare(tuned, sources, settings, place, teacher, remine)
    identity = {
        "settings": settings.identity(),
        # by place: the plan draws by the number of a source, so another order is another run
        "sources": {f"{place}. {source.name}": source.fingerprint() for place, source in enumerate(sources, start=1)},
        "model": encoder.fingerprint(),
    } | ({} if teacher is None else {"teacher": teacher.fingerprint()})
    if remine is not None:
        identity["remine"] = {"every_epochs": remine.every_epochs, **remine.identity}
    ranks.check_same("model, sources and settings", repr(identity), device)
    return run_job(job, encoder, identity, ranks=ranks, folder=place, dev=dev, general=general, mined=job.mined)


def prepare(
    encoder: Model,
    sources: Sequence[Source],
    settings: TrainingSettings,
    folder: Path | None = None,
    teacher: Encoder | None = None,
    remine: Remining | None = None,
) -> ContrastiveJob[Model]:
    """Check that encoder, Sources and settings fit each other, and tokenise.

    Args:
        encoder: What is to be trained.
        sources: The rows.
        settings: How to train.
        folder: Where the tokens of Sources that have no folder of their own are kept; None: memory.
        teacher: The model whose vectors some losses ask for.
        remine: How negatives are mined anew along the way.

    Raises:
        InputError: When there is no Source, two have one name, one has rows that its loss cannot be trained on, a
            nested dimension is larger than the model's, texts are to be embedded twice without dropout, or a run with
            a folder could not know its own loss again.
    """
    require_nested(settings.dims, encoder.dimension)
    plan = plan_of(sources, settings)
    specs = tuple(
        spec_of(source, settings, size, teacher=teacher is not None)
        for source, size in zip(sources, plan.batch_sizes, strict=True)
    )
    for spec in specs:
        if isinstance(spec, CustomSpec) and folder is not None:
            spec.require_known()
    if settings.temperature is not None and not any(hasattr(spec, "temperature") for spec in specs):
        raise InputError(f"the loss {loss_name(specs[0])!r} has no temperature", field="temperature",
                         remedy="Leave it out, or take a loss that has one.")  # fmt: skip
    places = [source.folder or (folder and folder / "sources" / source.fingerprint()) for source in sources]
    read = partial(
        tokenise,
        encoder,
        max_query_length=settings.max_query_length,
        max_document_length=settings.max_document_length,
    )
    tokenised = [read(source, folder=place) for source, place in zip(sources, places, strict=True)]
    for number, spec in enumerate(specs):
        if isinstance(spec, ContrastiveSpec) and spec.embed_twice:
            tokenised[number] = replace(tokenised[number], embed_twice=True)
    if any(each.embed_twice for each in tokenised) and not drops(encoder.module):
        raise InputError("this model has no dropout, so a text embedded twice gives the same vector", field="loss",
                         remedy="Take one with dropout, e.g. of BERT's family, or another loss.")  # fmt: skip
    if teacher is not None:
        _teach(teacher, tokenised, specs, places, encoder.dimension, nested=bool(settings.dims))
    steps, strategy = steps_of(plan, settings), strategy_of(settings, encoder.device)
    mined = None
    if remine is not None:
        if folder is None or teacher is not None:
            problem, remedy = (
                ("needs a folder", "Give one: what is mined is written there.") if folder is None
                else ("goes with no teacher", "Leave one of them out: a teacher reads all texts before the first step.")
            )  # fmt: skip
            raise InputError(f"mining along the way {problem}", field="remine", remedy=remedy)
        mined = MinedRows(tokenised, plan.steps(remine.every_epochs), folder, remine, read)
    return ContrastiveJob(encoder, tuple(tokenised), specs, plan, steps, settings, strategy, lanes_of(encoder), mined)


def require_nested(dims: Sequence[int], dimension: int) -> None:
    """Refuse nested dimensions that are not smaller than the whole.

    Raises:
        InputError: One is not.
    """
    for dim in dims:
        if dim >= dimension:
            raise InputError(f"{dim} is not smaller than the model's {dimension} dimensions", field="dims",
                             remedy="Name the smaller ones only; the full size is always trained.")  # fmt: skip


def _teach(
    teacher: Encoder,
    tokenised: list[TokenisedSource],
    specs: Sequence[LossSpec],
    places: Sequence[Path | None],
    dimension: int,
    *,
    nested: bool,
) -> None:
    """Give the Sources whose loss asks for them the teacher's vectors, in place."""
    taught = {
        number: teach(teacher, tokenised[number].source, places[number])
        for number, spec in enumerate(specs)
        if "teacher" in spec.needs
    }
    followed = [number for number in taught if isinstance(specs[number], EmbeddingMseSpec)]
    if followed:
        taught |= zip(followed, turned([taught[each] for each in followed], dimension, nested), strict=True)
    for number, vectors in taught.items():
        tokenised[number] = replace(tokenised[number], teacher=vectors)
