"""Charts as pictures inside a page: SVG text that needs no script and takes its colours from the style sheet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosmith.inspection.markup import Markup, element, escaped

if TYPE_CHECKING:
    import altair as alt

_SIZE = re.compile(r'<svg\b[^>]*?\bviewBox="0 0 ([\d.]+) [\d.]+"[^>]*>')


def svg_of(chart: alt.LayerChart | alt.Chart) -> str:
    """A chart as SVG, drawn by vl-convert: without a browser and without a network."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(chart.to_json(), allowed_base_urls=[]))


def figure(chart: alt.LayerChart | alt.Chart, title: str, note: object = None) -> Markup:
    """A chart with its title above and a note beneath; it shrinks with the page but never grows beyond its size."""
    drawn = svg_of(chart)
    opening = _SIZE.search(drawn)
    if opening is None:
        raise ValueError("vl-convert gave an SVG without a viewBox")
    width = float(opening.group(1))
    start = element(
        "svg", viewBox=_view_box(opening.group(0)), role="img", aria_label=title, style=f"max-width:{width:.0f}px"
    )
    picture = Markup(start.removesuffix("</svg>") + drawn[opening.end() :])
    return element(
        "figure",
        element("figcaption", element("strong", title)),
        picture,
        element("p", note, class_="note") if note else None,
    )


def _view_box(opening: str) -> str:
    found = re.search(r'viewBox="([^"]*)"', opening)
    return str(escaped(found.group(1))) if found else ""
