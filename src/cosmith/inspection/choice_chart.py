"""The options of a choice of model: what they score over the bytes of their vectors, a colour for each model."""

from __future__ import annotations

import altair as alt

from cosmith.evaluation.choosing import Choice
from cosmith.inspection.charts import PALETTE, colours, styled


def choice_chart(choice: Choice) -> alt.LayerChart:
    """A point for each option, filled where it is within the budget, and a ring around the recommended one; a line
    joins the forms of a model that stand on the Pareto front. The legend gives each model's latency.
    """
    series = {each.model: f"{each.model} ({1000 * each.cost.latency:.2f} ms)" for each in choice.options}
    rows = [
        {"series": series[each.model], "bytes": each.bytes, "quality": each.quality, "front": each.front,
         "within": not each.broken, "chosen": each is choice.chosen}
        for each in choice.options
    ]  # fmt: skip
    names = list(series.values())
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "bytes:Q",
            title="bytes a vector",
            scale=alt.Scale(type="log", padding=12, nice=False),
            axis=alt.Axis(grid=False, tickCount=6),
        ),
        y=alt.Y("quality:Q", title="quality", scale=alt.Scale(zero=False, nice=True, padding=12)),
        color=alt.Color(
            "series:N",
            scale=alt.Scale(domain=names, range=colours(names, {})),
            legend=alt.Legend(title=None, orient="top", columns=1, labelLimit=320, symbolOpacity=1),
        ),
    )
    ring = base.transform_filter("datum.chosen")
    return styled(
        [
            base.transform_filter("datum.front").mark_line(strokeWidth=1.5, opacity=0.5).encode(order="bytes:Q"),
            base.transform_filter("datum.within").mark_point(filled=True, size=55, opacity=1),
            base.transform_filter("!datum.within").mark_point(filled=False, size=45, opacity=0.7),
            ring.mark_point(filled=False, size=200, strokeWidth=2, opacity=1).encode(color=alt.value(PALETTE["ink"])),
        ],
        height=230,
    )
