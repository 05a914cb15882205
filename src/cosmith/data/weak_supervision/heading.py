"""Heading → section: E5 takes section titles of Wikipedia with their passages (arXiv:2212.03533, Section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cosmith.data.documents import Document, Section
from cosmith.data.weak_supervision.pair import Pair, folded
from cosmith.data.weak_supervision.settings import require_choice

GENERIC_HEADINGS = frozenset(
    {
        "acknowledgements", "acknowledgments", "appendix", "bibliography", "changelog", "citation", "citing",
        "contact", "contents", "copyright", "credits", "external links", "footnotes", "further reading", "index",
        "licence", "license", "links", "navigation", "notes", "references", "related", "resources", "see also",
        "sources", "table of contents", "toc",
    }
)  # fmt: skip
"""Headings, folded, above lists of something: they say nothing of what stands below, with the title neither."""


@dataclass(frozen=True)
class Heading:
    """The heading of a section finds what stands below it.

    Attributes:
        context: What is put before the heading, since "Installation" alone says little: the document's ``title``, the
            title and the ``headings`` above it, or ``none``.

    Raises:
        InputError: When a value is not possible.
    """

    context: Literal["none", "title", "headings"] = "title"

    def __post_init__(self) -> None:
        require_choice("context", self.context, ("none", "title", "headings"))


def heading_pairs(document: Document, form: Heading) -> Iterator[Pair]:
    """Each heading of a document with the section's own body."""
    above: list[Section] = []
    before = 0
    for section in document.sections:
        heading = " ".join(section.heading.split())
        above = [each for each in above if each.level < section.level]
        if heading:
            start = document.text.rfind(section.heading, before, section.start)
            stop = start + len(section.heading) if start >= 0 else 0
            yield Pair(
                "heading",
                _with_context(heading, document, above, form),
                document.text[section.start : section.stop].strip(),
                document.id,
                document.id,
                max(start, 0),
                stop,
                problem="the heading says nothing of its own" if folded(heading) in GENERIC_HEADINGS else "",
            )
            above.append(section)
        before = section.stop


def _with_context(heading: str, document: Document, above: list[Section], form: Heading) -> str:
    """The heading behind what stands above it; what the words so far say already is not said again."""
    parts = [] if form.context == "none" else [document.title]
    parts += [section.heading for section in above] if form.context == "headings" else []
    said: list[str] = []
    for part in (*parts, heading):
        words = " ".join(part.split())
        if words and (not said or folded(words) != folded(said[-1])):
            said.append(words)
    if len(said) > 1 and folded(said[-2]) in folded(said[-1]):
        del said[-2]
    return " ".join(said)
