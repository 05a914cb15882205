"""From a step's micro-batches to gradients in the parameters, with as many graphs kept as memory allows.

The loss sees the embeddings of the whole step at once, so micro-batches change nothing but memory. A micro-batch
whose graph is not kept is embedded without one, and embedded again ("replayed") once the loss gradient at its
embeddings is known: GradCache (Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
arXiv:2101.06983, section 3). Keeping all graphs is ordinary training, keeping none is GradCache, and keeping the last
k is everything between.

Nothing here knows of models, texts or losses: only ``embed(batch) -> [n, D]`` and ``loss([U, D]) -> scalar``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cosmith.training.distributed import ALONE, Ranks
from cosmith.training.mixing import key_of

Batch = NDArray[np.int64]


@dataclass(frozen=True)
class Strategy:
    """How many graphs are kept: at most the last ``keep``, and at most as many as fit ``memory`` bytes.

    Both absent: all of them. Every strategy gives the same gradients, bit for bit, since micro-batches are seeded by
    their number and back-propagated in one order.
    """

    keep: int | None = None
    memory: int | None = None


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
) -> float:
    """Add the gradient of ``loss(embeddings of all batches)`` to the parameters.

    Args:
        embed: Embeds one micro-batch with the graph that the ambient grad mode asks for: row numbers [n] → [n, D].
            May draw random numbers (dropout) from torch's global generators.
        batches: Which of the step's U texts each micro-batch holds; together every number of ``range(U)`` once.
            The one with the largest graph stands first.
        loss: Embeddings [U, D] (float32) → scalar. With several ranks: this rank's part of the whole step's loss.
        parameters: All that ``embed`` trains.
        strategy: How many graphs are kept.
        seed: Micro-batch i is embedded, and replayed, with torch's generators seeded by (seed, i). What dropout does
            to a text therefore depends neither on the strategy nor on the number of ranks.
        autocast: Makes the context of lower precision in which texts are embedded.
        ranks: The processes that share the step; all of them must be given the same batches.
        costs: The cost of each micro-batch, by which ranks are balanced; its number of texts where absent.

    Returns:
        The loss of the whole step.
    """
    parameters = list(parameters)
    dealt = ranks.deal([len(batch) for batch in batches] if costs is None else costs)
    mine = dealt[ranks.rank]

    def embedded(number: int) -> torch.Tensor:
        torch.manual_seed(key_of(seed, number))
        return embed(batches[number]).float()

    values, graphs = _first_pass(embedded, mine, parameters, strategy, autocast)
    leaf = ranks.gather(values, batches, dealt, parameters[0].device).requires_grad_()
    del values
    part = loss(leaf)
    if part.requires_grad:  # a rank with no row of its own has a part without a graph
        part.backward()  # type: ignore[no-untyped-call]
    gradient = ranks.sum(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
    total = ranks.sum(part.detach().clone())
    del leaf

    for number in reversed(mine):  # the kept ones come first, so that replays find their memory free
        embeddings = graphs.pop(number, None)
        if embeddings is None:
            with autocast():
                embeddings = embedded(number)
        embeddings.backward(gradient[torch.as_tensor(batches[number], device=gradient.device)])  # type: ignore[no-untyped-call]
    ranks.sum_gradients(parameters)
    return float(total)


def _first_pass(
    embedded: Callable[[int], torch.Tensor],
    mine: Sequence[int],
    parameters: Sequence[torch.Tensor],
    strategy: Strategy,
    autocast: Callable[[], AbstractContextManager[object]],
) -> tuple[list[torch.Tensor], dict[int, torch.Tensor]]:
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
    # Two contexts, not one: autocast remembers the weights it has cast, and those cast without a graph would cut the
    # weights off from the graphs that are kept.
    replayed, kept = mine[: len(mine) - keep], mine[len(mine) - keep :]
    with autocast(), torch.no_grad():
        values |= {number: embedded(number) for number in replayed if number not in values}
    with autocast():
        graphs |= {number: embedded(number) for number in kept if number not in graphs}
    values |= {number: graphs[number].detach() for number in kept}
    return [values[number] for number in mine], graphs


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
