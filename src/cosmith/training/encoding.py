"""From a step's micro-batches to gradients in the parameters, with as many graphs kept as memory allows.

The loss sees the embeddings of the whole step at once, so micro-batches change nothing but memory. A micro-batch
whose graph is not kept is embedded without one, and embedded again ("replayed") once the loss gradient at its
embeddings is known: GradCache (Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
arXiv:2101.06983, section 3). Keeping all graphs is ordinary training, keeping none is GradCache, and keeping the last
k is everything between.

Nothing here knows of models, texts or losses: only ``embed(batch) -> [n, D]`` and ``loss([U, D]) -> scalar``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from cosmith.models.dropout import drawn_by
from cosmith.models.threads import on_all_cores
from cosmith.training.distributed import ALONE, Ranks, deal
from cosmith.training.mixing import key_of

Batch = NDArray[np.int64]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Strategy:
    """How many graphs are kept: at most the last ``keep``, and at most as many as fit ``memory`` bytes.

    Both absent: all of them. Every strategy gives the same gradients, bit for bit, since micro-batches are seeded by
    their number and back-propagated in one order.
    """

    keep: int | None = None
    memory: int | None = None

    def shared_by(self, lanes: int) -> Strategy:
        """What each of several threads may keep, so that they together keep to this."""
        if lanes <= 1:
            return self
        keep = None if self.keep is None else -(-self.keep // lanes)
        return Strategy(keep, None if self.memory is None else self.memory // lanes)


DIRECT = Strategy()
CACHED = Strategy(keep=0)


def backward_step(
    embed: Callable[[Batch], torch.Tensor],
    batches: Sequence[Batch],
    loss: Callable[[torch.Tensor], torch.Tensor],
    parameters: Iterable[torch.nn.Parameter],
    *,
    strategy: Strategy = DIRECT,
    seed: int = 0,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ranks: Ranks = ALONE,
    costs: Sequence[int] | None = None,
    lanes: int = 1,
) -> float:
    """Add the gradient of ``loss(embeddings of all batches)`` to the parameters.

    Args:
        embed: Embeds one micro-batch with the graph that the ambient grad mode asks for: row numbers [n] → [n, D].
            Dropout may draw from torch's global generators; with several lanes it must obey
            :func:`cosmith.models.dropout.drawn_by`.
        batches: Which of the step's U texts each micro-batch holds; together every number of ``range(U)`` once.
            The one with the largest graph stands first.
        loss: Embeddings [U, D] (float32) → scalar. With several ranks: this rank's part of the whole step's loss.
        parameters: All that ``embed`` computes with; those that need a gradient get one.
        strategy: How many graphs are kept.
        seed: Micro-batch i is embedded, and replayed, with generators seeded by (seed, i). What dropout does to a
            text therefore depends on the micro-batches, but neither on the strategy nor on who takes which.
        autocast: Makes the context of lower precision in which texts are embedded.
        ranks: The processes that share the step; all of them must be given the same batches.
        costs: The cost of each micro-batch, by which ranks and lanes are balanced; its number of texts where absent.
        lanes: Threads of this process that share its micro-batches, each on a core of its own. Which takes which is
            fixed, and so is the order in which their gradients are added. One where weights are sharded.

    Returns:
        The loss of the whole step.
    """
    parameters = list(parameters)
    costs = [len(batch) for batch in batches] if costs is None else costs
    dealt = ranks.deal(costs)
    mine, count = dealt[ranks.rank], len(batches)
    # Where this rank has none left but must take part, it repeats the last, which is small, and adds nothing.
    idle = ranks.idle_turns(dealt)
    turns = [*mine, *range(count, count + idle)]
    batches, costs = [*batches, *[batches[-1]] * idle], [*costs, *[costs[-1]] * idle]
    shares = [[turns[place] for place in share] for share in deal([costs[number] for number in turns], lanes)]
    shares = [share for share in shares if share]
    strategy = strategy.shared_by(len(shares))

    def embedded(number: int) -> torch.Tensor:
        own = key_of(seed, number)
        if len(shares) == 1:
            torch.manual_seed(own)  # for all that draws elsewhere: on other devices, in code that is not ours
        with drawn_by(own):
            return embed(batches[number]).float()

    values: dict[int, torch.Tensor] = {}
    graphs: dict[int, torch.Tensor] = {}
    for _, (some, kept) in _in_lanes(
        lambda share: _first_pass(embedded, share, parameters, strategy, autocast), shares
    ):
        values |= some
        graphs |= kept
    leaf = ranks.gather([values[number] for number in mine], batches, dealt, parameters[0].device).requires_grad_()
    del values
    part = loss(leaf)
    if part.requires_grad:  # a rank with no row of its own has a part without a graph
        part.backward()  # type: ignore[no-untyped-call]
    gradient = ranks.sum(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
    total = ranks.sum(part.detach().clone())
    del leaf

    def outputs(share: Sequence[int]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Each micro-batch's embeddings with their graph, and the loss gradient there."""
        for number in reversed(share):  # the kept ones come first, so that replays find their memory free
            embeddings = graphs.pop(number, None)
            if embeddings is None:
                with autocast():
                    embeddings = embedded(number)
            if number < count:
                yield embeddings, gradient[torch.as_tensor(batches[number], device=gradient.device)]
            else:
                yield embeddings, torch.zeros_like(embeddings)

    if len(shares) == 1:
        for embeddings, upstream in outputs(shares[0]):
            embeddings.backward(upstream)  # type: ignore[no-untyped-call]
    else:
        _add(parameters, dict(_in_lanes(lambda share: _sum_gradients(outputs(share), parameters), shares)))
    ranks.sum_gradients(parameters)
    return float(total)


