"""What is looked at when a step has no finite loss or gradient: one small function a question, in a fixed order."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from cosmith.models import Trainable
from cosmith.training.health.history import TOO_FAST, History, Pace
from cosmith.training.health.tracing import Fault, FirstFault, naming_modules
from cosmith.training.health.watch import layer_groups
from cosmith.training.mixing import key_of
from cosmith.training.step import Job, StepWork, add_gradients

_FP16_LARGEST = 65504.0
_HUGE = 1e4  # weights of this size are of no trained model
_LOOKS = 3  # how many of the last looks tell how fast the weights moved before a step


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        question: What was asked.
        answer: What was found, with the evidence.
        sound: Whether that is as it should be; None: it could not be told.
        cause: Where it explains the fault: the most likely cause.
        remedy: What to change then.
        check: The name of the check that asked.
    """

    question: str
    answer: str
    sound: bool | None
    cause: str | None = None
    remedy: str | None = None
    check: str = ""


@dataclass(frozen=True)
class Case:
    """A step that went wrong; nothing of it has touched the weights.

    Attributes:
        job: The run.
        step: The step's number, from 0.
        base: The model that the run began with.
        optimizer: With its state.
        learning_rate: Of the step.
        history: What was written down of the steps before; empty where nothing was.
    """

    job: Job[Trainable]
    step: int
    base: Trainable
    optimizer: torch.optim.Optimizer
    learning_rate: float
    history: History = field(default_factory=lambda: History([], []))

    @property
    def work(self) -> StepWork:
        """What the step does."""
        return self.job.work(self.step)

    @cached_property
    def at_start(self) -> tuple[float, float]:
        """Loss and norm of the gradient of the step with the weights that the run began with."""
        with _moved(self, 0.0):
            return loss_and_norm(self.job, self.step)

    @cached_property
    def pace(self) -> Pace | None:
        """The fastest that training has changed a layer: by the last looks, or on average over all steps."""
        seen = self.history.fastest(_LOOKS)
        if seen is not None and seen.ratio > TOO_FAST:
            return seen
        mean = _mean_pace(self)
        return max((pace for pace in (seen, mean) if pace is not None), key=lambda pace: pace.ratio, default=None)


def raw_batch(case: Case) -> Finding:
    """Whether the rows themselves are sound: every text with tokens that the model knows, every score finite."""
    question = "Are the rows of the batch sound?"
    faults = case.work.problems()
    if not faults:
        return Finding(question, "Every text has tokens that the model knows, every score is a finite number.", True)
    return Finding(question, "; ".join(faults[:5]) + ".", False, cause=f"the data: {faults[0]}",
                   remedy="Mend or leave out that row, and look at others of its file.")  # fmt: skip


def repeat(case: Case) -> Finding:
    """Whether the same step goes wrong again."""
    question = "Does it happen again?"
    loss, norm = loss_and_norm(case.job, case.step)
    if math.isfinite(loss) and math.isfinite(norm):
        return Finding(
            question, f"No: this time the loss is {loss:.4g}, the norm of the gradient {norm:.4g}.", False,
            cause="something outside of the computation: memory, hardware, or code with random numbers of its own",
            remedy="Run again from the last checkpoint; if it comes back elsewhere each time, test the machine's "
            "memory.",
        )  # fmt: skip
    return Finding(question, f"Yes: loss {loss:.4g}, norm of the gradient {norm:.4g}.", True)


def forward(case: Case) -> Finding:
    """The first module and operation whose output is not finite, and the first text that is concerned."""
    question = "Which module first gives a number that is none?"
    work, job = case.work, case.job
    with _training(job), torch.no_grad():
        for number, batch in enumerate(work.batches):
            trace = FirstFault()
            torch.manual_seed(key_of(job.settings.seed, case.step, number))
            with job.compute_in(), naming_modules(job.module, trace), trace:
                embeddings = work.embed(batch)
            if trace.fault is None and bool(torch.isfinite(embeddings).all()):
                continue
            wrong = np.flatnonzero(~torch.isfinite(embeddings.float()).all(1).cpu().numpy())
            texts = [work.describe(int(batch[place])) for place in wrong[:3]]
            where = f"{len(wrong)} of {len(batch)} texts are concerned" + (f", e.g. {texts[0]}" if texts else "")
            return _of_forward(question, trace.fault, where, job.module)
    return Finding(question, "None: the embeddings of all texts are finite.", True)


