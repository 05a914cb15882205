"""Several processes on one step, explicitly: two collectives and no wrapper around the model.

Every rank knows the whole step, since the plan is a pure function. The step's micro-batches are dealt to the ranks;
the embeddings are gathered into one leaf [U, D] on every rank; each rank takes the loss of its share of the rows, the
gradients at the leaf are summed, each rank back-propagates the texts it embedded, and the gradients of the parameters
are summed. So W ranks give what one rank gives, up to rounding. Every collective has a size that all ranks compute
from the plan, so unequal shares cannot make one rank wait for another for ever.
"""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from cosmith.errors import CosmithError
from cosmith.training.mixing import key_of

_BUCKET = 32 * 1024 * 1024  # numbers in one all-reduce: large enough for the wire, small beside the gradients
_PATIENCE = timedelta(days=2)  # a rank may wait this long for the first one, which mines and evaluates


Result = TypeVar("Result")


def deal(costs: Sequence[int], shares: int) -> list[list[int]]:
    """Which pieces of work each of several workers does: the costliest first, each to the one with the least so far.

    Args:
        costs: The cost of each piece.
        shares: How many workers.

    Returns:
        For each worker the numbers of its pieces, ascending.
    """
    dealt: list[list[int]] = [[] for _ in range(shares)]
    loads = [0] * shares
    for number in sorted(range(len(costs)), key=lambda number: (-costs[number], number)):
        share = loads.index(min(loads))
        dealt[share].append(number)
        loads[share] += costs[number]
    return [sorted(numbers) for numbers in dealt]


@dataclass(frozen=True)
class Ranks:
    """The processes that train together. With ``world`` 1 everything here is free and touches no process group.

    Attributes:
        rank: The number of this one.
        world: How many there are.
        sharded: Whether each holds a part of the weights only (:mod:`cosmith.training.sharding`). Then every pass
            through a layer is a step that all of them take together.
    """

    rank: int = 0
    world: int = 1
    sharded: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that evaluates, speaks and writes."""
        return self.rank == 0

    def deal(self, costs: Sequence[int]) -> list[list[int]]:
        """Which micro-batches each rank embeds: equally much work, or, where the weights are sharded and all wait for
        each other after each, equally many and those of a turn equally large."""
        if not self.sharded:
            return deal(costs, self.world)
        order = sorted(range(len(costs)), key=lambda number: (-costs[number], number))
        return [sorted(order[rank :: self.world]) for rank in range(self.world)]

    def idle_turns(self, dealt: Sequence[Sequence[int]]) -> int:
        """In how many turns of the others this rank has no micro-batch left and must take part all the same."""
        return max(map(len, dealt)) - len(dealt[self.rank]) if self.sharded else 0

    def rows(self, count: int) -> slice:
        """This rank's share of ``count`` rows."""
        return slice(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def gather(
        self,
        parts: Sequence[torch.Tensor],
        batches: Sequence[NDArray[np.int64]],
        dealt: Sequence[Sequence[int]],
        device: torch.device,
    ) -> torch.Tensor:
        """The embeddings of all ranks in the order of the texts.

        Args:
            parts: The embeddings [n, D] of this rank's micro-batches.
            batches: The text numbers of every micro-batch of the step.
            dealt: Which micro-batches each rank has embedded.
            device: Where a rank without micro-batches takes part.

        Returns:
            float32 [U, D], a new tensor.
        """
        counts = [sum(len(batches[number]) for number in numbers) for numbers in dealt]
        order = np.concatenate([batches[number] for numbers in dealt for number in numbers])
        local = torch.cat(list(parts)) if parts else torch.zeros(0, 0, device=device)
        everyone = local
        if self.world > 1:
            width = local.shape[1] if all(counts) else self._largest(local.shape[1], device)
            padded = local.new_zeros(max(counts), width)
            padded[: len(local), : local.shape[1]] = local
            received = [torch.empty_like(padded) for _ in range(self.world)]
            dist.all_gather(received, padded)
            everyone = torch.cat([block[:count] for block, count in zip(received, counts, strict=True)])
        gathered = torch.empty_like(everyone)
        gathered[torch.as_tensor(order, device=device)] = everyone
        return gathered

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over ranks, in place."""
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Sum the parameters' gradients over ranks, in flat buckets; those of sharded ones are summed already.

        A parameter that has a gradient on some ranks only counts as zero on the others; one that has none anywhere
        keeps none, so that the optimizer leaves it alone as it would on one rank.
        """
        if self.world == 1:
            return
        parameters = [each for each in parameters if each.requires_grad and not is_sharded(each)]
        if not parameters:
            return
        present = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.int32)
        present = present.to(parameters[0].device)
        dist.all_reduce(present, op=dist.ReduceOp.MAX)
        trained = [parameter for parameter, has in zip(parameters, present.tolist(), strict=True) if has]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        for bucket in _buckets([parameter.grad for parameter in trained if parameter.grad is not None]):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            dist.all_reduce(flat)
            for gradient, piece in zip(
                bucket, torch.split(flat, [gradient.numel() for gradient in bucket]), strict=True
            ):
                gradient.copy_(piece.view_as(gradient))

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set on any rank."""
        return flag if self.world == 1 else bool(self._largest(int(flag), device))

    def from_first(self, value: float, device: torch.device) -> float:
        """The value that the first rank holds."""
        if self.world == 1:
            return value
        tensor = torch.tensor([value if self.is_first else 0.0], dtype=torch.float64, device=device)
        dist.broadcast(tensor, src=0)
        return float(tensor)

    def wait(self) -> None:
        """Return when every rank has come here."""
        if self.world > 1:
            dist.barrier()

    def together(self, action: Callable[[], Result], device: torch.device) -> Result:
        """What ``action`` gives on this rank; where it fails on one rank, it fails on all.

        A rank that went on when another one has ended would wait for it in the next collective, for ever.

        Raises:
            CosmithError: On the other ranks, with what the error of the first that failed says.
            Exception: Whatever ``action`` raises, on the rank where it does.
        """
        if self.world == 1:
            return action()
        failure: Exception | None = None
        try:
            result = action()
        except Exception as error:
            failure = error
        failed = -self._largest(-(self.world if failure is None else self.rank), device)
        if failed == self.world:
            return result
        said = self._text_from(failed, "" if failure is None else str(failure) or type(failure).__name__, device)
        raise failure or CosmithError(said)

    def _text_from(self, rank: int, text: str, device: torch.device) -> str:
        """The text that one rank holds."""
        data = text.encode() if self.rank == rank else b""
        size = self._largest(len(data), device)
        letters = torch.zeros(size, dtype=torch.uint8, device=device)
        if self.rank == rank:
            letters.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        dist.broadcast(letters, src=rank)
        return bytes(letters.cpu().tolist()).decode()

    def check_same(self, what: str, fingerprint: str, device: torch.device) -> None:
        """Refuse to go on when the ranks do not hold the same thing.

        Raises:
            CosmithError: On every rank, when a fingerprint differs from another rank's.
        """
        if self.world == 1:
            return
        number = key_of(*fingerprint.encode()) >> 1
        largest, least = self._largest(number, device), -self._largest(-number, device)
        if largest != least:
            raise CosmithError(
                f"the ranks do not have the same {what}",
                remedy="Start every process with the same files, recipe and seed.",
            )

    def _largest(self, number: int, device: torch.device) -> int:
        tensor = torch.tensor([number], dtype=torch.int64, device=device)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return int(tensor)


ALONE = Ranks()


def is_sharded(tensor: torch.Tensor) -> bool:
    """Whether this rank holds a part of the tensor only."""
    if not (dist.is_available() and dist.is_initialized()):
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def in_one_piece(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of which each rank may hold a part, without a graph; all ranks have to ask."""
    whole: Any = tensor.detach()
    return whole.full_tensor() if is_sharded(tensor) else whole  # type: ignore[no-any-return]


