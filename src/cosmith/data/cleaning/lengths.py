"""Texts of a length that says something, and that a model can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from cosmith.data.cleaning.judged import Fault, Judged, judged
from cosmith.data.cleaning.words import words_of
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.phrases import counted

Tokenize = Callable[[Sequence[str]], RaggedTokens]

_AT_ONCE = 4096  # texts that are tokenised together


@dataclass(frozen=True)
class Length:
    """How long a text may be; None: no such limit.

    Attributes:
        least_characters, most_characters: In characters, without white space around the text.
        least_words, most_words: In words; in Chinese and Japanese each character is one.
        least_tokens, most_tokens: In tokens of a model, special ones included.

    Raises:
        InputError: When nothing could be within a limit, or none is given.
    """

    least_characters: int | None = None
    most_characters: int | None = None
    least_words: int | None = None
    most_words: int | None = None
    least_tokens: int | None = None
    most_tokens: int | None = None

    def __post_init__(self) -> None:
        for unit, (least, most) in self.limits().items():
            for name, value in (("least", least), ("most", most)):
                if value is not None and value < 1:
                    raise InputError(f"{name}_{unit} is {value}", field=f"{name}_{unit}", remedy="Give at least 1.")
            if least is not None and most is not None and least > most:
                raise InputError(
                    f"least_{unit} ({least}) is above most_{unit} ({most})", field=f"least_{unit}",
                    remedy="Nothing could be kept; change one of the two.",
                )  # fmt: skip
        if all(limit == (None, None) for limit in self.limits().values()):
            raise InputError("no length is limited", field="least_words", remedy="Give at least one limit.")

    def limits(self) -> dict[str, tuple[int | None, int | None]]:
        """Unit → the least and the most of it."""
        return {
            "characters": (self.least_characters, self.most_characters),
            "words": (self.least_words, self.most_words),
            "tokens": (self.least_tokens, self.most_tokens),
        }


def judge_lengths(texts: Iterable[str], settings: Length, tokenize: Tokenize | None = None) -> Judged:
    """Leave out texts that are too short or too long.

    Args:
        texts: The texts, read once.
        settings: The limits.
        tokenize: For limits in tokens: a model's, e.g. :meth:`cosmith.models.Encoder.tokenize`.

    Raises:
        InputError: When tokens are limited and there is no ``tokenize``.
    """
    limits = {unit: limit for unit, limit in settings.limits().items() if limit != (None, None)}
    if "tokens" in limits and tokenize is None:
        raise InputError(
            "a length in tokens needs a model to count them", field="tokenize",
            remedy="Give a model's tokenize, or limit the words.",
        )  # fmt: skip
    tokens = tokenize if "tokens" in limits else None
    return judged(_fault(text, count, limits) for text, count in _with_tokens(texts, tokens))


def _with_tokens(texts: Iterable[str], tokenize: Tokenize | None) -> Iterator[tuple[str, int]]:
    """Each text with the number of its tokens; 0 where they are not asked for."""
    if tokenize is None:
        yield from ((text, 0) for text in texts)
        return
    remaining = iter(texts)
    while part := list(islice(remaining, _AT_ONCE)):
        yield from zip(part, tokenize(part).full_lengths.tolist(), strict=True)


def _fault(text: str, tokens: int, limits: dict[str, tuple[int | None, int | None]]) -> Fault | None:
    for unit, (least, most) in limits.items():
        match unit:
            case "characters":
                count = len(text.strip())
            case "words":
                count = len(words_of(text))
            case _:
                count = tokens
        found = counted(count, unit.removesuffix("s"))
        if least is not None and count < least:
            return Fault(f"fewer than {counted(least, unit.removesuffix('s'))}", found)
        if most is not None and count > most:
            return Fault(f"more than {counted(most, unit.removesuffix('s'))}", found)
    return None