def _of_forward(question: str, fault: Fault | None, where: str, module: torch.nn.Module) -> Finding:
    if fault is None:
        return Finding(question, f"The embeddings are not finite, but every operation seen was; {where}.", False)
    answer = f"There {fault.describe()}; {where}.".replace("There the", "The")
    spoilt = [
        name
        for name, value in (module.get_submodule(fault.module) if fault.module else module).named_parameters()
        if not bool(torch.isfinite(value).all())
    ]
    if spoilt:
        name = ".".join(part for part in (fault.module, spoilt[0]) if part)
        return Finding(question, f"{answer} Its weight `{name}` is not finite itself.", False,
                       cause=f"the weight `{name}` holds a number that is none",
                       remedy="Start again from the last checkpoint or from sound weights.")  # fmt: skip
    if fault.dtype == "float16" and fault.inputs_finite:
        return Finding(
            question, answer, False,
            cause=f"`{fault.operation}` in `{fault.module}` left the range of float16 (up to {_FP16_LARGEST:,.0f})",
            remedy='Compute in "bf16" or "float32".',
        )  # fmt: skip
    return Finding(question, answer, False, cause=f"the operation `{fault.operation}` in the module `{fault.module}`",
                   remedy="Look at what this module computes, and at the text named above.")  # fmt: skip


def loss_ingredients(case: Case) -> Finding:
    """Whether the loss of finite embeddings is finite, and if not, which of its operations is to blame."""
    question = "Is the loss of these embeddings finite?"
    work, job = case.work, case.job
    with _training(job), torch.no_grad():
        leaf = _embeddings(job, case.step, work)
        if not bool(torch.isfinite(leaf).all()):
            return Finding(question, "The embeddings are not, so it cannot be.", None)
        trace = FirstFault()
        with trace:
            value = float(work.loss(leaf))
    scale = f"embeddings up to {float(leaf.abs().max()):.3g}"
    if math.isfinite(value):
        return Finding(question, f"Yes: {value:.4g} ({scale}).", True)
    said = f"The loss is {value} of {scale}"
    if trace.fault is None:
        return Finding(question, f"{said}; no single operation could be named.", False, cause="the loss")
    return Finding(
        question, f"{said}: {trace.fault.describe()}.", False,
        cause=f"the loss: `{trace.fault.operation}` gave {trace.fault.made}",
        remedy="Keep what goes into it away from where it has no value (for a logarithm: add a small number, or use a "
        "stable form such as logsumexp or log_softmax); a higher temperature keeps scores small.",
    )  # fmt: skip


def backward(case: Case) -> Finding:
    """Which operation's derivative is not finite, by torch's anomaly detection."""
    question = "Which derivative is not finite?"
    loss = math.nan
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            with torch.autograd.detect_anomaly(check_nan=True):
                loss, norm = loss_and_norm(case.job, case.step)
        except RuntimeError as error:
            lines = [
                line
                for warning in told
                for line in str(warning.message).splitlines()
                if line.strip().startswith("File")
            ]
            place = f" It was made in {lines[-1]}." if lines else ""
            name = str(error).split("'")[1] if "'" in str(error) else "an operation"
            return Finding(question, f"{error}.{place}", False, cause=f"the derivative of `{name}`",
                           remedy="Keep its input away from where the derivative has no value.")  # fmt: skip
    if not math.isfinite(loss):
        return Finding(question, "None before the loss itself, which is not finite.", None)
    if math.isfinite(norm):
        return Finding(question, f"All are finite; the norm is {norm:.4g}.", True)
    return Finding(
        question, f"Each is a number, but their norm is {norm}: they are too large.", False,
        cause="gradients too large to add up", remedy="Lower the learning rate, or raise the temperature.",
    )  # fmt: skip


