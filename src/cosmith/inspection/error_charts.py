"""Charts of where searches err: by length, and by the rank of the first relevant document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import altair as alt

from cosmith.inspection.charts import IntervalRow, colours, interval_chart, styled

if TYPE_CHECKING:
    from cosmith.evaluation.analysis import Group, RankGroup


def group_chart(groups: Mapping[str, Sequence[Group]], roles: Mapping[str, str], *, title: str) -> alt.LayerChart:
    """What queries of each group score, models beneath each other.

    Args:
        groups: Model → its groups, of the same labels.
        roles: Model → role in :data:`~cosmith.inspection.charts.PALETTE`.
        title: What the axis shows.
    """
    labels = dict.fromkeys(group.label for of_model in groups.values() for group in of_model)
    rows = [
        IntervalRow(label, model, group.value, group.interval.low, group.interval.high)
        for label in labels
        for model, of_model in groups.items()
        for group in of_model
        if group.label == label
    ]
    return interval_chart(rows, roles, title=title)


def rank_chart(ranks: Mapping[str, Sequence[RankGroup]], roles: Mapping[str, str]) -> alt.LayerChart:
    """The share of queries whose first relevant document stands within each range of ranks, a bar for each model.

    Args:
        ranks: Model → how many queries stand where.
        roles: Model → role in :data:`~cosmith.inspection.charts.PALETTE`.
    """
    series = list(ranks)
    data = [
        {"rank": group.label, "model": model, "share": group.count / max(sum(each.count for each in groups), 1)}
        for model, groups in ranks.items()
        for group in groups
    ]
    labels = list(dict.fromkeys(str(each["rank"]) for each in data))
    legend = None if len(series) < 2 else alt.Legend(title=None, orient="top", symbolType="circle", symbolSize=70)
    bars = (
        alt.Chart(alt.InlineData(values=data))
        .mark_bar()
        .encode(
            y=alt.Y("rank:N", sort=labels, title=None, axis=alt.Axis(ticks=False, domain=False, labelPadding=8)),
            yOffset=alt.YOffset("model:N", sort=series),
            x=alt.X("share:Q", title="share of the queries", axis=alt.Axis(format="%", tickCount=4)),
            color=alt.Color(
                "model:N", scale=alt.Scale(domain=series, range=colours(series, roles)), legend=legend
            ),
        )
    )  # fmt: skip
    return styled([bars], alt.Step(max(10, 22 - 4 * len(series))))
