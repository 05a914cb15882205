"""The charts: pure functions from data, in colours that the style sheet knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cosmith.inspection
from cosmith.inspection import charts, wording
from cosmith.inspection.charts import PALETTE, IntervalRow
from cosmith.inspection.dynamics import layer_map
from cosmith.inspection.markup import Markup, element, escaped
from cosmith.inspection.pictures import figure, svg_of
from cosmith.training.health import History

ROWS = [
    IntervalRow("nDCG@10", "base", 0.6, 0.58, 0.62),
    IntervalRow("nDCG@10", "tuned", 0.7, 0.68, 0.72),
    IntervalRow("Recall@1", "base", 0.5, 0.48, 0.52),
    IntervalRow("Recall@1", "tuned", 0.49, 0.47, 0.51),
]


def marks(svg: str, shape: str) -> int:
    """How many marks of a kind are drawn, by what vega says of them to screen readers."""
    return len(re.findall(rf'aria-roledescription="{shape}"', svg))


def test_intervals_have_a_dot_and_a_whisker_each() -> None:
    drawn = svg_of(charts.interval_chart(ROWS, {"base": "base", "tuned": "tuned"}))
    assert marks(drawn, "circle") == marks(drawn, "rule mark") == len(ROWS)
    assert drawn.index("nDCG@10") < drawn.index("Recall@1")
    assert PALETTE["tuned"] in drawn


def test_differences_are_coloured_by_what_they_say() -> None:
    rows = [
        IntervalRow("clear gain", "difference", 0.05, 0.01, 0.09),
        IntervalRow("unclear", "difference", 0.01, -0.01, 0.03),
        IntervalRow("clear loss", "difference", -0.05, -0.09, -0.01),
    ]
    drawn = svg_of(charts.difference_chart(rows))
    for role in ("tuned", "base", "bad"):
        assert PALETTE[role] in drawn


def test_a_maximum_length_is_marked_only_where_it_lies_in_the_picture() -> None:
    inside = svg_of(charts.histogram([0, 10, 20], [3, 4], title="tokens", mark=15, mark_label="cut at 15"))
    outside = svg_of(charts.histogram([0, 10, 20], [3, 4], title="tokens", mark=256, mark_label="cut at 256"))
    assert "cut at 15" in inside
    assert "cut at 256" not in outside
    assert marks(outside, "bar") == 2


def test_mixtures_are_named_and_those_that_nothing_beats_are_joined() -> None:
    points = [
        charts.ParetoPoint("base", 0.75, 0.88, True, False),
        charts.ParetoPoint("0.5 base + 0.5 tuned", 0.81, 0.87, True, True),
        charts.ParetoPoint("tuned", 0.80, 0.83, False, False),
    ]
    drawn = svg_of(charts.pareto_chart(points))
    assert all(point.name in drawn for point in points)
    assert marks(drawn, "line mark") == 1
    assert marks(drawn, "point") == 3 + 1  # a dot each, and the circle


def test_curves_mark_what_was_chosen() -> None:
    dev = svg_of(charts.dev_curve([10, 20, 30], [0.6, 0.7, 0.65], start=0.55, best_step=20))
    assert "before training" in dev
    assert marks(dev, "point") == 1
    mixed = svg_of(charts.interpolation_chart([1.0, 0.0, 0.5], [0.6, 0.5, 0.7], chosen=0.5))
    assert marks(mixed, "circle") == 3 + 1
    assert "share of the tuned weights" in mixed


@pytest.mark.parametrize("value", [0.05, 0.2171, 1.0, 0.0, -0.3])
def test_a_curve_without_ups_and_downs_has_labels_around_its_height(value: float) -> None:
    for chart in (
        charts.dev_curve([0, 10, 20], [value] * 3, start=value),
        charts.interpolation_chart([0.0, 0.5, 1.0], [value] * 3),
        charts.loss_curve([1, 2, 3], [value] * 3),
    ):
        labels = axis_labels(svg_of(chart), "Y")
        assert len(set(labels)) == len(labels) >= 3
        assert min(labels) <= value <= max(labels)


def axis_labels(svg: str, axis: Literal["X", "Y"]) -> list[float]:
    """The numbers along an axis, as they are drawn."""
    part = next(each for each in svg.split('aria-roledescription="axis"')[1:] if f'aria-label="{axis}-axis' in each)
    labels = part[part.index("role-axis-label") :].split('<g class="mark-', 2)[0]
    return [float(text.replace("\u2212", "-")) for text in re.findall(r"<text[^>]*>([^<]+)</text>", labels)]


@pytest.mark.parametrize("factor", [1.0, 1.001, 1000.0])
def test_shades_by_layer_end_with_the_run_and_are_told_apart(factor: float) -> None:
    norms = {1: 33.0, 11: 33.0 * factor}
    steps = [{"step": step, "loss": 1.0} for step in range(1, 13)]
    for entry in steps:
        if entry["step"] in norms:
            entry["gradient_norm/layer-00"] = norms[int(entry["step"])]
    drawn = svg_of(layer_map(History(steps, []), "gradient_norm"))
    across = axis_labels(drawn, "X")
    assert min(across) == 0
    assert max(across) <= 12
    legend = drawn[drawn.index('aria-roledescription="legend"') :]
    labels = re.findall(r"<text[^>]*>([\d.,]+)</text>", legend)
    assert len(set(labels)) == len(labels) == 3


def test_score_histograms_stand_over_one_axis() -> None:
    parts = {"edges": [0.0, 0.5, 1.0], "counts": [3, 4]}
    drawn = svg_of(charts.score_histograms({"answers": parts, "negatives": parts}, {"answers": "tuned"}))
    assert marks(drawn, "bar") == 4
    assert "negatives" in drawn


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0.5, 50))
def test_a_running_average_stays_between_its_values(losses: list[float], half_life: float) -> None:
    chart = charts.loss_curve(range(len(losses)), losses, half_life=half_life).to_dict()
    (data,) = chart["datasets"].values() if "datasets" in chart else ([*chart["layer"][0]["data"]["values"]],)
    averages = [point["average"] for point in data]
    assert averages[0] == pytest.approx(losses[0])
    slack = 1e-6 * (1 + max(map(abs, losses)))
    assert min(losses) - slack <= min(averages)
    assert max(averages) <= max(losses) + slack


def test_every_colour_of_the_charts_follows_the_page() -> None:
    style = (Path(cosmith.inspection.__file__).parent / "report.css").read_text(encoding="utf-8")
    for role, colour in PALETTE.items():
        assert f"--{role}: {colour};" in style
        for attribute in ("fill", "stroke"):
            if role != "line" or attribute == "stroke":
                assert f'svg [{attribute}="{colour}"] {{ {attribute}: var(--{role}); }}' in style
    dark = style[style.index("prefers-color-scheme: dark") :]
    assert all(f"--{role}:" in dark for role in PALETTE)
    drawn = svg_of(charts.interval_chart(ROWS, {"base": "base", "tuned": "tuned"}))
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]+)"', drawn))
    assert used <= set(PALETTE.values())


def test_series_without_a_role_get_colours_of_their_own() -> None:
    found = charts.colours(["base", *"abcdef"], {"base": "base"})
    assert found[0] == PALETTE["base"]
    assert len(set(found[:5])) == 5
    assert len(found) == 7


def test_a_figure_has_a_name_and_shrinks() -> None:
    drawn = figure(charts.interval_chart(ROWS, {}), 'Scores <on> "x"', "a note")
    assert 'aria-label="Scores &lt;on&gt; &quot;x&quot;"' in drawn
    assert re.search(r'<svg viewBox="0 0 [\d.]+ [\d.]+" role="img"[^>]* style="max-width:\d+px">', drawn)
    assert drawn.count("<svg") == drawn.count("</svg>") == 1


@given(st.text())
def test_text_never_becomes_markup(text: str) -> None:
    made = element("p", text, title=text)
    assert made.count("<") == made.count(">") == 2
    assert made.count('"') == 2
    assert escaped(made) is made
    assert isinstance(made, Markup)
    made.encode("utf-8")


def test_figures_are_written_for_readers() -> None:
    assert wording.metric_name("ndcg@10") == "nDCG@10"
    assert wording.metric_name("spearman") == "Spearman"
    assert wording.difference(-0.0123) == "−0.012"
    assert wording.difference(-0.0004) == wording.difference(0.0004) == "0.000"
    assert wording.interval(-0.1, 0.2).replace("\u00a0", " ") == "[−0.100, 0.200]"
    assert [wording.duration(seconds) for seconds in (0.42, 45, 212, 7385)] == [
        "0.4 s",
        "45 s",
        "3:32 min",
        "2:03:05 h",
    ]
    assert wording.excerpt("a\nb\nc", lines=2) == "a\nb\n…"
    assert wording.excerpt("abcdef", characters=3) == "abc …"
    assert wording.looks_like_code("@cached\ndef f(x):")
    assert not wording.looks_like_code("Define a function")