def ranges(case: Case) -> Finding:
    """Weights and optimizer state that are not finite, or larger than those of any trained model."""
    question = "Are weights and optimizer state of a usual size?"
    values = dict(case.job.module.named_parameters())
    names = {id(value): name for name, value in values.items()}
    spoilt = [f"the weight `{name}`" for name, value in values.items() if not bool(torch.isfinite(value).all())]
    for parameter, state in case.optimizer.state.items():
        spoilt += [
            f"the optimizer's `{key}` of `{names.get(id(parameter), '?')}`"
            for key, value in state.items()
            if isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(torch.isfinite(value).all())
        ]
    if spoilt:
        answer = f"{spoilt[0][:1].upper()}{spoilt[0][1:]} is not finite ({len(spoilt)} such in all)."
        began_with = dict(case.base.module.named_parameters()).values()
        if case.step and all(bool(torch.isfinite(value).all()) for value in began_with):
            return Finding(
                question, answer, False,
                cause=f"training itself: at a learning rate of {case.learning_rate:.3g} the weights have blown up "
                f"({spoilt[0]} holds a number that is none)",
                remedy=f"Try {case.learning_rate / 10:.1g}, and a longer warm-up.",
            )  # fmt: skip
        return Finding(question, answer, False,
                       cause=f"{spoilt[0]} holds a number that is none, from before this step",
                       remedy="Start again from the last checkpoint or from sound weights.")  # fmt: skip
    sizes = {name: float(value.detach().abs().max()) for name, value in values.items()}
    name, largest = max(sizes.items(), key=lambda each: each[1])
    size = f"the largest weight is {largest:.3g} (`{name}`)"
    pace = case.pace
    if pace is not None and pace.ratio > TOO_FAST:
        moved = f"a step changed the weights of {pace.layer} by {pace.amount}"
        if not all(map(math.isfinite, case.at_start)):
            return Finding(question, f"No: {moved}. But it fails with the weights that training began with, too.", None)
        rate = case.job.settings.learning_rate
        return Finding(
            question, f"No: {moved}, where a thousandth is usual; {size}. With those that it began with all is finite.",
            False, cause=f"the learning rate of {rate:.3g}, with which the weights have blown up: {moved}",
            remedy=f"Try {pace.sound_rate:.0e}, which changes them by about a thousandth a step.",
        )  # fmt: skip
    if largest > _HUGE:
        return Finding(question, f"No: {size}, more than in any trained model.", False,
                       cause=f"a weight of {largest:.3g} (`{name}`), more than in any trained model",
                       remedy="Start from sound weights.")  # fmt: skip
    changed = "" if pace is None else f", a step changes no layer by more than {pace.amount}"
    return Finding(question, f"Yes: all finite, {size}{changed}.", True)


def in_float32(case: Case) -> Finding:
    """Whether the step is finite when all is computed in float32."""
    question = "Is it finite in float32?"
    plain: Any = _changed(case.job, settings=replace(case.job.settings, precision="float32"))
    loss, norm = loss_and_norm(plain, case.step)
    if not (math.isfinite(loss) and math.isfinite(norm)):
        return Finding(question, f"No: loss {loss:.4g}, norm {norm:.4g}. Precision is not to blame.", True)
    if case.job.settings.precision == "float32":
        return Finding(question, f"Yes: loss {loss:.4g}.", None)
    return Finding(question, f"Yes: loss {loss:.4g}, norm {norm:.4g}.", False, cause="the lower precision",
                   remedy='Set precision to "float32".')  # fmt: skip


def with_smaller_changes(case: Case) -> Finding:
    """Whether the step is finite with a tenth of all changes since the base model: as after a tenth of the rate."""
    question = "Is it finite with a tenth of what training has changed so far?"
    if case.step == 0:
        return Finding(question, "Nothing has been changed yet.", None)
    with _moved(case, 0.1):
        loss, norm = loss_and_norm(case.job, case.step)
    answer, part = f"Yes: loss {loss:.4g}, norm {norm:.4g}.", 10
    if not (math.isfinite(loss) and math.isfinite(norm)):
        answer = f"No: loss {loss:.4g}, norm {norm:.4g}"
        loss, norm = case.at_start
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return Finding(
                question, f"{answer}; nor with nothing of it. The learning rate is not to blame alone.", True
            )
        answer, part = f"{answer}; but with nothing of it: loss {loss:.4g}, norm {norm:.4g}.", 100
    rate = case.learning_rate
    return Finding(
        question, answer, False,
        cause=f"weights that training has moved too far, at a learning rate of {rate:.3g}",
        remedy=f"Try {rate / part:.1g}, and a longer warm-up.",
    )  # fmt: skip


