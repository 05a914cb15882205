"""Charts of what a run found: pure functions from plain data to altair charts.

All are narrow (they stand beside each other on a wide page and below each other on a narrow one) and use the colours of
:data:`PALETTE` only, which the report's style sheet maps to those of a light or a dark page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import altair as alt

WIDTH = 350
"""Pixels, of the plot without axis labels."""

PALETTE: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#1d2125",
        "muted": "#6b7076",
        "line": "#e2e1dc",
        "tuned": "#0f766e",
        "base": "#7b8794",
        "bm25": "#b7791f",
        "other": "#6d5bd0",
        "bad": "#b4403a",
    }
)
"""Role → colour on a light page."""

_SIGNED = "datum.value == 0 ? '0' : format(datum.value, '+.3~f')"

_OTHERS = (PALETTE["other"], "#a13d86", "#4d7c0f", "#9a6a4f")


@dataclass(frozen=True)
class IntervalRow:
    """A value with its interval.

    Attributes:
        label: The row of the chart, e.g. a metric.
        series: Which of several, e.g. a model.
        value: The value.
        low: The lower end of its interval.
        high: The upper end.
    """

    label: str
    series: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ParetoPoint:
    """A mixture of models.

    Attributes:
        name: What it is.
        dev: Its score in its own domain.
        general: Its score on the general set.
        front: Whether no other mixture beats it in both.
        chosen: Whether it is the result.
    """

    name: str
    dev: float
    general: float
    front: bool
    chosen: bool


def colours(series: Sequence[str], roles: Mapping[str, str]) -> list[str]:
    """A colour for each series: by its role (``base``, ``bm25``, ``tuned``), others in turn."""
    spare = iter(_OTHERS * (1 + len(series) // len(_OTHERS)))
    return [PALETTE[roles[name]] if name in roles else next(spare) for name in series]


def interval_chart(rows: Sequence[IntervalRow], roles: Mapping[str, str], *, title: str = "score") -> alt.LayerChart:
    """A dot and an interval for each row, series beneath each other: scores of models by metric.

    Args:
        rows: In the order in which labels and series shall stand.
        roles: Series → role in :data:`PALETTE`.
        title: What the axis shows.
    """
    labels = list(dict.fromkeys(row.label for row in rows))
    series = list(dict.fromkeys(row.series for row in rows))
    scale = alt.Scale(domain=series, range=colours(series, roles))
    legend = None if len(series) < 2 else alt.Legend(title=None, orient="top", symbolType="circle", symbolSize=70)
    base = alt.Chart(_records(rows)).encode(
        y=_names(labels).scale(paddingInner=0.35),
        yOffset=alt.YOffset("series:N", sort=series),
        color=alt.Color("series:N", scale=scale, legend=legend),
    )
    whiskers = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5)), x2="high:Q"
    )
    dots = base.mark_circle(size=60, opacity=1).encode(x="value:Q")
    step = alt.Step(max(10, 20 - 3 * len(series)))
    return styled([whiskers, dots], step)


def difference_chart(rows: Sequence[IntervalRow], *, title: str = "difference") -> alt.LayerChart:
    """Differences with their intervals around a line at zero: clear gains, clear losses, and what is neither."""
    labels = list(dict.fromkeys(row.label for row in rows))
    data = [
        {**record, "verdict": "gain" if record["low"] > 0 else "loss" if record["high"] < 0 else "unclear"}
        for record in _rows(rows)
    ]
    scale = alt.Scale(domain=["gain", "unclear", "loss"], range=[PALETTE["tuned"], PALETTE["base"], PALETTE["bad"]])
    base = alt.Chart(_data(data)).encode(
        y=_names(labels),
        color=alt.Color("verdict:N", scale=scale, legend=None),
    )
    whiskers = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=title, axis=alt.Axis(tickCount=5, labelExpr=_SIGNED)), x2="high:Q"
    )
    dots = base.mark_circle(size=60, opacity=1).encode(x="value:Q")
    zero = alt.Chart(_data([{"zero": 0}])).mark_rule(color=PALETTE["ink"], strokeWidth=1).encode(x="zero:Q")
    return styled([zero, whiskers, dots], alt.Step(24))


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    *,
    title: str,
    mark: float | None = None,
    mark_label: str = "",
    role: str = "base",
) -> alt.LayerChart:
    """Bars of counts between edges, with a dashed line at ``mark``, e.g. a maximum length.

    Args:
        edges: One more than counts, rising.
        counts: The height of each bar.
        title: What is counted along the axis.
        mark: Where to draw a line.
        mark_label: What it says.
        role: The bars' colour in :data:`PALETTE`.
    """
    data = [
        {"from": low, "to": high, "count": number, "floor": 0}
        for low, high, number in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    bars = (
        alt.Chart(_data(data))
        .mark_bar(color=PALETTE[role], binSpacing=1)
        .encode(
            x=alt.X(
                "from:Q", title=title, scale=alt.Scale(nice=False, zero=False), axis=alt.Axis(tickCount=6, grid=False)
            ),
            x2="to:Q",
            y=alt.Y("count:Q", title=None, axis=_axis()),
            y2="floor:Q",
        )
    )
    layers = [bars]
    if mark is not None and edges[0] <= mark <= edges[-1]:
        layers += _marked(mark, mark_label, on_the_left=mark < (edges[0] + edges[-1]) / 2)
    return styled(layers, 150)


def score_histograms(
    histograms: Mapping[str, Mapping[str, Sequence[float]]],
    roles: Mapping[str, str],
    *,
    title: str = "cosine with the query",
) -> alt.LayerChart:
    """Several histograms as outlines over one axis: scores of answers and of mined negatives."""
    data = [
        {"series": name, "from": low, "to": high, "count": number, "floor": 0}
        for name, parts in histograms.items()
        for low, high, number in zip(parts["edges"][:-1], parts["edges"][1:], parts["counts"], strict=True)
    ]
    series = list(histograms)
    scale = alt.Scale(domain=series, range=colours(series, roles))
    bars = (
        alt.Chart(_data(data))
        .mark_bar(opacity=0.55, binSpacing=0)
        .encode(
            x=alt.X("from:Q", title=title, scale=alt.Scale(nice=False, zero=False)),
            x2="to:Q",
            y=alt.Y("count:Q", title=None, stack=None, axis=_axis()),
            y2="floor:Q",
            color=alt.Color("series:N", scale=scale, legend=alt.Legend(title=None, orient="top")),
        )
    )
    return styled([bars], 150)


def loss_curve(steps: Sequence[float], losses: Sequence[float], *, half_life: float | None = None) -> alt.LayerChart:
    """The loss of each step, faint, and its exponential average.

    Args:
        steps: Steps done.
        losses: The loss of each.
        half_life: Steps after which a loss counts half in the average; default a fortieth of them, at least two.
    """
    decay = 0.5 ** (1 / (half_life or max(len(losses) / 40, 2)))
    data = [
        {"step": step, "loss": loss, "average": average}
        for step, loss, average in zip(steps, losses, _averages(losses, decay), strict=True)
    ]
    base = alt.Chart(_data(data)).encode(x=_steps())
    raw = base.mark_line(color=PALETTE["base"], opacity=0.4, strokeWidth=1).encode(y=height("loss", losses))
    smooth = base.mark_line(color=PALETTE["tuned"], strokeWidth=2).encode(y="average:Q")
    return styled([raw, smooth], 170)


def dev_curve(
    steps: Sequence[float], scores: Sequence[float], *, start: float | None = None, best_step: float | None = None
) -> alt.LayerChart:
    """The score on the development set as training goes on, where it started, and the best of them.

    Args:
        steps: Steps done at each evaluation.
        scores: The score then.
        start: The score before training, as a dashed line.
        best_step: The evaluation to mark.
    """
    data = [{"step": step, "dev": value, "best": step == best_step} for step, value in zip(steps, scores, strict=True)]
    levels = [*scores] if start is None else [*scores, start]
    base = alt.Chart(_data(data)).encode(x=_steps(), y=height("dev", levels))
    layers = [
        base.mark_line(color=PALETTE["tuned"], strokeWidth=2),
        base.mark_circle(color=PALETTE["tuned"], size=40, opacity=1),
        base.transform_filter("datum.best").mark_point(
            color=PALETTE["tuned"], size=150, opacity=1, strokeWidth=1.5, filled=False
        ),
    ]
    if start is not None:
        layers += _level(start, "before training")
    return styled(layers, 170)


def interpolation_chart(
    alphas: Sequence[float], scores: Sequence[float], *, chosen: float | None = None
) -> alt.LayerChart:
    """The development score of mixtures of base (0) and tuned model (1), and which of them was chosen."""
    data = [
        {"alpha": alpha, "dev": value, "chosen": alpha == chosen}
        for alpha, value in sorted(zip(alphas, scores, strict=True))
    ]
    base = alt.Chart(_data(data)).encode(
        x=alt.X("alpha:Q", title="share of the tuned weights", axis=alt.Axis(tickCount=5, format=".0%", grid=False)),
        y=height("dev", scores),
    )
    return styled(
        [
            base.mark_line(color=PALETTE["base"], strokeWidth=2),
            base.mark_circle(color=PALETTE["base"], size=40, opacity=1),
            base.transform_filter("datum.chosen").mark_circle(color=PALETTE["tuned"], size=110, opacity=1),
        ],
        170,
    )


# --- parts -----------------------------------------------------------------------------------------------------------


def pareto_chart(points: Sequence[ParetoPoint], *, title: str = "development set") -> alt.LayerChart:
    """What mixtures of models score in their own domain and in general; a line joins those that nothing beats.

    Args:
        points: The mixtures.
        title: What the upward axis shows.
    """
    data = _data(
        [
            {"name": each.name, "dev": each.dev, "general": each.general, "front": each.front, "chosen": each.chosen}
            for each in points
        ]
    )
    middle = sum(bound(each.general for each in points) for bound in (min, max)) / 2
    scale = alt.Scale(zero=False, nice=True, padding=14)
    base = alt.Chart(data).encode(
        x=alt.X("general:Q", scale=scale, axis=_axis(), title="general set"),
        y=alt.Y("dev:Q", scale=scale, axis=_axis(), title=title),
    )
    front = base.transform_filter("datum.front")
    colour = alt.condition("datum.front", alt.value(PALETTE["tuned"]), alt.value(PALETTE["base"]))
    return styled(
        [
            front.mark_line(color=PALETTE["tuned"], strokeWidth=1.5, opacity=0.5).encode(order="dev:Q"),
            base.mark_point(filled=True, opacity=1, size=55).encode(color=colour),
            base.transform_filter("datum.chosen").mark_point(
                filled=False, size=190, strokeWidth=2, color=PALETTE["tuned"], opacity=1
            ),
            # Names stand within the plot and below the line, which falls from the upper left to the lower right.
            base.transform_filter(f"datum.general <= {middle}")
            .mark_text(dx=8, dy=14, align="left", color=PALETTE["ink"], fontSize=11)
            .encode(text="name:N"),
            base.transform_filter(f"datum.general > {middle}")
            .mark_text(dx=-9, dy=8, align="right", color=PALETTE["ink"], fontSize=11)
            .encode(text="name:N"),
        ],
        height=230,
    )


def _rows(rows: Sequence[IntervalRow]) -> list[dict[str, Any]]:
    return [
        {"label": row.label, "series": row.series, "value": row.value, "low": row.low, "high": row.high} for row in rows
    ]


def _records(rows: Sequence[IntervalRow]) -> alt.InlineData:
    return _data(_rows(rows))


def _names(labels: Sequence[str]) -> alt.Y:
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8)
    return alt.Y("label:N", sort=list(labels), title=None, axis=axis)


def _steps() -> alt.X:
    return alt.X("step:Q", title="step", axis=alt.Axis(tickCount=5, grid=False), scale=alt.Scale(nice=False))


def _axis() -> alt.Axis:
    return alt.Axis(tickCount=4, domain=False)


def height(name: str, values: Sequence[float]) -> alt.Y:
    """The upward axis of a curve, not from zero; where all values are alike, with room around them: a domain without
    extent has no ticks that could be read."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    largest = max(abs(low), abs(high))
    room = (largest / 10 or 1.0) if high - low <= 1e-4 * largest else 0.0
    scale = alt.Scale(zero=False, domain=[low - room, high + room]) if room else alt.Scale(zero=False)
    return alt.Y(f"{name}:Q", title=None, scale=scale, axis=_axis())


