"""How the vectors of a few texts moved while the model learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from cosmith.inspection import charts
from cosmith.inspection.charts import PALETTE

_ROLES = {"query": ("queries", PALETTE["tuned"]), "document": ("answers", PALETTE["bm25"])}
_LENGTH = 70  # characters of a text in its tooltip


def on_two_axes(snapshots: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """The snapshots ``[S, texts, D]`` on the two axes along which all of them vary most, ``[S, texts, 2]``.

    Returns:
        The places, and the share of the variance that they show.
    """
    flat = snapshots.reshape(-1, snapshots.shape[-1]).astype(np.float64)
    centred = flat - flat.mean(0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    shown = float((values[:2] ** 2).sum() / max((values**2).sum(), np.finfo(float).tiny))
    return places.reshape(*snapshots.shape[:2], -1), shown


def movement_chart(steps: Sequence[int], snapshots: NDArray[Any], texts: Sequence[dict[str, Any]]) -> alt.LayerChart:
    """A line for each text from its first place to its last, which has a dot.

    Args:
        steps: Of the snapshots.
        snapshots: ``[S, texts, D]``, D at least 2.
        texts: Their ``role`` and ``text``.
    """
    places, _ = on_two_axes(snapshots)
    rows = [
        {
            "number": number,
            "step": step,
            "x": float(places[place, number, 0]),
            "y": float(places[place, number, 1]),
            "role": _ROLES[text["role"]][0],
            "text": text["text"][:_LENGTH],
        }
        for place, step in enumerate(steps)
        for number, text in enumerate(texts)
    ]
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    both = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("x:Q", title=None, axis=axis, scale=alt.Scale(zero=False)),
        y=alt.Y("y:Q", title=None, axis=axis, scale=alt.Scale(zero=False)),
        color=alt.Color(
            "role:N",
            scale=alt.Scale(domain=[name for name, _ in _ROLES.values()], range=[hue for _, hue in _ROLES.values()]),
            legend=alt.Legend(title=None, orient="bottom", symbolType="circle", symbolStrokeWidth=0),
        ),
        detail="number:N",
    )
    paths = both.mark_line(strokeWidth=1, opacity=0.6).encode(order="step:Q")
    ends = both.mark_circle(size=36, opacity=1).transform_filter(alt.datum.step == steps[-1])
    return charts.styled([paths, ends], charts.WIDTH * 3 // 4)
