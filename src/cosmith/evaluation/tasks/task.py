"""What every kind of task is: data under a name, and one verb that takes an encoder and gives scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.breakdown import Breakdown
from cosmith.evaluation.resampling import bootstrap_statistic
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.significance import Interval, bootstrap_intervals, interval_of
from cosmith.evaluation.tasks.kind import Kind
from cosmith.models.similarity import encode_compared, encode_unscaled
from cosmith.phrases import one_line
from cosmith.retrieval.makers import model_name

if TYPE_CHECKING:
    from cosmith.data.rows import Rejected
    from cosmith.models import PairScorer, TextEncoder

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TaskTexts:
    """Texts that a task encodes alike.

    Attributes:
        what: What they are, in the plural.
        texts: The texts.
        prompt: The name of their prompt.
    """

    what: str
    texts: Sequence[str]
    prompt: str | None


class EvaluationTask(Protocol):
    """Data of one kind, and how an encoder is scored on it."""

    @property
    def name(self) -> str:
        """What the test set is called."""

    @property
    def kind(self) -> Kind:
        """What is asked of the encoder."""

    @property
    def main(self) -> str:
        """The metric that counts."""

    @property
    def instruction(self) -> str:
        """What is told to models that take instructions."""

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The records of its files that cannot be used."""

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""

    def evaluate(
        self,
        encoder: TextEncoder,
        *,
        dim: int | None = None,
        seed: int = 0,
        resamples: int = 10_000,
        model: str | None = None,
    ) -> Scores:
        """Score an encoder.

        Args:
            encoder: Makes the vectors.
            dim: Compare only this many numbers of each vector.
            seed: For the intervals.
            resamples: For the intervals; 0 leaves them out.
            model: What to call the encoder; by default its own name.

        Raises:
            InputError: When the data cannot be scored, or a vector holds what is not finite.
        """


class DataOfTask(Protocol):
    """What the data of every kind of task say of themselves."""

    @property
    def instruction(self) -> str:
        """What is told to models that take instructions."""

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The records that cannot be used."""


class OfData:
    """What a task has from its data.

    Attributes:
        data: The data.
    """

    data: DataOfTask

    @property
    def instruction(self) -> str:
        """What is told to models that take instructions."""
        return self.data.instruction

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The records that cannot be used."""
        return self.data.rejected


def symmetric_prompt(instruction: str) -> str | None:
    """The prompt of texts that are all alike: with an instruction that of queries, as in training; else none, as MTEB
    has it."""
    return "query" if instruction else None


def encode_texts(
    encoder: TextEncoder, texts: TaskTexts, *, instruction: str = "", dim: int | None = None
) -> npt.NDArray[np.float32]:
    """Encode texts as unit rows ``[texts, dim]``, for what compares by cosine whatever the model.

    Raises:
        InputError: When a vector holds what is not finite.
    """
    return _encoded(encoder.encode, encoder, texts, instruction, dim)


def encode_unscaled_texts(
    encoder: TextEncoder, texts: TaskTexts, *, instruction: str = "", dim: int | None = None
) -> npt.NDArray[np.float32]:
    """As :func:`encode_texts`, for what works on the numbers of vectors: as the model's modules leave them."""
    return _encoded(partial(encode_unscaled, encoder), encoder, texts, instruction, dim)


def encode_compared_texts(
    encoder: TextEncoder, texts: TaskTexts, *, instruction: str = "", dim: int | None = None
) -> npt.NDArray[np.float32]:
    """As :func:`encode_texts`, for what compares by the model's own similarity: unit rows where that is the cosine,
    else as its modules leave them."""
    return _encoded(partial(encode_compared, encoder), encoder, texts, instruction, dim)


def _encoded(
    encode: Callable[..., npt.NDArray[np.float32]],
    encoder: TextEncoder,
    texts: TaskTexts,
    instruction: str,
    dim: int | None,
) -> npt.NDArray[np.float32]:
    vectors = encode(
        texts.texts, prompt=texts.prompt, instruction=instruction, dim=dim, show_progress=f"Encoding {texts.what}"
    )
    return comparable(vectors, texts.texts, encoder, texts.what)


