"""Where the sentences of a text are, by rules that know no language but the marks of many."""

from __future__ import annotations

import re

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


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The sentences of a text, in order: first and behind-the-last character of each, white space left out.

    A full stop ends none behind an initial or a usual abbreviation, and none where a small letter follows. No
    sentence goes on behind a blank line. All that is not white space belongs to a sentence.
    """
    spans, start = [], 0
    for found in _END.finditer(text):
        if found["marks"] is None or _ends(text, found):
            begin, stop = trimmed(text, start, found.end())
            if stop > begin:
                spans.append((begin, stop))
            start = found.end()
    begin, stop = trimmed(text, start, len(text))
    return [*spans, (begin, stop)] if stop > begin else spans


def _ends(text: str, found: re.Match[str]) -> bool:
    """Whether marks with white space behind them end a sentence."""
    following = _FOLLOWING.match(text, found.end())
    if following is not None and following[1].islower():
        return False
    if found["marks"] != ".":
        return True
    word = _BEFORE.search(text, max(0, found.start() - 20), found.start())
    if word is None:
        return True
    said = word[1].lstrip("([\"'«“‘")
    return said.casefold() not in _SHORT and not (_INITIALS.fullmatch(said) and not said.isdigit())
