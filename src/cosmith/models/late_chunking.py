"""Vectors of chunks that know the text around them: encode the text first, cut it afterwards.

Günther et al., Late Chunking, arXiv:2409.04701. A chunk that is encoded by itself does not know what its "it" or "the
city" stands for. Here the model reads the whole text, and a chunk's vector is the mean of its tokens' states (section
3.1, algorithm 1). A text longer than the model is read in windows that overlap; a token's state is taken from the first
window that holds it, so that from the second one on all tokens have at least the overlap before them (section 3.2,
algorithm 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cosmith.data.ragged import Int64, offsets_of
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models.batched import distinct_of
from cosmith.models.inference import embedded_batches
from cosmith.models.pooling import Pooling
from cosmith.models.tokenization import TextTokenizer


def require_mean_pooling(pooling: Pooling, *, static: bool, name: str) -> None:
    """Refuse models of whose vectors a part of a text has none.

    Raises:
        InputError: The model is static, or does not pool by the mean.
    """
    if static:
        raise InputError(f"{name} is static: its tokens know nothing of the text around them", field="encoder",
                         remedy="Encode the chunks by themselves, or take a transformer.")  # fmt: skip
    if pooling != "mean":
        raise InputError(
            f"{name} pools by {pooling}: only with mean pooling does a part of a text have a vector like a whole one's",
            field="encoder",
            remedy="Take a model with mean pooling, or encode the chunks by themselves.",
        )


def mean_states(
    texts: Sequence[str],
    spans: Sequence[npt.ArrayLike],
    *,
    tokenizer: TextTokenizer,
    before: str,
    max_length: int,
    overlap: int | None,
    states: Callable[[RaggedTokens], torch.Tensor],
    hidden: int,
    module: torch.nn.Module,
    padded: bool,
    context: Callable[[], AbstractContextManager[Any]],
    token_budget: int | None,
    show_progress: str | None,
) -> npt.NDArray[np.float32]:
    """The mean of the states of each chunk's tokens.

    Args:
        texts, spans, overlap: As for :meth:`cosmith.models.Encoder.encode_chunks`.
        tokenizer: The model's.
        before: The text of the prompt.
        max_length: The most tokens of a window.
        states: The tokens of some windows → their states ``[tokens, hidden]``.
        hidden: Their width.
        module, padded, context, token_budget, show_progress: As for :func:`cosmith.models.inference.embedded_batches`.

    Returns:
        float32 ``[chunks, hidden]``.

    Raises:
        InputError: As :meth:`cosmith.models.Encoder.encode_chunks`.
    """
    distinct_of(texts)  # refuses a single text
    if len(texts) != len(spans):
        raise InputError(f"there are {len(texts)} texts, but spans for {len(spans)}", field="spans")
    windows, pieces = _laid_out(texts, spans, tokenizer, before, max_length, overlap)
    # In double precision the order in which windows are ready does not show.
    sums = np.zeros((pieces.chunks, hidden), dtype=np.float64)

    def summed(batch: _Windows) -> tuple[Int64, npt.NDArray[np.float32]]:
        parts = pieces.of(batch.numbers, batch.tokens.offsets)
        found = states(batch.tokens)
        part = torch.from_numpy(np.repeat(np.arange(len(parts.chunk)), parts.lengths)).to(found.device)
        token = torch.from_numpy(parts.tokens()).to(found.device)
        total = torch.zeros(len(parts.chunk), hidden, device=found.device)
        return parts.chunk, total.index_add_(0, part, found[token].float()).cpu().numpy()

    for _, (chunk, part) in embedded_batches(
        range(len(windows.tokens)), tokenize=windows.take, embed=summed, module=module, padded=padded, context=context,
        token_budget=token_budget, show_progress=show_progress, called="windows",
    ):  # fmt: skip
        np.add.at(sums, chunk, part)
    return (sums / pieces.counts[:, None]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Windows:
    """What the model reads at once.

    Attributes:
        tokens: A row a window.
        numbers: Which windows these are, int64 ``[n]``.
    """

    tokens: RaggedTokens
    numbers: Int64

    @property
    def lengths(self) -> Int64:
        return self.tokens.lengths

    def take(self, places: npt.ArrayLike) -> _Windows:
        return _Windows(self.tokens.take(places), self.numbers[np.asarray(places, dtype=np.int64)])


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Parts of chunks, each within one window.

    Attributes:
        chunk: The number of each part's chunk, int64 ``[pieces]``.
        start: Where it begins, among the tokens of its window or, put together, of a batch.
        lengths: Its tokens.
        offsets: Where the pieces of each window begin, int64 ``[windows + 1]``; empty for a batch.
        chunks: How many chunks there are.
        counts: The tokens of each chunk, int64 ``[chunks]``.
    """

    chunk: Int64
    start: Int64
    lengths: Int64
    offsets: Int64
    chunks: int
    counts: Int64

    def of(self, windows: Int64, begins: Int64) -> _Pieces:
        """The pieces of some windows whose tokens stand one window after the other from ``begins`` on."""
        numbers = [np.arange(self.offsets[window], self.offsets[window + 1]) for window in windows]
        chosen = np.concatenate([np.zeros(0, np.int64), *numbers])
        shift = np.repeat(begins[:-1], [len(each) for each in numbers])
        return _Pieces(self.chunk[chosen], self.start[chosen] + shift, self.lengths[chosen], self.offsets[:0],
                       self.chunks, self.counts)  # fmt: skip

    def tokens(self) -> Int64:
        """The tokens of all pieces, one piece after another: int64 ``[total]``."""
        ends = np.cumsum(self.lengths)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - self.lengths, self.lengths)
        places: Int64 = np.repeat(self.start, self.lengths) + within
        return places


