"""Quality over what it costs: a point for each option, a line along the Pareto front, a ring around what is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import altair as alt

from cosmith.inspection.charts import PALETTE, colours, styled


@dataclass(frozen=True)
class CostPoint:
    """An option.

    Attributes:
        series: What gives it its colour, e.g. a model.
        cost: What it costs.
        quality: How good it is.
        within: Whether it is within the limits.
        front: Whether it stands on the front.
        chosen: Whether it is recommended.
        low: The lower end of an interval of the quality, where one is to be drawn.
        high: The upper end likewise.
    """

    series: str
    cost: float
    quality: float
    within: bool
    front: bool
    chosen: bool
    low: float | None = None
    high: float | None = None


def cost_chart(
    points: Sequence[CostPoint], *, cost: str, by_series: bool = True, roles: Mapping[str, str] | None = None
) -> alt.LayerChart:
    """The chart: filled points are within the limits.

    Args:
        points: The options.
        cost: What the axis of costs is called; its steps are logarithmic.
        by_series: Whether each series has a line of its own along the front.
        roles: Series → role in :data:`PALETTE`.
    """
    names = list(dict.fromkeys(each.series for each in points))
    base = alt.Chart(alt.InlineData(values=[asdict(each) for each in points])).encode(
        x=alt.X(
            "cost:Q",
            title=cost,
            scale=alt.Scale(type="log", padding=12, nice=False),
            axis=alt.Axis(grid=False, tickCount=6),
        ),
        y=alt.Y("quality:Q", title="quality", scale=alt.Scale(zero=False, nice=True, padding=12)),
    )
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=names, range=colours(names, roles or {})),
        legend=alt.Legend(
            title=None, orient="top", columns=1 if by_series else 2, columnPadding=30, labelLimit=320, symbolOpacity=1
        ),
    )
    front = base.transform_filter("datum.front").mark_line(strokeWidth=1.5, opacity=0.5).encode(order="cost:Q")
    coloured, ring = base.encode(color=colour), base.transform_filter("datum.chosen")
    layers = [
        front.encode(color=colour) if by_series else front.encode(color=alt.value(PALETTE["muted"])),
        coloured.transform_filter("datum.within").mark_point(filled=True, size=55, opacity=1),
        coloured.transform_filter("!datum.within").mark_point(filled=False, size=45, opacity=0.7),
        ring.mark_point(filled=False, size=200, strokeWidth=2, opacity=1).encode(color=alt.value(PALETTE["ink"])),
    ]
    if any(each.low is not None for each in points):
        whiskers = coloured.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.5, opacity=0.6)
        layers.insert(0, whiskers.encode(y="low:Q", y2="high:Q"))
    return styled(layers, height=230)