def comparable(
    vectors: npt.NDArray[np.floating], texts: Sequence[str], encoder: object, what: str = "texts"
) -> npt.NDArray[np.float32]:
    """Vectors ``[texts, dim]`` as float32, when all can be compared.

    Args:
        vectors: Of the texts.
        texts: What they are of.
        encoder: Made them.
        what: What the texts are, in the plural.

    Raises:
        InputError: When one holds what is not finite, or what is so large that an inner product may not be.
    """
    most = np.sqrt(np.finfo(np.float32).max / max(1, vectors.shape[1]))
    for good, problem in (
        (np.isfinite(vectors).all(axis=1), "that are not finite"),
        ((np.abs(vectors) < most).all(axis=1), "too large to compare in float32"),
    ):
        if not good.all():
            text = one_line(texts[int(good.argmin())], 60)
            raise InputError(
                f"{model_name(encoder)} gives vectors {problem} for {int((~good).sum()):,} of {len(good):,} {what},"
                f" e.g. {text!r}",
                field="encoder",
                remedy="Load it in float32; if that does not help, its weights are damaged.",
            )
    return np.asarray(vectors, dtype=np.float32)


def scores_from(
    task: EvaluationTask,
    encoder: TextEncoder | PairScorer | None,
    *,
    values: Mapping[str, float],
    per_item: Mapping[str, Floats],
    item_ids: Sequence[str],
    unit: str,
    seed: int,
    resamples: int,
    model: str | None,
    breakdown: Breakdown | None = None,
    sets: Sequence[int] = (),
    statistics: Mapping[str, Callable[[Floats], Floats]] | None = None,
    resampled: Mapping[str, Floats] | None = None,
    total: int | None = None,
) -> Scores:
    """Scores with intervals for all metrics that are the mean of what each item adds.

    Args:
        task: What was evaluated.
        encoder: Names the model where ``model`` does not; None where it does.
        values: Metric → value; those of ``per_item`` need not be among them.
        per_item: Metric → what each item adds ``[items]``, in the order in which reports show them.
        item_ids: The items.
        unit: What they are called, in the plural.
        seed, resamples, model: As :meth:`EvaluationTask.evaluate` has them.
        breakdown: The parts of the value.
        sets: How many of the items belong to each set, see :class:`~cosmith.evaluation.Scores`.
        statistics: Of metrics that are no means of items, what gives them from how often each item was drawn, see
            :func:`~cosmith.evaluation.bootstrap_statistic`: what an item adds to a correlation is an approximation,
            and its resampled mean may leave the correlation's range.
        resampled: Of metrics of several sets, their values over resamples, where they are known already.
        total: How many items there are, with those that the model knows nothing of.

    Where there is one item, or a set has one, there is no interval: one item says nothing of how items differ.
    """
    means = {metric: float(added.mean()) if len(added) else 0.0 for metric, added in per_item.items()}
    intervals: dict[str, Interval] = {}
    over_resamples = dict(resampled or {})
    if resamples and min(sets or (len(item_ids),)) > 1:
        columns = np.column_stack(list(per_item.values()))
        found = bootstrap_intervals(columns, sets=sets, resamples=resamples, seed=seed)
        intervals = dict(zip(per_item, found, strict=True))
        if statistics:
            together = bootstrap_statistic(
                lambda counts: np.column_stack([statistic(counts) for statistic in statistics.values()]),
                len(item_ids), resamples=resamples, seed=seed,
            )  # fmt: skip
            over_resamples |= dict(zip(statistics, together.T, strict=True))
        intervals |= {metric: interval_of(values) for metric, values in over_resamples.items()}
    return Scores(
        task=task.name,
        model=model or model_name(encoder),
        main=task.main,
        values=means | dict(values),
        intervals=intervals,
        per_query=dict(per_item),
        query_ids=tuple(item_ids),
        unit=unit,
        breakdown=breakdown,
        sets=tuple(sets),
        resampled=over_resamples,
        total=total,
    )
