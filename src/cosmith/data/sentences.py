"""Where the sentences of a text are, by rules that know no language but the marks of many."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cosmith.data.documents.composition import trimmed

# What may end a sentence: marks with what closes quotes behind them and white space; marks of East Asia, which need
# none; the end of a paragraph.
_END = re.compile(
    r"""(?P<marks>[.!?…؟।]+)[)\]»”’"']*(?=\s)|[。！？｡]+[」』”’）]*|\n[^\S\n]*(?=\n)""",
)
_FOLLOWING = re.compile(r"\s*[\"'(\[«“‘]*(\S?)")
_BEFORE = re.compile(r"(\S+)\Z")
_INITIALS = re.compile(r"(?:\w\.)*\w", re.UNICODE)  # J, U.S, e.g, z.B
_SHORT_WORDS = (
    "mr mrs ms dr prof sr jr st mt vs etc al fig figs eq eqs no nos vol pp ed eds cf ca approx dept inc ltd co"
    " corp gen col lt sgt rev hon gov sen rep jan feb mar apr jun jul aug sep sept oct nov dec bzw ca usw nr abs"
    " art str evtl ggf vgl sog"
)
_SHORT = frozenset(_SHORT_WORDS.split())


def sentence_spans(text: str, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
    """The sentences of a text, or of a part of it: first and behind-the-last character of each, white space left out.

    A full stop ends none behind an initial or a usual abbreviation, and none where a small letter follows. No
    sentence goes on behind a blank line. All that is not white space belongs to a sentence.

    Args:
        text: The text.
        start, stop: The part, in characters; it is looked at as if nothing stood around it.
    """
    stop, begin = len(text) if stop is None else stop, start
    for found in _END.finditer(text, start, stop):
        if found["marks"] is None or _ends(text, found, start, stop):
            span = trimmed(text, begin, found.end())
            if span[1] > span[0]:
                yield span
            begin = found.end()
    span = trimmed(text, begin, stop)
    if span[1] > span[0]:
        yield span


def _ends(text: str, found: re.Match[str], start: int, stop: int) -> bool:
    """Whether marks with white space behind them end a sentence."""
    following = _FOLLOWING.match(text, found.end(), stop)
    if following is not None and following[1].islower():
        return False
    if found["marks"] != ".":
        return True
    word = _BEFORE.search(text, max(start, found.start() - 20), found.start())
    if word is None:
        return True
    said = word[1].lstrip("([\"'«“‘")
    return said.casefold() not in _SHORT and not (_INITIALS.fullmatch(said) and not said.isdigit())
