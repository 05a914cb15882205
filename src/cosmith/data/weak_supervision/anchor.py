"""Anchor text → page: what others write on their links to a page says what it is about.

As in HARP (arXiv:2108.09346) and the anchor pairs of Anchor-DR (arXiv:2305.05834), where anchors that say nothing
("here", "read more") are left out, too. The anchors of a page are gathered over all pages that link to it.
"""

from __future__ import annotations

import posixpath
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.documents import Document
from cosmith.data.weak_supervision.pair import Pair, folded
from cosmith.data.weak_supervision.settings import require_count
from cosmith.data.weak_supervision.spill import Spill
from cosmith.data.weak_supervision.title import untitled

GENERIC_ANCHORS = frozenset(
    {
        "1", "about", "back", "click", "click here", "contact", "continue", "details", "docs", "documentation",
        "download", "edit", "example", "examples", "external link", "for more information", "full text", "go", "here",
        "home", "home page", "homepage", "index", "info", "learn more", "link", "links", "login", "menu", "more",
        "more details", "more info", "more information", "next", "next page", "previous", "previous page", "prev",
        "read more", "read on", "read this", "see", "see here", "see more", "see this", "source", "source code",
        "this", "this article", "this document", "this link", "this page", "this post", "this section", "this site",
        "top", "up", "view", "view more", "website",
        "hier", "klicken sie hier", "mehr", "mehr erfahren", "weiter", "weiterlesen", "zurück", "diese seite",
        "ici", "cliquez ici", "en savoir plus", "lire la suite", "suivant", "précédent", "cette page",
        "aquí", "haga clic aquí", "leer más", "más información", "siguiente", "anterior", "esta página",
        "qui", "clicca qui", "leggi tutto", "aqui", "clique aqui", "saiba mais", "leia mais",
        "здесь", "подробнее", "далее", "这里", "点击这里", "更多", "こちら", "続きを読む",
    }
)  # fmt: skip
"""Texts of links, folded, that say nothing of the page behind them."""

_SUFFIX = re.compile(r"\.(?:md|markdown|mdx|html?|xhtml|rst|txt|php|aspx?)$", re.IGNORECASE)
_FRONT_PAGE = re.compile(r"(?:^|/)(?:index|readme|default)$", re.IGNORECASE)
_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//|www\.)", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Anchor:
    """The text of a link finds the page that it leads to.

    Attributes:
        least_pages: How many other pages must say the same of a page.
        per_document: The most anchors of a page, those that most pages say.
        shortest_anchor: Characters of an anchor.

    Raises:
        InputError: When a value is not possible.
    """

    least_pages: int = 1
    per_document: int = 5
    shortest_anchor: int = 3

    def __post_init__(self) -> None:
        for field in ("least_pages", "per_document", "shortest_anchor"):
            require_count(field, getattr(self, field))


class AnchorTexts:
    """The links and pages of documents as they come; when all were seen, the pairs.

    Texts stand on the disk; in memory are 16 bytes a document and 36 bytes a link that may lead to another.

    Args:
        form: The settings.
        folder: Where the texts stand meanwhile.
    """

    def __init__(self, form: Anchor, folder: Path | None = None) -> None:
        self._form = form
        self._pages, self._links = Spill(folder), Spill(folder)
        self._page_keys = array("Q")
        self._targets, self._texts, self._origins = array("Q"), array("Q"), array("I")

    def see(self, document: Document) -> Iterator[Pair]:
        """Take a document; gives at once the links that are no candidates for a reason of their own."""
        number = len(self._page_keys)
        self._page_keys.append(_hash(page_key(document.id)))
        self._pages.add([document.id, untitled(document)[0]])
        seen = set()
        for link in document.links:
            text, target = " ".join(link.text.split()), target_key(document.id, link.target)
            if target is None or (folded(text), target) in seen:
                continue
            seen.add((folded(text), target))
            problem = _problem(text, self._form)
            if problem:
                yield Pair("anchor", text, "", link.target, document.id, link.start, link.stop, problem)
                continue
            self._links.add([text, document.id, link.start, link.stop, link.target])
            self._targets.append(_hash(target))
            self._texts.append(_hash(folded(text)))
            self._origins.append(number)

    def pairs(self) -> Iterator[Pair]:
        """The pairs, page after page in the order of the documents, the commonest anchors of each first."""
        page = _places(np.array(self._page_keys, dtype=np.uint64), np.array(self._targets, dtype=np.uint64))
        texts, origins = np.array(self._texts, dtype=np.uint64), np.array(self._origins, dtype=np.int64)
        for number in np.flatnonzero((page < 0) | (page == origins)).tolist():
            away = "leads to no other document"
            yield self._pair(number, "", away if page[number] < 0 else "leads to its own page")
        links = np.flatnonzero((page >= 0) & (page != origins))
        links = links[np.lexsort((links, texts[links], page[links]))]
        new = np.ones(len(links), dtype=bool)
        new[1:] = (texts[links][1:] != texts[links][:-1]) | (page[links][1:] != page[links][:-1])
        first, pages_saying = links[new], np.diff(np.append(np.flatnonzero(new), len(links)))
        order = np.lexsort((first, -pages_saying, page[first]))
        previous, taken, body = -1, 0, ("", "")
        for place in order.tolist():
            number, target = int(first[place]), int(page[first[place]])
            if target != previous:
                previous, taken = target, 0
                given, text = self._pages[target]
                body = given, text
            problem = ""
            if pages_saying[place] < self._form.least_pages:
                problem = "too few pages say so"
            elif taken == self._form.per_document:
                problem = "others are commoner on links to the page"
            else:
                taken += 1
            yield self._pair(number, body[1], problem, document=body[0])

    def _pair(self, number: int, positive: str, problem: str, document: str | None = None) -> Pair:
        text, origin, start, stop, target = self._links[number]
        return Pair("anchor", text, positive, document or target, origin, start, stop, problem)


def page_key(identity: str) -> str:
    """A name of a page that is the same whether its format is told or not: ``docs/guide`` for ``docs/guide.md``,
    ``docs`` for ``docs/index.html``, ``example.org/a`` for ``https://example.org/a/``."""
    scheme, colon, rest = identity.partition("://")
    name = rest if colon and scheme.isalpha() else identity
    name = posixpath.normpath(unquote(name)).lstrip("/")
    return _FRONT_PAGE.sub("", _SUFFIX.sub("", name)).strip("/") or "."


def target_key(origin: str, target: str) -> str | None:
    """The :func:`page_key` of what a link leads to from the document ``origin``; None where that is no page."""
    target = target.strip().partition("#")[0]
    if not target or (_ADDRESS.match(target) and not target.startswith(("http://", "https://", "//"))):
        return None
    if "://" in origin or "://" in target:
        return page_key(urljoin(origin, target) if "://" in origin else target)
    return page_key(target if target.startswith("/") else posixpath.join(posixpath.dirname(origin), target))


def _problem(text: str, form: Anchor) -> str:
    said = folded(text).strip(" .…:»›→>«‹←<[]()!*")
    if said in GENERIC_ANCHORS or not _LETTER.search(said):
        return "says nothing of the page"
    if _ADDRESS.match(text):
        return "is an address"
    return "the anchor is too short" if len(text) < form.shortest_anchor else ""


def _places(keys: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Where each of ``wanted`` first stands in ``keys``; -1 where it does not."""
    if not len(keys):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    found = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where(keys[order][found] == wanted, order[found], -1).astype(np.int64)


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))
