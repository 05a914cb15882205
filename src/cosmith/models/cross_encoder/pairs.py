"""Two texts that are read together: a query and a document as one sequence of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models.tokenization import TextTokenizer

Pair = tuple[str, str]
"""A query and a document."""


@dataclass(frozen=True, eq=False)
class PairTokens:
    """The tokens of ``n`` pairs.

    Attributes:
        tokens: A row for each pair, special tokens included.
        second: int64 ``[n]``, how many of a row's tokens belong to the first segment.
    """

    tokens: RaggedTokens
    second: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.second)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """int64 ``[n]``, the number of tokens of each pair."""
        return self.tokens.lengths

    def take(self, numbers: npt.NDArray[np.int64]) -> PairTokens:
        """The tokens of these pairs ``[m]``, in that order."""
        return PairTokens(self.tokens.take(numbers), self.second[numbers])

    @property
    def segments(self) -> npt.NDArray[np.int64]:
        """int64 ``[tokens]``: 0 in the first segment of a pair, 1 in the second."""
        starts = np.repeat(self.tokens.offsets[:-1] + self.second, self.lengths)
        return (np.arange(len(self.tokens.values)) >= starts).astype(np.int64)


PairTokenizer = Callable[[Sequence[Pair], int, str], PairTokens]
"""Pairs, the most tokens of one, an instruction → their tokens."""


class SegmentTokenizer:
    """Pairs as encoders read them: each text tokenised by itself, special tokens between; instructions are not read.

    Too long a pair loses tokens at the end of its longer text first (transformers' ``longest_first``).

    Args:
        tokenizer: A transformers fast tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._texts = TextTokenizer(tokenizer, special_tokens=False)
        self._frame = TextTokenizer(tokenizer).pair_frame

    def __call__(self, pairs: Sequence[Pair], max_length: int, instruction: str = "") -> PairTokens:
        """Tokenise pairs, each distinct text once.

        Raises:
            InputError: When ``max_length`` leaves no room for the texts.
        """
        frame = self._frame
        room = max_length - len(frame)
        if room < 2:
            raise InputError(f"is {max_length}, but must be more than {len(frame) + 1} (the special tokens, and a token"
                             " of each text)", field="max_length", remedy="Give a larger one.")  # fmt: skip
        numbers: dict[str, int] = {}
        places = np.array([[numbers.setdefault(text, len(numbers)) for text in pair] for pair in pairs], np.int64)
        places = places.reshape(-1, 2)
        texts = self._texts(list(numbers), 2**31 - 1)
        whole = texts.lengths[places]
        kept = longest_first(whole, room)
        starts = texts.offsets[:-1][places]
        rows = [
            part
            for (begin, other), (first, second) in zip(starts.tolist(), kept.tolist(), strict=True)
            for part in (frame.opening, texts.values[begin : begin + first], frame.middle,
                         texts.values[other : other + second], frame.closing)
        ]  # fmt: skip
        return PairTokens(
            _ragged(rows, kept.sum(1) + len(frame), whole.sum(1) + len(frame)),
            kept[:, 0] + len(frame.opening) + frame.second,
        )


class TemplateTokenizer:
    """Pairs as language models read them: written into the tokenizer's chat template, which knows the roles ``query``
    and ``document``, and ``system`` for an instruction.

    Too long a pair loses tokens before those that the template puts behind the document.

    Args:
        tokenizer: A transformers fast tokenizer with such a template.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._texts = TextTokenizer(tokenizer, special_tokens=False)  # the template writes them

    def __call__(self, pairs: Sequence[Pair], max_length: int, instruction: str = "") -> PairTokens:
        """Tokenise pairs.

        Raises:
            InputError: When ``max_length`` leaves no room for the texts.
        """
        first, other = (self._whole([(filler, filler)], instruction).values for filler in ("0", "1 2 3 4"))
        shorter = min(len(first), len(other))
        same = first[len(first) - shorter :][::-1] == other[len(other) - shorter :][::-1]
        closing = first[len(first) - (shorter if same.all() else int(same.argmin())) :]
        if max_length <= len(first):
            raise InputError(f"is {max_length}, but the template alone takes {len(first)} tokens", field="max_length",
                             remedy="Give a larger one.")  # fmt: skip
        whole = self._whole(pairs, instruction)
        rows = []
        for begin, end in zip(whole.offsets[:-1].tolist(), whole.offsets[1:].tolist(), strict=True):
            row = whole.values[begin:end]
            fits = len(row) <= max_length
            rows.append(row if fits else np.concatenate([row[: max_length - len(closing)], closing]))
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        return PairTokens(_ragged(rows, lengths, whole.lengths), lengths)

    def _whole(self, pairs: Sequence[Pair], instruction: str) -> RaggedTokens:
        system = [{"role": "system", "content": instruction}] if instruction else []
        conversations = [
            [*system, {"role": "query", "content": query}, {"role": "document", "content": document}]
            for query, document in pairs
        ]
        written = self._tokenizer.apply_chat_template(conversations, tokenize=False) if pairs else []
        return self._texts(written, 2**31 - 1)


def longest_first(lengths: npt.NDArray[np.int64], room: int) -> npt.NDArray[np.int64]:
    """How many tokens of each text are kept, where the longer one of two is cut first.

    Args:
        lengths: int64 ``[n, 2]``.
        room: The most tokens that the two may have together.

    Returns:
        int64 ``[n, 2]``.
    """
    shorter = np.minimum(lengths.min(1), room // 2)
    longer = np.minimum(lengths.max(1), room - shorter)
    first_is_longer = lengths[:, 0] > lengths[:, 1]
    kept = np.where(first_is_longer[:, None], np.stack([longer, shorter], 1), np.stack([shorter, longer], 1))
    return np.where((lengths.sum(1) > room)[:, None], kept, lengths)


def _ragged(
    parts: Sequence[npt.NDArray[np.int32]], lengths: npt.NDArray[np.int64], full: npt.NDArray[np.int64]
) -> RaggedTokens:
    """Rows of these lengths ``[n]`` from arrays that make them up one after the other."""
    values = np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)
    return RaggedTokens(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), full.astype(np.int32))
