"""The options of a choice of model: what they score over the bytes of their vectors, a colour for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.evaluation.choosing import Choice
from cosmith.inspection.cost_chart import CostPoint, cost_chart

if TYPE_CHECKING:
    import altair as alt


def choice_chart(choice: Choice) -> alt.LayerChart:
    """A point for each option, filled where it is within the budget, and a ring around the recommended one; a line
    joins the forms of a model that stand on the Pareto front. The legend gives each model's latency.
    """
    series = {each.model: f"{each.model} ({1000 * each.cost.latency:.2f} ms)" for each in choice.options}
    points = [
        CostPoint(
            series[each.model],
            each.bytes,
            each.quality,
            within=not each.broken,
            front=each.front,
            chosen=each is choice.chosen,
        )
        for each in choice.options
    ]
    return cost_chart(points, cost="bytes a vector")
