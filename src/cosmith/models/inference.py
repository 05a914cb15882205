"""Encoding any number of texts: equal ones once, those of similar length together, on every core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import torch

from cosmith.models.batched import Item, Result, Tokens, batched, distinct_of
from cosmith.models.batching import ACCELERATOR_TOKENS
from cosmith.models.threads import on_all_cores

if TYPE_CHECKING:
    from typing import Self

# Tokens in a micro-batch when encoding on a CPU: enough for full matrix speed and few enough for a core's cache
# (measured).
CPU_TOKENS = 1_024


class Rows(Protocol):
    """Results that are no rows of one width, one a text."""

    def take(self, numbers: Any) -> Self:
        """Those of these texts, in that order."""


Ragged = TypeVar("Ragged", bound=Rows)


def encode_texts(
    texts: Sequence[Item],
    *,
    tokenize: Callable[[Sequence[Item]], Tokens],
    embed: Callable[[Tokens], np.ndarray],
    module: torch.nn.Module,
    width: int,
    padded: bool,
    context: Callable[[], AbstractContextManager[Any]],
    token_budget: int | None,
    show_progress: str | None,
    called: str = "texts",
) -> np.ndarray:
    """Encode texts, or pairs of texts, as rows of one width.

    Args:
        texts: Any number of texts.
        tokenize, embed, module, padded, context, token_budget, show_progress, called: As for
            :func:`embedded_batches`; ``embed`` gives float32 ``[n, width]``.
        width: Numbers of a vector.

    Returns:
        float32 ``[len(texts), width]``, in the order of ``texts``.
    """
    distinct, places = distinct_of(texts)
    vectors = np.empty((len(distinct), width), dtype=np.float32)
    for numbers, rows in embedded_batches(
        distinct, tokenize=tokenize, embed=embed, module=module, padded=padded, context=context,
        token_budget=token_budget, show_progress=show_progress, called=called,
    ):  # fmt: skip
        vectors[numbers] = rows
    found: np.ndarray = vectors[places]
    return found


def encode_ragged(
    texts: Sequence[str],
    *,
    tokenize: Callable[[Sequence[str]], Tokens],
    embed: Callable[[Tokens], Ragged],
    concatenate: Callable[[Sequence[Ragged]], Ragged],
    module: torch.nn.Module,
    padded: bool,
    context: Callable[[], AbstractContextManager[Any]],
    token_budget: int | None,
    show_progress: str | None,
) -> Ragged:
    """Encode texts as what is no row of one width.

    Args:
        texts: Any number of texts.
        tokenize, embed, module, padded, context, token_budget, show_progress: As for :func:`embedded_batches`.
        concatenate: The results of micro-batches, maybe none → one.

    Returns:
        The results of all, in the order of ``texts``.
    """
    distinct, places = distinct_of(texts)
    parts, numbers = [], [np.zeros(0, dtype=np.int64)]
    for batch, found in embedded_batches(
        distinct, tokenize=tokenize, embed=embed, module=module, padded=padded, context=context,
        token_budget=token_budget, show_progress=show_progress,
    ):  # fmt: skip
        parts.append(found)
        numbers.append(batch)
    return concatenate(parts).take(np.argsort(np.concatenate(numbers))[places])


def embedded_batches(
    texts: Sequence[Item],
    *,
    tokenize: Callable[[Sequence[Item]], Tokens],
    embed: Callable[[Tokens], Result],
    module: torch.nn.Module,
    padded: bool,
    context: Callable[[], AbstractContextManager[Any]],
    token_budget: int | None,
    show_progress: str | None,
    called: str = "texts",
) -> Iterator[tuple[np.ndarray, Result]]:
    """What a module in evaluation mode makes of texts; it is left in the mode it was in.

    Args:
        texts: Any number of texts, or of pairs.
        tokenize: Texts → their tokens.
        embed: The tokens of one micro-batch → what becomes of them; runs in several threads at once.
        module: What ``embed`` computes with.
        padded: Whether the texts of a micro-batch are filled up to the longest of them.
        context: Makes the context of the precision, one for each thread.
        token_budget: The most tokens in a micro-batch; None: by device.
        show_progress: What to call this step in the progress display; None shows nothing.
        called: What the texts are called there.

    Yields:
        The numbers of the texts of a micro-batch, int64 [n], with its result, as they are ready.
    """
    on_cpu = next(module.parameters()).device.type == "cpu"
    budget = token_budget or (CPU_TOKENS if on_cpu else ACCELERATOR_TOKENS)
    threads = torch.get_num_threads() if on_cpu else 1

    @contextmanager
    def inferring() -> Iterator[None]:
        with torch.inference_mode(), context():
            yield

    with in_evaluation_mode(module):
        yield from batched(
            texts, tokenize=tokenize, embed=embed, token_budget=budget, padded=padded, show_progress=show_progress,
            called=called, share_out=lambda work, batches: on_all_cores(work, batches, inferring, threads),
        )  # fmt: skip


@contextmanager
def in_evaluation_mode(module: torch.nn.Module) -> Iterator[None]:
    """Every part in evaluation mode, and afterwards in the mode it was in.

    Where all are in it already nothing is set: ``eval`` and ``train`` would take milliseconds, which a single query is
    made to wait for (2.8 of 23.3 with all-MiniLM-L6-v2 in float32 on one core, measured).
    """
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True
