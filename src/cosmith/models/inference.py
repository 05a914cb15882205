"""Encoding any number of texts: equal ones once, those of similar length together, on every core."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import torch

from cosmith.errors import InputError
from cosmith.models.batching import micro_batches
from cosmith.models.threads import on_all_cores
from cosmith.progress import track

if TYPE_CHECKING:
    from typing import Self

# Tokens in a micro-batch when encoding: on a CPU enough for full matrix speed and few enough for a core's cache
# (measured); an accelerator wants more at once, and so does a static model, whose calls take longer than its sums.
CPU_TOKENS, ACCELERATOR_TOKENS, STATIC_TOKENS = 1_024, 16_384, 65_536
_TEXTS_AT_ONCE = 50_000

Item = TypeVar("Item", bound=Hashable)  # a text, a pair of texts, the number of something else


class Tokenised(Protocol):
    """The tokens of some items."""

    @property
    def lengths(self) -> np.ndarray:
        """int64 ``[n]``."""

    def take(self, numbers: Any) -> Any:
        """Those of these items."""


class Rows(Protocol):
    """Results that are no rows of one width, one a text."""

    def take(self, numbers: Any) -> Self:
        """Those of these texts, in that order."""


Tokens = TypeVar("Tokens", bound=Tokenised)
Ragged = TypeVar("Ragged", bound=Rows)
Result = TypeVar("Result")


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


def distinct_of(texts: Sequence[Item]) -> tuple[list[Item], np.ndarray]:
    """The distinct ones of texts, in the order in which they come first, and which of them each text is, int64 [n].

    Raises:
        InputError: When a single text is given.
    """
    if isinstance(texts, str):
        raise InputError("is one text, not a list of texts", field="texts", remedy="Pass [text].")
    unique: dict[Item, int] = {}
    places = np.fromiter((unique.setdefault(text, len(unique)) for text in texts), np.int64, len(texts))
    return list(unique), places


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

    was_training = module.training
    module.eval()
    try:
        with track(show_progress or "", len(texts) if show_progress else 0, called) as bar:
            for start in range(0, len(texts), _TEXTS_AT_ONCE):
                tokens = tokenize(texts[start : start + _TEXTS_AT_ONCE])
                batches = micro_batches(tokens.lengths, budget, padded=padded)
                for batch, result in on_all_cores(_embedding(embed, tokens), batches, inferring, threads):
                    yield start + batch, result
                    bar.advance(len(batch))
    finally:
        module.train(was_training)


def _embedding(embed: Callable[[Tokens], Result], tokens: Tokens) -> Callable[[np.ndarray], Result]:
    return lambda batch: embed(tokens.take(batch))
