"""HTML built from functions: whatever is not markup already is escaped, so that no text can become a tag."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


class Markup(str):
    """A piece of HTML that is finished; plain strings become one by :func:`escaped`."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    """Text as HTML; what is markup already stays as it is. Control characters that HTML forbids become spaces."""
    if isinstance(text, Markup):
        return text
    plain = "".join(" " if ord(sign) < 32 and sign not in "\t\n\r" else sign for sign in str(text))
    return Markup(html.escape(plain.encode("utf-8", "replace").decode("utf-8"), quote=True))


def joined(parts: Iterable[object]) -> Markup:
    """Pieces one behind the other; ``None`` and empty ones vanish."""
    return Markup("".join(escaped(part) for part in parts if part is not None))


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """``<tag attribute="…">content</tag>``.

    Args:
        tag: Its name.
        content: Markup, or text to be escaped; ``None`` vanishes.
        attributes: A trailing underscore is cut off (``class_``), others become hyphens; ``None`` and ``False`` leave
            an attribute out, ``True`` gives it no value.
    """
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{tag}{written}>{joined(content)}</{tag}>")


def table(header: Sequence[object], rows: Iterable[Sequence[object]], *, class_: str | None = None) -> Markup:
    """A table in a frame that scrolls sideways where the screen is narrow; the first column is a heading."""
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = [
        element("tr", *(element("td" if n else "th", cell, scope=None if n else "row") for n, cell in enumerate(row)))
        for row in rows
    ]
    whole = element("table", element("thead", head), element("tbody", *body), class_=class_)
    return element("div", whole, class_="scroll", tabindex="0")


def facts(pairs: Iterable[tuple[object, object]]) -> Markup:
    """A list of names and values."""
    return element("dl", *(element("div", element("dt", name), element("dd", value)) for name, value in pairs))