CHECKS: tuple[Callable[[Case], Finding], ...] = (
    raw_batch, repeat, forward, loss_ingredients, backward, ranges, in_float32, with_smaller_changes,
)  # fmt: skip
"""In the order in which they are made."""


def loss_and_norm(job: Job[Trainable], step: int) -> tuple[float, float]:
    """The loss of a step and the norm of its gradient; the parameters' gradients are dropped."""
    alone: Any = _changed(job, lanes=1)
    with _training(job):
        job.module.zero_grad(set_to_none=True)
        try:
            loss = add_gradients(alone, step).loss
            gradients = [p.grad for p in job.module.parameters() if p.grad is not None]
            norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        finally:
            job.module.zero_grad(set_to_none=True)
    return loss, norm


def _mean_pace(case: Case) -> Pace | None:
    """How far training has moved a layer since its start, by step: of the layer that it moved most.

    A layer counts as no smaller than the whole (root mean square of its numbers), so that one that began with zeros
    does not stand out.
    """
    if case.step == 0:
        return None
    base = dict(case.base.module.named_parameters())
    names = {id(value): name for name, value in case.job.encoder.module.named_parameters()}
    moved, sizes, counts = {}, {}, {}
    for layer, values in layer_groups(case.job.encoder.module).items():
        pairs = [(value.detach(), base[names[id(value)]].detach().to(value)) for value in values]
        moved[layer] = math.hypot(*(float((value - start).norm()) for value, start in pairs))
        sizes[layer] = math.hypot(*(float(start.norm()) for _, start in pairs))
        counts[layer] = sum(value.numel() for value, _ in pairs)
    usual = math.hypot(*sizes.values()) / math.sqrt(max(sum(counts.values()), 1))
    ratios = {
        layer: moved[layer] / size
        for layer in moved
        if (size := max(sizes[layer], usual * math.sqrt(counts[layer]))) > 0 and math.isfinite(moved[layer])
    }
    if not ratios:
        return None
    layer = max(ratios, key=lambda each: ratios[each])
    rate = case.history.mean("learning_rate") or case.learning_rate
    return Pace(ratios[layer] / case.step, layer, case.step, rate)


@contextmanager
def _moved(case: Case, share: float) -> Iterator[None]:
    """Inside the block the weights have moved only so far from where the run began."""
    own, base = case.job.encoder.module.state_dict(), case.base.module.state_dict()
    kept = {name: value.clone() for name, value in own.items()}
    try:
        with torch.no_grad():
            for name, value in own.items():
                if value.is_floating_point():
                    start = base[name].to(value)
                    value.copy_(torch.lerp(start, value, share) if share else start)
        yield
    finally:
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(kept[name])


def _changed(job: Any, **changes: Any) -> Any:
    """The job with other values of these fields, which may be those of the run that it is a variant of."""
    own = {field.name for field in fields(job)}
    if changes.keys() <= own:
        return replace(job, **changes)
    return replace(job, run=_changed(job.run, **changes))


def _embeddings(job: Job[Trainable], step: int, work: StepWork) -> torch.Tensor:
    """All embeddings of a step, [U, D], without a graph."""
    parts = []
    for number, batch in enumerate(work.batches):
        torch.manual_seed(key_of(job.settings.seed, step, number))
        with job.compute_in():
            parts.append(work.embed(batch).float())
    everyone = torch.cat(parts)
    order = torch.as_tensor(np.concatenate(list(work.batches)), device=everyone.device)
    return torch.empty_like(everyone).index_copy_(0, order, everyone)


@contextmanager
def _training(job: Job[Trainable]) -> Iterator[None]:
    """The module in training mode, as in the step."""
    was = job.module.training
    job.module.train()
    try:
        yield
    finally:
        job.module.train(was)