def _buckets(gradients: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Neighbours of one type and device, together at most the size of a bucket (a larger one stands alone)."""
    buckets: list[list[torch.Tensor]] = []
    filled = 0
    for gradient in gradients:
        last = buckets[-1][-1] if buckets else None
        fits = last is not None and (last.dtype, last.device) == (gradient.dtype, gradient.device)
        if fits and filled + gradient.numel() <= _BUCKET:
            buckets[-1].append(gradient)
            filled += gradient.numel()
        else:
            buckets.append([gradient])
            filled = gradient.numel()
    return buckets


def start_ranks(device: torch.device) -> tuple[Ranks, torch.device]:
    """Join the processes that a launcher (``accelerate launch``, ``torchrun``) has started, if any.

    Args:
        device: Where the encoder is; its kind decides between CPU and accelerator ranks.

    Returns:
        The ranks, and the device on which this one works.
    """
    if dist.is_available() and dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size()), device
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE, device
    import torch.distributed.nn  # noqa: F401  imported later, its default arguments would keep the process group alive
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu", timeout=_PATIENCE)
    atexit.register(_leave)
    return Ranks(state.process_index, state.num_processes), state.device


def is_first_rank() -> bool:
    """Whether this is the first of the processes that a launcher has started, or the only one."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def _leave() -> None:
    """End the process group while Python still stands.

    Its threads release tensors under the interpreter's lock; one that does so while the interpreter ends aborts the
    process, which a launcher reports as a failed rank. What a sharded model leaves behind in reference cycles holds
    process groups too, whose threads would be running when they are destroyed after all else.
    """
    if dist.is_initialized():
        gc.collect()
        dist.destroy_process_group()
        gc.collect()
