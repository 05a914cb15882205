"""Texts of the user's as a report shows them: cut where they are long, in a fixed width where they are code."""

from __future__ import annotations

from cosmith.inspection import wording
from cosmith.inspection.markup import Markup, element


def passage(text: str, *, characters: int = 700, lines: int = 14) -> Markup:
    """A document or an answer."""
    shown = wording.excerpt(text, characters, lines)
    if wording.looks_like_code(text):
        return element("pre", element("code", shown), tabindex="0")
    return element("p", shown, class_="passage")
