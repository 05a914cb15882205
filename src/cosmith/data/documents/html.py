"""HTML pages: what is written in them, without what surrounds it on every page of a site."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from cosmith.data.documents.composition import Composition, Inline
from cosmith.data.documents.decoding import decoded
from cosmith.data.documents.document import Document

_LEFT_OUT_WORDS = (
    "nav header footer script style aside head title template noscript svg iframe object embed audio video canvas"
    " map button select datalist textarea form dialog menu -comment -doctype"
)
_LEFT_OUT = frozenset(_LEFT_OUT_WORDS.split())
_ROLES_WORDS = "navigation banner contentinfo complementary search menu menubar dialog alert"
_ROLES = frozenset(_ROLES_WORDS.split())
_BLOCKS_WORDS = (
    "address article blockquote body center dd details dir div dl dt fieldset figcaption figure html hgroup hr"
    " legend li main ol optgroup option p section summary table tbody tfoot thead tr ul caption colgroup"
)
_BLOCKS = frozenset(_BLOCKS_WORDS.split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_MARK = re.compile(r"[\s¶#§🔗]*")  # all that is written on a link from a heading to itself


def read_html(data: bytes, name: str) -> Document:
    """An HTML page.

    Left out are navigation, headers, footers, asides, forms, scripts and styles, what is hidden, and all that stands
    beside the ``main`` element where there is one. The title is that of the page, or its first ``h1``.

    Raises:
        UnreadableError: The bytes are not in the page's encoding.
    """
    tree = LexborHTMLParser(decoded(data, markup=True))
    composition = Composition(_title(tree))
    if tree.body is not None:
        mains = tree.body.css("main, [role=main]")
        add_nodes(mains[0] if len(mains) == 1 and mains[0].text(strip=True) else tree.body, composition)
    return composition.document(name, "html")


def add_fragment(markup: str, composition: Composition) -> None:
    """Add the text of a piece of HTML that stands in another document."""
    body = LexborHTMLParser(markup).body
    if body is not None:
        add_nodes(body, composition)


def add_nodes(root: LexborNode, composition: Composition) -> None:
    """Add what stands in an element, without the element's own margins."""
    inline = Inline()
    for node, opening in _walk(root):
        tag = node.tag or ""
        if tag == "-text":
            inline.add(node.text_content or "")
        elif tag in _HEADINGS and not opening:
            composition.heading(inline, _HEADINGS[tag])
        elif tag in _BLOCKS or tag in _HEADINGS:
            composition.paragraph(inline)
        elif tag == "pre" and opening:
            composition.paragraph(inline)
            composition.literal(node.text())
        elif tag == "br" and opening:
            inline.break_line()
        elif tag in ("td", "th") and opening and inline:
            inline.add(" | ")
        elif tag == "a":
            if opening:
                inline.open_link(node.attributes.get("href") or "")
            else:
                inline.close_link()
    composition.paragraph(inline)


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """What stands in an element, each node when it begins and, if it has content, when it ends.

    With a stack of its own: pages may be nested deeper than Python's.
    """
    stack: list[tuple[LexborNode, bool]] = [(root, True)]
    while stack:
        node, opening = stack.pop()
        if not opening:
            yield node, False
            continue
        if _left_out(node):
            continue
        yield node, True
        if node.tag == "-text":
            continue
        stack.append((node, False))
        if node.tag != "pre":  # it is taken as a whole
            stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))


def _left_out(node: LexborNode) -> bool:
    tag = node.tag or "-comment"
    if tag == "-text":
        return False
    if tag in _LEFT_OUT:
        return True
    said = node.attributes
    if "hidden" in said or said.get("aria-hidden") == "true" or said.get("role") in _ROLES:
        return True
    return tag == "a" and (said.get("href") or "").startswith("#") and bool(_MARK.fullmatch(node.text()))


def _title(tree: LexborHTMLParser) -> str:
    for tag in ("head title", "h1"):
        found = tree.css_first(tag)
        if found is not None:
            inline = Inline()
            inline.add(re.sub("[¶🔗]", " ", found.text()))
            title, _ = inline.take()
            if title:
                return title
    return ""