def _marked(place: float, label: str, *, on_the_left: bool) -> list[alt.Chart]:
    align: Literal["left", "right"] = "left" if on_the_left else "right"
    data = alt.Chart(_data([{"place": place, "label": label}])).encode(x="place:Q")
    return [
        data.mark_rule(color=PALETTE["bad"], strokeDash=[4, 3]),
        data.mark_text(color=PALETTE["bad"], align=align, baseline="top", dx=5 if on_the_left else -5).encode(
            y=alt.value(2), text="label:N"
        ),
    ]


def _level(height: float, label: str) -> list[alt.Chart]:
    data = alt.Chart(_data([{"height": height, "label": label}])).encode(y="height:Q")
    return [
        data.mark_rule(color=PALETTE["muted"], strokeDash=[4, 3]),
        data.mark_text(color=PALETTE["muted"], align="right", baseline="bottom", dy=-3).encode(
            x=alt.value(WIDTH), text="label:N"
        ),
    ]


def _averages(values: Sequence[float], decay: float) -> list[float]:
    """Exponential averages without the bias of a first value (as Adam corrects its moments)."""
    averages, total, weight = [], 0.0, 0.0
    for value in values:
        total = decay * total + (1 - decay) * value
        weight = decay * weight + (1 - decay)
        averages.append(total / weight)
    return averages


def _data(rows: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def styled(layers: Sequence[alt.Chart], height: int | alt.Step) -> alt.LayerChart:
    """Charts above each other in the report's type and colours; ``height`` in pixels."""
    ink, muted, line = PALETTE["ink"], PALETTE["muted"], PALETTE["line"]
    chart: alt.LayerChart = (
        alt.LayerChart(layer=list(layers), width=WIDTH, height=height)
        .configure(font="system-ui, sans-serif", background="transparent", padding=2)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=ink,
            titleColor=muted,
            gridColor=line,
            tickColor=line,
            domainColor=line,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            labelLimit=180,
        )
        .configure_legend(labelColor=ink, labelFontSize=12, symbolStrokeWidth=0, offset=4)
        .configure_text(fontSize=12)
    )
    return chart
