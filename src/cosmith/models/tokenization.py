"""Texts to token ids, through the fast tokenizer directly, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xxhash

from cosmith.data.texts import text_problem
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError

_TEXTS_PER_CALL = 2_000


@dataclass(frozen=True)
class PairFrame:
    """The special tokens that a tokenizer puts around two texts that are read together, each int32 ``[m]``.

    Attributes:
        opening: Before the first text.
        middle: Between the two.
        closing: Behind the second.
        second: How many of ``middle`` still belong to the first segment (BERT's token type 0).
    """

    opening: np.ndarray
    middle: np.ndarray
    closing: np.ndarray
    second: int

    def __len__(self) -> int:
        return len(self.opening) + len(self.middle) + len(self.closing)


class TextTokenizer:
    """A transformers fast tokenizer, read without its padding and truncation.

    Args:
        tokenizer: The transformers tokenizer (kept for saving).
        do_lower_case: Lower-case texts first (an old sentence-transformers option).
        special_tokens: Whether texts get the tokenizer's special tokens; without them a text may have no token.
    """

    def __init__(self, tokenizer: Any, *, do_lower_case: bool = False, special_tokens: bool = True) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise InputError(
                f"the tokenizer {type(tokenizer).__name__} has no fast (tokenizers) form",
                remedy="Save it with a tokenizer.json and load that folder.",
            )
        self.tokenizer = tokenizer
        self.do_lower_case, self.special_tokens = do_lower_case, special_tokens
        self._backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.no_padding()
        self._backend.no_truncation()

    @cached_property
    def _around(self) -> tuple[np.ndarray, np.ndarray]:
        """The special tokens before a text, and those behind it, which must survive its truncation."""
        encoding = self._backend.encode("a", add_special_tokens=self.special_tokens)
        ids, special = np.asarray(encoding.ids, dtype=np.int32), np.asarray(encoding.special_tokens_mask)
        text = np.flatnonzero(special == 0)
        return (ids[: text[0]], ids[text[-1] + 1 :]) if len(text) else (ids[:0], ids)

    @property
    def closing(self) -> list[int]:
        """The special tokens behind every text."""
        closing: list[int] = self._around[1].tolist()
        return closing

    @cached_property
    def pair_frame(self) -> PairFrame:
        """What stands around two texts."""
        encoding = self._backend.encode("a", "a")
        ids, types = np.asarray(encoding.ids, dtype=np.int32), np.asarray(encoding.type_ids)
        sequence = np.array([-1 if number is None else number for number in encoding.sequence_ids])
        first, second = np.flatnonzero(sequence == 0), np.flatnonzero(sequence == 1)
        middle = slice(first[-1] + 1, second[0])
        return PairFrame(ids[: first[0]], ids[middle], ids[second[-1] + 1 :], int((types[middle] == 0).sum()))

    @cached_property
    def _stand_in(self) -> list[int]:
        """The token for a text that has none at all, so that every text has a vector."""
        candidates = (self.tokenizer.eos_token_id, self.tokenizer.pad_token_id, 0)
        return [next(int(token) for token in candidates if token is not None)] if self.special_tokens else []

    def __call__(self, texts: Sequence[str], max_length: int) -> RaggedTokens:
        """Tokenise, special tokens included; longer texts lose what stands before the closing special tokens.

        Args:
            texts: Any number of texts.
            max_length: The most tokens of a text that are kept, special tokens included.

        Raises:
            InputError: When nothing but special tokens would be kept, or a text cannot be used.
        """
        closing = self._around[1]
        self._room(max_length)
        rows: list[np.ndarray] = []
        full = np.empty(len(texts), dtype=np.int32)
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            part = texts[start : start + _TEXTS_PER_CALL]
            for number, encoding in enumerate(self._encoded(part, start), start):
                ids = np.asarray(encoding.ids or self._stand_in, dtype=np.int32)
                full[number] = len(ids)
                if len(ids) > max_length:
                    ids = np.concatenate([ids[: max_length - len(closing)], closing])
                rows.append(ids)
        offsets = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        values = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
        return RaggedTokens(values=values, offsets=offsets, full_lengths=full)

    def with_spans(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of a whole text without special ones, and where each of them stands.

        Returns:
            int32 ``[tokens]``; int64 ``[tokens, 2]``, first and behind-the-last character of each. A character of
            several tokens stands in each of them.

        Raises:
            InputError: When the text cannot be used.
        """
        text, places = _lowered(text) if self.do_lower_case else (text, None)
        try:
            encoding = self._backend.encode(text, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):
            self._encoded([text], 0)  # says what is wrong
            raise
        spans = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        if places is not None:
            begins, ends = places[spans[:, 0]], places[spans[:, 1] - 1] + 1
            spans = np.column_stack([begins, np.where(spans[:, 1] > spans[:, 0], ends, begins)])
        return np.asarray(encoding.ids, dtype=np.int32), spans

    @property
    def opening(self) -> list[int]:
        """The special tokens before every text."""
        opening: list[int] = self._around[0].tolist()
        return opening

    def prompt_length(self, prompt: str) -> int:
        """How many tokens a prompt takes at the beginning of a text, special ones included that stand before it.

        Counted as sentence-transformers does: the prompt by itself, without a special token at its end.
        """
        ids = self._encoded([prompt], 0)[0].ids
        return len(ids) - bool(ids and ids[-1] in self.tokenizer.all_special_ids)

    def pieces(self, texts: Sequence[str], max_length: int) -> RaggedTokens:
        """Tokenise whole texts, each cut into as many pieces as it takes, every one with its special tokens.

        Args:
            texts: Any number of texts.
            max_length: The most tokens of a piece, special tokens included.

        Returns:
            A row a piece, in the order of the texts; ``full_lengths`` are those of the pieces. A text without a token
            of its own has none.

        Raises:
            InputError: As when it is called.
        """
        opening, closing = self._around
        room = self._room(max_length)
        rows: list[np.ndarray] = []
        for start in range(0, len(texts), _TEXTS_PER_CALL):
            for encoding in self._encoded(texts[start : start + _TEXTS_PER_CALL], start):
                ids = np.asarray(encoding.ids, dtype=np.int32)[len(opening) : len(encoding.ids) - len(closing)]
                for begin in range(0, len(ids), room):
                    rows.append(np.concatenate([opening, ids[begin : begin + room], closing]))
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        values = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
        return RaggedTokens(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), lengths)

    def vocabulary(self) -> RaggedTokens:
        """Every token of the vocabulary as a text by itself, by number, with the special tokens around it."""
        opening, closing = self._around
        count = len(self.tokenizer)
        rows = np.empty((count, len(opening) + 1 + len(closing)), dtype=np.int32)
        rows[:, : len(opening)], rows[:, len(opening)], rows[:, len(opening) + 1 :] = opening, np.arange(count), closing
        lengths = np.full(count, rows.shape[1], dtype=np.int32)
        return RaggedTokens(rows.reshape(-1), np.arange(count + 1, dtype=np.int64) * rows.shape[1], lengths)

    def _room(self, max_length: int) -> int:
        """How many tokens of a text itself are kept beside the special ones."""
        special = sum(map(len, self._around))
        if max_length <= special:
            raise InputError(
                f"is {max_length}, but must be more than {special} (the special tokens)", field="max_length",
                remedy="Give a larger one.",
            )  # fmt: skip
        return max_length - special

    def _encoded(self, texts: Sequence[str], start: int) -> list[Any]:
        """Tokenise some texts, the first of which is number ``start``."""
        try:
            encodings: list[Any] = self._backend.encode_batch_fast(
                [text.lower() for text in texts] if self.do_lower_case else list(texts),
                add_special_tokens=self.special_tokens,
            )
        except (TypeError, AttributeError, UnicodeEncodeError):
            for number, text in enumerate(texts, start):
                if not isinstance(text, str) or any("\ud800" <= character <= "\udfff" for character in text):
                    raise InputError(
                        f"text number {number} (counted from 0) {text_problem(text)}", field="texts",
                        remedy="Mend it, or leave it out.",
                    ) from None  # fmt: skip
            raise
        return encodings

    def fingerprint(self) -> str:
        """A hash over the vocabulary and rules."""
        bare = "" if self.special_tokens else "bare"
        return xxhash.xxh3_128_hexdigest(f"{bare}{self.do_lower_case}{self._backend.to_str()}".encode())


def _lowered(text: str) -> tuple[str, np.ndarray]:
    """A text in small letters, and which character each of its characters was, int64 ``[small letters + 1]``.

    A capital may become two characters.
    """
    letters = [character.lower() for character in text]
    places = np.repeat(np.arange(len(text)), [len(each) for each in letters])
    return "".join(letters), np.append(places, len(text)).astype(np.int64)
