"""How a model learnt: gradients and updates by layer, the shape of its space, its scores at first and at last."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from cosmith.errors import InputError
from cosmith.inspection import charts
from cosmith.inspection.charts import PALETTE
from cosmith.inspection.markup import Markup, element, joined
from cosmith.inspection.movement import movement_chart, on_two_axes
from cosmith.inspection.pictures import figure
from cosmith.inspection.run_record import RunRecord, StageView
from cosmith.phrases import counted, share
from cosmith.training.health import History, read_history, read_probe_texts, read_snapshots

_SCORES = {"positive_scores": "answers", "negative_scores": "negatives", "other_scores": "others"}

_LEAST_FACTOR = math.log10(2)  # between the lightest and the darkest shade: less is no difference to be seen


def health_section(run: RunRecord) -> Markup | None:
    """What the doctor says of each training stage, and the pictures behind it."""
    stages = run.of_kind("adapt", "train", "train-reranker", "train-sparse", "train-late-interaction")
    found = [(stage, made) for stage in stages if (made := _health(stage)) is not None]
    titled = len(found) > 1
    return (
        joined(element("div", element("h3", stage.name) if titled else None, made) for stage, made in found)
        if found
        else None
    )


def _health(stage: StageView) -> Markup | None:
    try:
        history = read_history(stage.folder)
    except InputError:
        return None
    if not history.watched:
        return None
    said = [
        element("li", element("strong", each["says"]), f" {each['evidence']} {each['remedy']}")
        for each in stage.result.get("advice", [])
    ]
    opening = element("ul", *said) if said else element("p", "Nothing in the figures speaks against this training.")
    return joined([opening, element("div", *_pictures(history), *_movement(stage), class_="figures")])


def _movement(stage: StageView) -> list[Markup]:
    steps, snapshots = read_snapshots(stage.folder)
    if len(steps) < 2 or snapshots.shape[-1] < 2:
        return []
    texts = read_probe_texts(stage.folder)
    _, shown = on_two_axes(snapshots)
    note = (
        f"{counted(len(texts), 'text')} of the training set from step 0 to the dot at step {steps[-1]:,}, on the two "
        f"axes that show most of the variance ({share(shown)} of it)"
    )
    return [figure(movement_chart(steps, snapshots, texts), "How texts moved", note)]


def _pictures(history: History) -> list[Markup]:
    pictures = []
    for prefix, title, note in (
        ("gradient_norm", "Gradient by layer", "its norm; darker is larger, each shade a factor"),
        ("update_ratio", "Update by layer", "how far a step moves the weights, as a share of them"),
    ):
        if any(any(history.series(f"{prefix}/{group}")[1]) for group in history.groups(prefix)):
            pictures.append(figure(layer_map(history, prefix), title, note))
    shape = {
        "alignment": history.series("embeddings/alignment"),
        "uniformity": history.series("embeddings/uniformity"),
    }
    if len(shape["alignment"][0]) > 1:
        note = "mean squared distance of pairs, and log of the mean Gaussian potential; both better when lower"
        pictures.append(figure(line_chart(shape), "Alignment and uniformity", note))
    rank = history.series("embeddings/effective_rank")
    if len(rank[0]) > 1:
        pictures.append(figure(line_chart({"effective rank": rank}), "Effective rank", "directions that are used"))
    spread = history.series("embeddings/mean_cosine")
    if len(spread[0]) > 1:
        note = "mean cosine of two vectors of a step; near 1, all point one way"
        pictures.append(figure(line_chart({"mean cosine": spread}), "Spread", note))
    general = [(each.step, each.general) for each in history.evaluations if each.general is not None]
    if len(general) > 1:
        both = {
            "general": ([step for step, _ in general], [value for _, value in general]),
            "development": ([each.step for each in history.evaluations], [each.dev for each in history.evaluations]),
        }
        pictures.append(figure(line_chart(both), "Domain and general set", "the main metric of each"))
    looks = [entry for entry in history.watched if "scores/positive_scores" in entry]
    for entry, when in zip([*looks[:1], *looks[1:][-1:]], ("first", "last"), strict=False):
        chart = charts.score_histograms(_histograms(entry), {"answers": "tuned", "negatives": "base", "others": "bm25"})
        pictures.append(figure(chart, f"Scores, {when} look", f"step {entry['step']:,}: share of each kind"))
    return pictures


def _histograms(entry: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """The share of each kind of score by bar (there are far more of one kind than of another), empty ends cut off."""
    known = {name: entry.get(f"scores/{key}") or [] for key, name in _SCORES.items()}
    known = {name: counts for name, counts in known.items() if sum(counts)}
    bars = max(map(len, known.values()))
    filled = [place for place in range(bars) if any(counts[place] for counts in known.values())]
    shown = slice(filled[0], filled[-1] + 1)
    edges = [-1 + 2 * place / bars for place in range(shown.start, shown.stop + 1)]
    return {
        name: {"edges": edges, "counts": [count / sum(counts) for count in counts[shown]]}
        for name, counts in known.items()
    }


def layer_map(history: History, prefix: str) -> alt.LayerChart:
    """A metric by layer (down) and step (across), as shades on a logarithmic scale; a look stands for the steps up to
    the next one.

    Args:
        history: The run.
        prefix: ``gradient_norm`` or ``update_ratio``.
    """
    groups = history.groups(prefix)
    steps = [entry["step"] for entry in history.watched]
    width = min((later - earlier for earlier, later in pairwise(steps)), default=1)
    last = history.steps[-1]["step"]
    cells = [
        (step, group, math.log10(value))
        for group in groups
        for step, value in zip(*history.series(f"{prefix}/{group}"), strict=True)
        if value > 0
    ]
    rows = [
        {"from": step - 1, "until": min(step - 1 + width, last), "layer": group, "value": value}
        for step, group, value in cells
    ]
    low, high = min(value for *_, value in cells), max(value for *_, value in cells)
    middle, extent = (low + high) / 2, max(high - low, _LEAST_FACTOR)
    low, high = middle - extent / 2, middle + extent / 2
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(color=PALETTE["tuned"], strokeWidth=0)
        .encode(
            x=alt.X(
                "from:Q",
                title="step",
                axis=alt.Axis(tickCount=min(5, last), grid=False, format="d"),
                scale=alt.Scale(nice=False, zero=False, domain=[steps[0] - 1, last]),
            ),
            x2="until:Q",
            y=alt.Y("layer:N", title=None, sort=groups, axis=alt.Axis(domain=False, ticks=False)),
            opacity=alt.Opacity(
                "value:Q",
                scale=alt.Scale(range=[0.06, 1], domain=[low, high]),
                legend=alt.Legend(
                    title=None,
                    orient="bottom",
                    values=[low, middle, high],
                    labelExpr="format(pow(10, datum.value), '.2~r')",
                ),
            ),
        )
    )
    return charts.styled([chart], alt.Step(16))


def line_chart(series: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> alt.LayerChart:
    """Some metrics over the steps, each a line with its name at the end.

    Args:
        series: Name → (steps, values).
    """
    names = list(series)
    rows = [
        {"step": step, "value": value, "name": name}
        for name, (steps, values) in series.items()
        for step, value in zip(steps, values, strict=True)
    ]
    colour = alt.Color(
        "name:N",
        scale=alt.Scale(domain=names, range=[PALETTE["tuned"], PALETTE["bm25"]][: len(names)]),
        legend=alt.Legend(title=None, orient="bottom", symbolType="stroke", symbolStrokeWidth=2)
        if len(names) > 1
        else None,
    )
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=5, grid=False), scale=alt.Scale(nice=False)),
        y=charts.height("value", [value for _, values in series.values() for value in values]),
        color=colour,
    )
    return charts.styled([base.mark_line(strokeWidth=2)], 170)
