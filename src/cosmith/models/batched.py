"""Any number of texts through what works on micro-batches: equal ones once, those of similar length together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from cosmith.errors import InputError
from cosmith.models.batching import micro_batches
from cosmith.models.threads import one_ahead
from cosmith.progress import track

_WINDOW = 8_192
"""Texts that are tokenised, and sorted by length, together: the model waits for the first of them only."""

Item = TypeVar("Item", bound=Hashable)  # a text, a pair of texts, the number of something else


class Tokenised(Protocol):
    """The tokens of some items."""

    @property
    def lengths(self) -> np.ndarray:
        """int64 ``[n]``."""

    def take(self, numbers: Any) -> Any:
        """Those of these items."""


Tokens = TypeVar("Tokens", bound=Tokenised)
Result = TypeVar("Result")
ShareOut = Callable[[Callable[[np.ndarray], Result], Sequence[np.ndarray]], Iterator[tuple[np.ndarray, Result]]]
"""Does some work for each of some micro-batches, in any order, and gives each with its result."""


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


def tokens_ahead(texts: Sequence[Item], tokenize: Callable[[Sequence[Item]], Tokens]) -> Iterator[tuple[int, Tokens]]:
    """The tokens of some texts after the other, the next of them made while the caller works on the last.

    Args:
        texts: Any number of texts, or of pairs.
        tokenize: Texts → their tokens.

    Yields:
        The number of the first of some texts, and the tokens of these.
    """
    starts = range(0, len(texts), _WINDOW)
    yield from zip(starts, one_ahead(lambda start: tokenize(texts[start : start + _WINDOW]), starts), strict=True)


def batched(
    texts: Sequence[Item],
    *,
    tokenize: Callable[[Sequence[Item]], Tokens],
    embed: Callable[[Tokens], Result],
    share_out: ShareOut[Result],
    token_budget: int,
    padded: bool,
    show_progress: str | None,
    called: str = "texts",
) -> Iterator[tuple[np.ndarray, Result]]:
    """What becomes of texts.

    Args:
        texts: Any number of texts, or of pairs.
        tokenize: Texts → their tokens.
        embed: The tokens of one micro-batch → what becomes of them; may run in several threads at once.
        share_out: Has the micro-batches worked on.
        token_budget: The most tokens in a micro-batch.
        padded: Whether the texts of a micro-batch are filled up to the longest of them.
        show_progress: What to call this step in the progress display; None shows nothing.
        called: What the texts are called there.

    Yields:
        The numbers of the texts of a micro-batch, int64 [n], with its result, as they are ready.
    """
    with track(show_progress or "", len(texts) if show_progress else 0, called) as bar:
        for start, tokens in tokens_ahead(texts, tokenize):
            batches = micro_batches(tokens.lengths, token_budget, padded=padded)
            for batch, result in share_out(_embedding(embed, tokens), batches):
                yield start + batch, result
                bar.advance(len(batch))


def _embedding(embed: Callable[[Tokens], Result], tokens: Tokens) -> Callable[[np.ndarray], Result]:
    return lambda batch: embed(tokens.take(batch))
