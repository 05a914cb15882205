"""Weights, gradients and optimizer state shared out over the ranks, for models whose training does not fit one device.

The transformer layers, and the embeddings before them, are sharded with FSDP2 (Zhao et al., arXiv:2304.11277; torch's
``fully_shard``): a rank holds a part of each weight and gathers the rest for the moment in which a layer computes.
What stands above the layers stays whole on every rank, and so does what other parts of the model use as well.

For all else than training steps there is an ordinary model beside it, in the memory of the host: it is brought up to
date when the model is scored, written or handed back. So none of those who do that need to know of shards, checkpoints
and models are the same as without, and a run can be continued on any number of ranks, sharded or not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, Generic, TypeVar

import torch

from cosmith.models import Trainable
from cosmith.models.layers import embeddings_of, layers_of
from cosmith.training.distributed import Ranks, in_one_piece, is_sharded
from cosmith.training.step import Job

Model = TypeVar("Model", bound=Trainable)


def shard(job: Job[Trainable], ranks: Ranks, used_by_loss: Iterable[torch.nn.Parameter] = ()) -> None:
    """Leave this rank a part of the weights of a job's model, in place.

    Args:
        job: Its parameters are replaced: make the optimizer afterwards.
        ranks: Who shares them.
        used_by_loss: Parameters of the backbone that the loss computes with; they stay whole.

    Raises:
        InputError: When the backbone has no layers that can be told.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    backbone: Any = job.encoder.module["backbone"]
    layers = layers_of(backbone)
    inside = {parameter for part in (*layers, embeddings_of(backbone)) for parameter in part.parameters()}
    elsewhere = {
        parameter
        for name, part in job.encoder.module.named_children()
        if name != "backbone"
        for parameter in part.parameters()
    }
    # What is called beside the backbone's own forward, such as a pooler, would find its weights gone.
    whole = (set(backbone.parameters()) - inside) | elsewhere | set(used_by_loss)
    mesh = init_device_mesh(job.device.type, (ranks.world,))
    for part in (*layers, backbone):
        sharded = fully_shard(part, mesh=mesh, ignored_params=whole)
        sharded.set_gradient_divide_factor(1.0)  # each rank has its part of the loss, not a mean of its own
        sharded.set_force_sum_reduction_for_comms(True)  # gloo knows no other


class Pieces(Generic[Model]):
    """A job's model and optimizer in one piece, for all that is not a training step.

    Where nothing is sharded they are the job's own. Else they are a copy on the host, which all ranks bring up to
    date together: its methods have to be called on every rank.

    Args:
        job: What is trained.
        optimizer: With what.
        whole: The copy of the job, see :func:`twin_of`; the job itself where nothing is sharded.
        whole_optimizer: One over the copy's parameters, which only holds state; likewise.
        ranks: Who shares the model.

    Attributes:
        whole: As given.
        whole_optimizer: As given.
    """

    def __init__(
        self,
        job: Job[Model],
        optimizer: torch.optim.Optimizer,
        whole: Job[Model],
        whole_optimizer: torch.optim.Optimizer,
        ranks: Ranks,
    ) -> None:
        self._job, self._optimizer, self._ranks = job, optimizer, ranks
        self.whole, self.whole_optimizer = whole, whole_optimizer

    @property
    def _apart(self) -> bool:
        return self.whole is not self._job

    def _pairs(self) -> Iterator[tuple[torch.nn.Parameter, torch.nn.Parameter]]:
        """Each parameter that is trained on, and the copy's."""
        copies = dict(self.whole.module.named_parameters())
        return ((parameter, copies[name]) for name, parameter in self._job.module.named_parameters())

    def gather_weights(self) -> None:
        """Bring the weights in one piece up to date."""
        if self._apart:
            with torch.no_grad():
                for parameter, copied in self._pairs():
                    copied.copy_(in_one_piece(parameter))

    def gather(self) -> None:
        """Bring weights and optimizer state in one piece up to date; the state on the first rank only."""
        self.gather_weights()
        if not self._apart:
            return
        for parameter, copied in self._pairs():
            state: Mapping[str, torch.Tensor] = self._optimizer.state.get(parameter, {})
            gathered = {kind: in_one_piece(value) for kind, value in state.items()}
            if gathered and self._ranks.is_first:
                self.whole_optimizer.state[copied] = {kind: value.cpu() for kind, value in gathered.items()}

    def scatter(self) -> None:
        """Take each rank's part of weights and optimizer state from what stands in one piece."""
        if not self._apart:
            return
        with torch.no_grad():
            for parameter, copied in self._pairs():
                parameter.copy_(_part_of(copied, parameter))
                state = self.whole_optimizer.state.get(copied)
                if state:
                    self._optimizer.state[parameter] = {
                        kind: _part_of(value, parameter) if value.ndim else value.to(parameter.device)
                        for kind, value in state.items()
                    }
        self.drop_state()

    def drop_state(self) -> None:
        """Give back the memory of the optimizer state in one piece."""
        if self._apart:
            self.whole_optimizer.state.clear()

    @contextmanager
    def scoring(self) -> Iterator[Job[Model]]:
        """The job with its weights in one piece, in evaluation mode; the first rank's on the device."""
        self.gather_weights()
        if self._apart and self._ranks.is_first:
            self.whole.module.to(self._job.device)
        self.whole.module.eval()
        try:
            yield self.whole
        finally:
            self.whole.module.train()
            if self._apart:
                self.whole.module.to("cpu")


def twin_of(job: Job[Model]) -> Job[Model]:
    """A copy of a job with a model of its own on the host; what it is trained on is shared."""
    twin: Job[Model] = copy.deepcopy(job, _shared(job))
    twin.module.to("cpu")
    return twin


def _shared(job: Any) -> dict[int, Any]:
    """What a copy of the job does not copy: the values of its fields, and of jobs among them, that hold no weights."""
    shared: dict[int, Any] = {}
    for field in fields(job):
        value = getattr(job, field.name)
        if isinstance(value, torch.nn.Module):
            continue
        if not hasattr(value, "module"):
            shared[id(value)] = value
        elif is_dataclass(value):
            shared |= _shared(value)
    return shared


def _part_of(whole: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """This rank's part of a tensor, dealt as ``like`` is."""
    whole = whole.detach().to(like.device)
    if not is_sharded(like):
        return whole
    from torch.distributed.tensor import distribute_tensor

    dealt: Any = like
    return distribute_tensor(whole, dealt.device_mesh, dealt.placements, src_data_rank=None)
