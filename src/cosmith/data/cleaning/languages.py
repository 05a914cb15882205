"""Which language a text is in, by py3langid: 140 languages, a small model that comes with it, no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cosmith.data.cleaning.judged import Fault, Judged, judged
from cosmith.errors import InputError, nearest

_READ = 1000  # characters of a text by which its language is told
UNKNOWN = "und"
"""What a language is called that cannot be told (ISO 639-2, undetermined)."""
LIKELY = 0.5
"""The probability from which a language is told of a text. Below it stand nearly all single words, and short sentences
whose words other languages have as well: on sentences of Tatoeba and questions of MedQuAD and banking77, English ones
that have it are taken for another language in less than 1 %, of all that have 20 letters or more."""


@dataclass(frozen=True)
class Languages:
    """Keep texts of some languages; what is too short to tell, or cannot be told for sure, is kept as well.

    Attributes:
        keep: Codes of ISO 639-1, e.g. ``en``.
        least_confidence: A text is left out when it is in another language with this probability or a higher one.
        shortest: Letters; of a text that has fewer, no language can be told.
    """

    keep: tuple[str, ...]
    least_confidence: float = 0.7
    shortest: int = 20

    def __post_init__(self) -> None:
        if not self.keep:
            raise InputError("no language is named", field="languages", remedy="Give one or more, e.g. en.")
        if not 0 <= self.least_confidence <= 1:
            raise InputError(
                f"a confidence of {self.least_confidence} cannot be", field="least_confidence",
                remedy="Give a probability from 0 to 1.",
            )  # fmt: skip


def shown_language(code: str) -> str:
    """A language as it is told to people."""
    return "too short to tell" if code == UNKNOWN else code


def detect_languages(texts: Iterable[str]) -> list[tuple[str, float]]:
    """The likeliest language of each text, by its first thousand characters, and its probability.

    Of a text of a few words it is little more than a guess, which the probability shows; a text without letters is of
    the language ``und``, with probability 0.

    Raises:
        InputError: When py3langid is not installed.
    """
    identifier = _identifier()
    return [identifier.classify(text[:_READ]) if _letters(text) else (UNKNOWN, 0.0) for text in texts]


def judge_languages(texts: Iterable[str], settings: Languages) -> Judged:
    """Leave out texts that are surely in another language.

    Args:
        texts: The texts, read once.
        settings: What is kept.

    Raises:
        InputError: When py3langid is not installed, or does not know a language that is to be kept.
    """
    identifier = _identifier()
    for code in settings.keep:
        if code not in identifier.labels:
            raise InputError(
                f"the language {code!r} is not known", field="languages", remedy=nearest(code, identifier.labels)
            )

    def fault_of(text: str) -> Fault | None:
        if _letters(text) < settings.shortest:
            return None
        language, confidence = identifier.classify(text[:_READ])
        if language in settings.keep or confidence < settings.least_confidence:
            return None
        return Fault("another language", f"{language}, {confidence:.2f}")

    return judged(map(fault_of, texts))


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text[:_READ]))


@lru_cache(maxsize=1)
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise InputError(
            "telling languages needs py3langid, which is not installed", field="languages",
            remedy='Install it: pip install "cosmith[data]".',
        ) from error  # fmt: skip
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
