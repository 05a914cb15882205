"""What a user decides about a training run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, get_args

from cosmith.errors import InputError, nearest
from cosmith.losses import LOSSES, CustomSpec, LossFunction, LossSpec, Quantisation, as_spec
from cosmith.models import AdapterKind, Precision
from cosmith.training.optimisation import Schedule
from cosmith.training.plan import Mixing
from cosmith.training.unread import require_read

OnDivergence = Literal["abort", "skip", "restart"]
StrategyName = Literal["auto", "direct", "cached", "keep-last-k"]
Sharding = Literal["none", "full"]

INTERPOLATION_GRID = (0.0, 0.25, 0.5, 0.75, 1.0)

# What may change between an interrupted run and its continuation, since it changes nothing of what is trained. (The
# last two change rounding, and which numbers dropout drops: who ran out of memory must be able to go on.)
_MAY_CHANGE = {"strategy", "keep", "graph_memory", "checkpoint_every_steps", "checkpoint_every_seconds", "interpolate",
               "micro_batch_tokens", "precision", "on_divergence", "watch_every", "gradient_checkpointing",
               "sharding"}  # fmt: skip

_COUNTS = ("steps", "batch_size", "graph_memory", "micro_batch_tokens", "max_query_length", "max_document_length",
           "evaluate_every", "patience", "checkpoint_every_steps", "watch_every")  # fmt: skip
_OPTIONAL = {*_COUNTS, "epochs", "temperature", "clip", "keep", "checkpoint_every_seconds"} - {"batch_size"}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "schedule": get_args(Schedule),
    "precision": get_args(Precision),
    "strategy": get_args(StrategyName),
    "mixing": get_args(Mixing),
    "on_divergence": get_args(OnDivergence),
    "adapter": get_args(AdapterKind),
    "sharding": get_args(Sharding),
}


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. What a Source says of itself (batch size, lengths, loss) goes before what stands here.

    Attributes:
        steps: How many steps; or ``epochs``, not both. Neither: one epoch.
        epochs: How often each row is taken, on average over the Sources.
        batch_size: Rows (queries with their texts) a step; all rows of a Source that has fewer.
        learning_rate: The highest rate of the schedule.
        schedule: ``linear``, ``cosine``, ``constant`` or ``wsd`` (warm-up, stable, decay).
        warmup: Share of the steps over which the rate rises.
        decay: Share of the steps over which ``wsd`` falls.
        weight_decay: AdamW's, on matrices only.
        clip: The highest global norm of the gradients; None: no clipping.
        loss: The name of a loss (:data:`cosmith.losses.LOSSES`), one as data, e.g. ``loss_spec("triplet-hard",
            margin=0.3)``, or a function of the user's own, see :class:`~cosmith.losses.CustomSpec`.
        temperature: In place of the loss's own, where it has one.
        dims: Nested dimensions to train beside the full one, e.g. ``(256, 128)`` (arXiv:2205.13147).
        dim_weights: The weight of the loss at each of ``dims``, the full one's being 1; all 1 where absent.
        quantise: ``("int8", "binary")``, or one of them: train for quantised embeddings, too, straight-through.
        spread_out: The weight of a term that keeps embeddings spread out (arXiv:1708.06320); 0: none.
        seed: Chooses rows, order and dropout.
        precision: ``auto`` (bf16 where the processor has it), ``float32`` or ``bf16``; weights are always float32.
        strategy: ``auto``: as many graphs are kept as ``graph_memory`` holds (with ``sharding``: none), the rest is
            replayed; ``direct``: all; ``cached``: none; ``keep-last-k``: the last ``keep``. All give the same weights.
        keep: The k of ``keep-last-k``.
        graph_memory: Bytes for ``auto``; None: half of what is free at the start.
        micro_batch_tokens: The most tokens embedded at once; None: by device.
        max_query_length: Tokens at which queries are cut; None: the model's maximum.
        max_document_length: Likewise for positives and negatives.
        mixing: ``proportional``, ``round_robin`` or ``curriculum``, see :class:`~cosmith.training.Plan`.
        alpha: The power of a Source's size in proportional mixing.
        evaluate_every: Steps between evaluations on the development set; None: ten evaluations a run.
        patience: Stop after so many evaluations in a row without a better score; None: never.
        keep_best: End with the weights of the best evaluation, not with the last ones.
        interpolate: Whether to look between the base model and the result for the best weights on the development
            set: True for a grid of five, or the grid itself (shares of the result).
        on_divergence: What to do when a loss or gradient is not a finite number, after its cause was looked for:
            ``abort``; ``skip`` that step; ``restart`` from the last checkpoint at half the learning rate.
        watch_every: Steps between looks at gradients, updates, embeddings and scores; None: never.
        checkpoint_every_steps: Steps between checkpoints; None: by time only.
        checkpoint_every_seconds: Seconds between checkpoints; None: by steps only.
        adapter: ``lora`` or ``dora``: train a few numbers beside the frozen backbone, see
            :class:`~cosmith.models.AdapterSpec`, which also says what ``adapter_rank``, ``adapter_alpha``,
            ``adapter_dropout`` and ``adapter_targets`` mean. None: train the backbone itself.
        merge_adapter: End with an ordinary model; False: with the adapter beside the model, to be saved by itself.
        freeze_embeddings: Leave the backbone's embeddings as they are.
        frozen_layers: Leave so many of the backbone's first layers as they are.
        layer_decay: The learning rate of a layer as a share of the one above it; 1: all the same.
        gradient_checkpointing: Keep the inputs of layers only and compute the rest again: slower, less memory, the
            same weights.
        sharding: What several processes do with the weights: ``none``: each holds all of them; ``full``: each holds a
            part of layers, embeddings, their gradients and optimizer state (FSDP). The same weights, up to rounding.

    Raises:
        InputError: When a value cannot be used; its ``field`` is the name of the setting.
    """

    steps: int | None = None
    epochs: float | None = None
    batch_size: int = 64
    learning_rate: float = 2e-5
    schedule: Schedule = "linear"
    warmup: float = 0.1
    decay: float = 0.2
    weight_decay: float = 0.01
    clip: float | None = 1.0
    loss: str | LossSpec | LossFunction = "default"
    temperature: float | None = None
    dims: tuple[int, ...] = ()
    dim_weights: tuple[float, ...] = ()
    quantise: tuple[Quantisation, ...] = ()
    spread_out: float = 0.0
    seed: int = 0
    precision: Precision = "auto"
    strategy: StrategyName = "auto"
    keep: int | None = None
    graph_memory: int | None = None
    micro_batch_tokens: int | None = None
    max_query_length: int | None = None
    max_document_length: int | None = None
    mixing: Mixing = "proportional"
    alpha: float = 1.0
    evaluate_every: int | None = None
    patience: int | None = None
    keep_best: bool = True
    interpolate: bool | tuple[float, ...] = True
    on_divergence: OnDivergence = "abort"
    watch_every: int | None = 10
    checkpoint_every_steps: int | None = None
    checkpoint_every_seconds: float | None = 300.0
    adapter: AdapterKind | None = None
    adapter_rank: int = 16
    adapter_alpha: float = 32.0
    adapter_dropout: float = 0.0
    adapter_targets: tuple[str, ...] = ()
    merge_adapter: bool = True
    freeze_embeddings: bool = False
    frozen_layers: int = 0
    layer_decay: float = 1.0
    gradient_checkpointing: bool = False
    sharding: Sharding = "none"

    def __post_init__(self) -> None:
        if self.steps is not None and self.epochs is not None:
            raise InputError("steps and epochs are both given", field="epochs", remedy="Give one of them.")
        for name in ("dims", "dim_weights", "quantise", "adapter_targets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not isinstance(self.interpolate, bool):
            object.__setattr__(self, "interpolate", tuple(self.interpolate))
        for name in _COUNTS:
            self._check(name, least=1, whole=True)
        for name in ("epochs", "learning_rate", "temperature", "clip", "checkpoint_every_seconds"):
            self._check(name, above=0)
        for name in ("warmup", "decay", "alpha"):
            self._check(name, least=0, most=1)
        self._check("weight_decay", least=0)
        self._check("spread_out", least=0)
        for name in ("keep", "frozen_layers"):
            self._check(name, least=0, whole=True)
        self._check("adapter_rank", least=1, whole=True)
        self._check("adapter_alpha", above=0)
        self._check("adapter_dropout", least=0, most=1)
        self._check("layer_decay", above=0, most=1)
        self._check("seed", least=0, most=2**64 - 1, whole=True)
        for name, valid in _CHOICES.items():
            if getattr(self, name) not in valid and (getattr(self, name), name) != (None, "adapter"):
                raise InputError(f"there is no {name} {getattr(self, name)!r}", field=name,
                                 remedy=nearest(str(getattr(self, name)), valid))  # fmt: skip
        if callable(self.loss):
            object.__setattr__(self, "loss", as_spec(self.loss))
        elif not isinstance(self.loss, LossSpec) and self.loss not in tuple(LOSSES):  # a list has no hash
            raise InputError(f"there is no loss {self.loss!r}", field="loss", remedy=nearest(str(self.loss), LOSSES))
        if len(set(self.quantise)) < len(self.quantise) or not set(self.quantise) <= {"int8", "binary"}:
            raise InputError(f"not among int8 and binary, each once: {self.quantise}", field="quantise")
        require_read(self, {field.name: field.default for field in fields(self)}.__getitem__)
        if (self.strategy == "keep-last-k") != (self.keep is not None):
            raise InputError("keep and the strategy keep-last-k belong together", field="keep",
                             remedy='Give both, or use the strategy "auto", which measures how many fit.')  # fmt: skip
        if self.dim_weights and len(self.dim_weights) != len(self.dims):
            raise InputError(f"{len(self.dim_weights)} weights for {len(self.dims)} dims", field="dim_weights",
                             remedy="Give one for each, or none.")  # fmt: skip
        if any(not isinstance(dim, int) or dim < 1 for dim in self.dims) or len(set(self.dims)) < len(self.dims):
            raise InputError(f"not distinct positive whole numbers: {self.dims}", field="dims")
        if any(not (math.isfinite(weight) and weight > 0) for weight in self.dim_weights):
            raise InputError(f"not all positive: {self.dim_weights}", field="dim_weights")
        if any(not 0 <= share <= 1 for share in self.interpolation_grid):
            raise InputError(f"not all between 0 and 1: {self.interpolate}", field="interpolate",
                             remedy="0 is the base model, 1 the trained one.")  # fmt: skip

    def _check(
        self, name: str, *, above: float | None = None, least: float | None = None, most: float | None = None,
        whole: bool = False,
    ) -> None:  # fmt: skip
        value = getattr(self, name)
        if value is None and name in _OPTIONAL:
            return
        kind = "a whole number" if whole else "a number"
        right_kind = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        bounds = [f"above {above:g}"] if above is not None else []
        bounds += [f"at least {least:g}"] if least is not None else []
        bounds += [f"at most {most:g}"] if most is not None else []
        fits = right_kind and math.isfinite(value)
        fits = fits and (above is None or value > above) and (least is None or value >= least)
        if not fits or (most is not None and value > most):
            raise InputError(f"must be {kind} {' and '.join(bounds)}, not {value!r}", field=name)

    @property
    def interpolation_grid(self) -> tuple[float, ...]:
        """The shares of the trained weights to try; empty: no interpolation."""
        if isinstance(self.interpolate, bool):
            return INTERPOLATION_GRID if self.interpolate else ()
        return self.interpolate

    def identity(self) -> Mapping[str, Any]:
        """The settings that a run can be continued only with, as JSON values."""
        return {
            field.name: _plain(getattr(self, field.name)) for field in fields(self) if field.name not in _MAY_CHANGE
        }


def _plain(value: Any) -> Any:
    """As JSON values; sets sorted, since their order is another one in every process."""
    if isinstance(value, CustomSpec):
        return value.identity()
    if is_dataclass(value):
        kind = {"kind": type(value).__name__}  # two losses may have the same parameters
        return kind | {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