def _in_lanes(work: Callable[[Sequence[int]], Result], shares: Sequence[Sequence[int]]) -> Iterator[tuple[int, Result]]:
    """Each lane's number with what ``work`` makes of its share."""
    return on_all_cores(lambda lane: work(shares[lane]), range(len(shares)), nullcontext, len(shares))


def _first_pass(
    embedded: Callable[[int], torch.Tensor],
    mine: Sequence[int],
    parameters: Sequence[torch.Tensor],
    strategy: Strategy,
    autocast: Callable[[], AbstractContextManager[object]],
) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor]]:
    """The embeddings of every micro-batch, without graphs, and the graphs of the last ones, by micro-batch."""
    graphs: dict[int, torch.Tensor] = {}
    values: dict[int, torch.Tensor] = {}
    keep = len(mine) if strategy.keep is None else min(strategy.keep, len(mine))
    if keep and strategy.memory is not None:
        with autocast(), _graph_bytes(parameters) as graph_bytes:
            graphs[mine[0]] = embedded(mine[0])
        values[mine[0]] = graphs[mine[0]].detach()
        keep = max(1, min(keep, strategy.memory // max(graph_bytes(), 1)))
        if keep < len(mine):
            graphs.clear()
    replayed, kept = mine[: len(mine) - keep], mine[len(mine) - keep :]
    with autocast(), torch.no_grad():
        values |= {number: embedded(number) for number in replayed if number not in values}
    with autocast():
        graphs |= {number: embedded(number) for number in kept if number not in graphs}
    values |= {number: graphs[number].detach() for number in kept}
    return values, graphs


def _sum_gradients(
    outputs: Iterable[tuple[torch.Tensor, torch.Tensor]], parameters: Sequence[torch.nn.Parameter]
) -> list[torch.Tensor | None]:
    """The gradient of every parameter (None: it has none), summed in the order of the outputs."""
    trained = [place for place, parameter in enumerate(parameters) if parameter.requires_grad]
    sums: list[torch.Tensor | None] = [None] * len(parameters)
    for embeddings, upstream in outputs:
        parts = torch.autograd.grad(embeddings, [parameters[place] for place in trained], upstream, allow_unused=True)
        taken: set[int] = set()  # autograd may hand out one tensor twice, and views: such are not added to in place
        for place, part in zip(trained, parts, strict=True):
            known = sums[place]
            if part is None:
                continue
            if known is not None:
                known.add_(part)
                continue
            memory = part.untyped_storage().data_ptr()
            sums[place] = part.clone() if memory in taken or not part.is_contiguous() else part
            taken.add(memory)
    return sums


def _add(parameters: Sequence[torch.nn.Parameter], sums: Mapping[int, Sequence[torch.Tensor | None]]) -> None:
    """Add the lanes' gradients to the parameters', lane after lane."""
    for lane in sorted(sums):
        for parameter, part in zip(parameters, sums[lane], strict=True):
            if part is not None:
                parameter.grad = part if parameter.grad is None else parameter.grad.add_(part)


@contextmanager
def _graph_bytes(parameters: Sequence[torch.Tensor]) -> Iterator[Callable[[], int]]:
    """Count the bytes that the graphs built inside the block hold, parameters left out."""
    known = {parameter.untyped_storage().data_ptr() for parameter in parameters}
    held: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would hold its own graph: a cycle that is never freed

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield lambda: sum(held.values())


def graph_bytes(embed: Callable[[], torch.Tensor], parameters: Iterable[torch.Tensor]) -> int:
    """The bytes that the graph of ``embed()`` holds, parameters left out (the graph is dropped)."""
    with _graph_bytes(list(parameters)) as count:
        embed()
    return count()
