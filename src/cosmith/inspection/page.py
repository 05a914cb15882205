"""The frame of a page: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cosmith.atomic import atomic_file, write_json
from cosmith.inspection.markup import Markup, element


def whole_page(title: str, opening: Markup, *content: Markup) -> str:
    """A page as text, with the style sheet in it.

    Args:
        title: What a browser's tab says.
        opening: The answer, at the top.
        content: What comes below.
    """
    page = element("html", _head(title), element("body", element("main", opening, *content)), lang="en")
    return "<!doctype html>\n" + page


def page_of_sections(title: str, opening: Markup, sections: Iterable[tuple[str, str, Markup | None]]) -> str:
    """The same, with a table of contents.

    Args:
        title: What a browser's tab says.
        opening: The answer, at the top.
        sections: The name for links, the heading and the content of each; without content it is left out.
    """
    there = [(name, heading, content) for name, heading, content in sections if content]
    contents = element("nav", *(element("a", heading, href=f"#{name}") for name, heading, _ in there))
    body = [element("section", element("h2", heading), content, id=name) for name, heading, content in there]
    return whole_page(title, opening, contents, *body)


def write_in_three_forms(
    folder: str | Path, name: str, *, page: str, text: str, data: Mapping[str, Any]
) -> tuple[Path, Path, Path]:
    """Write what was found as a page, as Markdown and as JSON.

    Args:
        folder: Where to; it is made where it is absent.
        name: The files' name, without what says their form.
        page: The HTML.
        text: The Markdown.
        data: What JSON holds.

    Returns:
        ``NAME.html``, ``NAME.md`` and ``NAME.json``.

    Raises:
        StorageError: When one cannot be written; an older one stands unchanged.
    """
    pages, texts, values = (Path(folder) / f"{name}.{form}" for form in ("html", "md", "json"))
    write_json(values, data)
    for path, content in ((texts, text), (pages, page)):
        with atomic_file(path) as handle:
            handle.write(content)
    return pages, texts, values


def _head(title: str) -> Markup:
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    return element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        element("title", title),
        element("style", Markup(style)),
    )