def _laid_out(
    texts: Sequence[str],
    spans: Sequence[npt.ArrayLike],
    tokenizer: TextTokenizer,
    before: str,
    max_length: int,
    overlap: int | None,
) -> tuple[_Windows, _Pieces]:
    """The windows of all texts, and which of their tokens make which chunks."""
    opening, closing = tokenizer.opening, tokenizer.closing
    rows: list[Int64] = []
    pieces: list[tuple[int, int, int]] = []
    per_window: list[int] = []
    counts: list[int] = []
    for number, (text, said) in enumerate(zip(texts, spans, strict=True)):
        wanted = _checked(said, text, number)
        ids, places = tokenizer.with_spans(before + text)
        places = places - len(before)
        own = int(np.searchsorted(places[:, 1], 0, "right"))  # tokens of the prompt alone
        leading = np.array([*opening, *ids[:own]], dtype=np.int64)
        ids, places = ids[own:], places[own:]
        room = max_length - len(leading) - len(closing)
        shared = room // 4 if overlap is None else overlap
        if not 0 <= shared < room:
            raise InputError(f"is {shared}, but a window of {max_length} tokens has room for {room} of a text",
                             field="overlap", remedy="Give less, or a model that reads more.")  # fmt: skip
        first = np.searchsorted(np.maximum.accumulate(places[:, 1]), wanted[:, 0], "right")
        last = np.searchsorted(places[:, 0], wanted[:, 1], "left")
        for chunk, (begin, end) in enumerate(zip(first, last, strict=True)):
            if begin >= end:
                raise InputError(f"chunk number {chunk} of text number {number} (both from 0) holds no token",
                                 field="spans", remedy="Leave it out.")  # fmt: skip
        base = len(counts)
        counts.extend((last - first).tolist())
        reached = 0
        while reached < len(ids) and len(wanted):
            start = max(0, reached - shared)
            stop = min(len(ids), start + room)
            here = np.flatnonzero((first < stop) & (last > reached)).tolist()
            if here:  # else no chunk needs this window
                rows.append(np.concatenate([leading, ids[start:stop], np.array(closing, dtype=np.int64)]))
                per_window.append(len(here))
            for chunk in here:
                begin, end = max(int(first[chunk]), reached), min(int(last[chunk]), stop)
                pieces.append((base + chunk, begin - start + len(leading), end - begin))
            reached = stop
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    values = np.concatenate([np.zeros(0, np.int64), *rows]).astype(np.int32)
    tokens = RaggedTokens(values, offsets_of(lengths), lengths.astype(np.int32))
    parts = np.array(pieces, dtype=np.int64).reshape(-1, 3)
    laid = _Pieces(
        parts[:, 0], parts[:, 1], parts[:, 2], offsets_of(np.array(per_window, dtype=np.int64)), len(counts),
        np.array(counts, dtype=np.int64),
    )  # fmt: skip
    return _Windows(tokens, np.arange(len(rows))), laid


def _checked(spans: npt.ArrayLike, text: str, number: int) -> Int64:
    """The spans of a text as int64 ``[chunks, 2]``."""
    given = np.asarray(spans)
    wanted = given.reshape(-1, 2).astype(np.int64) if given.size else np.zeros((0, 2), dtype=np.int64)
    if given.size and (given.ndim != 2 or given.shape[1] != 2 or not np.issubdtype(given.dtype, np.integer)):
        raise InputError(f"those of text number {number} (from 0) are no whole numbers [chunks, 2]", field="spans")
    if len(wanted) and (wanted.min() < 0 or wanted.max() > len(text) or (wanted[:, 0] >= wanted[:, 1]).any()):
        raise InputError(f"a span of text number {number} (from 0) is empty or leaves the text", field="spans")
    return wanted
