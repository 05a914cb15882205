"""The report of a run: every section there, nothing loaded from elsewhere, no text that becomes a tag."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cosmith.errors import InputError
from cosmith.inspection import read_run, write_report
from cosmith.inspection.report import report_page
from cosmith.inspection.run_record import RunRecord
from cosmith.inspection.verdict import verdict

RunMaker = Callable[..., Path]

SECTIONS = {
    "data": "The data",
    "cost": "What training would cost",
    "baselines": "Before training",
    "negatives": "Hard negatives",
    "training": "Training",
    "results": "After training",
    "forgotten": "What was forgotten",
    "changes": "Queries that changed most",
    "errors": "Where it errs",
    "searches": "Example searches",
    "provenance": "Where these figures come from",
}
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """The tags of a page: that they nest, and which things they name to be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.sections: list[str] = []
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "section":
            self.sections.append(str(given["id"]))
        for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
            if given.get(name) and not str(given[name]).startswith("#"):
                self.loaded.append(f"{tag} {name} {given[name]}")
        assert not [name for name in given if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())


def written(run: Path) -> Page:
    path = write_report(run)
    assert path == run / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_all_sections_stand_in_the_order_of_the_run(make_run: RunMaker) -> None:
    page = written(make_run())
    assert page.sections == list(SECTIONS)
    assert not page.open
    for title in SECTIONS.values():
        assert title in page.text
    # lengths of queries and documents, mined scores, baselines on two tasks, loss, dev, learning rate,
    # interpolation, scores and differences of two, errors by rank and by two lengths
    assert page.tags.count("figure") == page.tags.count("svg") == 16


def test_the_page_needs_nothing_else(make_run: RunMaker) -> None:
    run = make_run()
    page = written(run)
    text = (run / "report.html").read_text(encoding="utf-8")
    assert page.loaded == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert re.findall(r"url\(|@import", text) == []
    # what is left of addresses are the names of XML vocabularies, which nothing loads
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert len(text) < 600_000


def test_figures_are_those_of_the_run(make_run: RunMaker, results: dict[str, dict[str, Any]]) -> None:
    text = written(make_run()).text
    row = results["comparison"]["tasks"][0]
    assert f"On 60 held-out queries nDCG@10 rose from {row['before']:.3f} to {row['after']:.3f}" in text
    assert f"{row['difference']:+.3f} [{row['low']:.3f}, {row['high']:.3f}], p = {row['p_value']:.3f}" in text
    assert "something general was forgotten" in text
    for expected in (
        "28,956", "34,341 left out, and why", "body too short 14,663", "3:32 min", "1.7 GB", "62 %",
        "3 of 7,500 (0.04 %)", "1,278 of 6,000 (21 %)",
        "base, tuned: 312 of 3,000 documents (10.4 %) are longer than 128 tokens and are cut.",
        "0.8 % are longer still",
        "11,987", "341", "75 % of the tuned weights", "17 → 1", "not found → 4", "1 → 6", "all-MiniLM-L6-v2",
        "25.8 GB", "2.13.0", "5.9 MB", "def merge(first, second, key=identity):", "right answer",
    ):  # fmt: skip
        assert expected in text, expected
    counts = f"Queries: {row['wins']} better, {row['ties']} equal, {row['losses']} worse."
    assert counts in text
    # The main metric's difference in the table is the comparison that the run made, to the digit.
    assert f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" in text


def test_where_the_models_err_is_told(make_run: RunMaker) -> None:
    text = written(make_run()).text
    assert "312 of 3,000 documents (10.4 %) and 0 queries are longer than 128 tokens" in text
    assert "The wrong answers that train was surest of" in text
    assert "never judged: bisect:insort" in text


@pytest.mark.parametrize(
    ("stages", "sections"),
    [
        (("data",), ["data", "provenance"]),
        (("baseline",), ["baselines", "provenance"]),
        (("train",), ["training", "provenance"]),
        (("index",), ["searches", "provenance"]),
        (("data", "estimate", "mined"), ["data", "cost", "negatives", "provenance"]),
        (("baseline", "train", "evaluation"), ["baselines", "training", "results", "forgotten", "provenance"]),
        (("baseline", "evaluation"), ["baselines", "provenance"]),
        (("comparison",), ["changes", "errors", "provenance"]),
    ],
)
def test_sections_whose_stage_is_absent_are_left_out(
    make_run: RunMaker, stages: tuple[str, ...], sections: list[str]
) -> None:
    page = written(make_run(stages))
    assert page.sections == sections
    assert "None" not in page.text


def test_no_text_becomes_a_tag(make_run: RunMaker) -> None:
    evil = "</style></title><script>alert('x')</script><img src=x onerror=alert(1)>\x00\x0b\udc80 & \"quoted\""
    hit = {"id": evil, "score": 0.5, "text": evil}
    change = {"query": evil, "document": evil, "rank_before": 2, "rank_after": 3, "top_before": evil, "top_after": evil}
    example = {"query": evil, "document": evil, "package": evil}
    run = make_run(
        data={"examples": [example], "dropped": {evil: 1}, "splits": {evil: {"pairs": 1}}},
        mined={"examples": [{"query": evil, "positive": evil, "negatives": [evil]}], "likely_positives": [example]},
        comparison={"gained": [change], "lost": [change]},
        index={"searches": [{"query": evil, "before": [hit], "after": [hit], "relevant": [evil]}]},
    )
    (run / "recipe.yaml").write_text(f"# {evil[:40]}\n")
    about = json.loads((run / "results.json").read_text())
    about |= {"name": evil, "description": evil, "base": evil, "machine": {"processor": evil}}
    (run / "results.json").write_text(json.dumps(about))
    page = written(run)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.sections == list(SECTIONS)
    assert page.text.count("<script>alert('x')</script>") >= 15
    assert "\x00" not in (run / "report.html").read_text(encoding="utf-8")


def row(before: float, after: float, low: float, high: float, p: float, task: str = "data.test") -> dict[str, Any]:
    return {"task": task, "metric": "ndcg@10", "before": before, "after": after, "difference": after - before,
            "low": low, "high": high, "p_value": p, "wins": 10, "losses": 5, "ties": 385}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "outcome", "sentence"),
    [
        (
            row(0.64, 0.73, 0.07, 0.11, 0.0001),
            "better",
            "On 400 held-out queries nDCG@10 rose from 0.640 to 0.730: +0.090 [0.070, 0.110], p = 0.0001.",
        ),
        (
            row(0.64, 0.6, -0.06, -0.02, 0.00001),
            "worse",
            "On 400 held-out queries nDCG@10 fell from 0.640 to 0.600: −0.040 [−0.060, −0.020], p < 0.0001."
            " The tuned model is worse.",
        ),
        (
            row(0.64, 0.645, -0.01, 0.02, 0.41),
            "unclear",
            "On 400 held-out queries nDCG@10 went from 0.640 to 0.645: +0.005 [−0.010, 0.020], p = 0.410."
            " That is no clear difference: the interval holds zero.",
        ),
        (
            row(0.64, 0.64, 0.0, 0.0, 1.0),
            "unclear",
            "On 400 held-out queries nDCG@10 went from 0.640 to 0.640: 0.000 [0.000, 0.000], p = 1.000."
            " That is no clear difference: the interval holds zero.",
        ),
    ],
)
def test_the_verdict_is_honest(make_run: RunMaker, given: dict[str, Any], outcome: str, sentence: str) -> None:
    run = read_run(make_run(comparison={"tasks": [row(0.8, 0.81, -0.01, 0.03, 0.4, "general-check"), given]}))
    said = verdict(run)
    assert said.outcome == outcome
    assert said.sentence.replace("\u00a0", " ") == sentence
    assert len(said.remarks) == 1
    assert "no clear loss" in said.remarks[0]


def test_a_kept_base_is_said(make_run: RunMaker) -> None:
    run = make_run(train={"alpha": 0})
    assert any("training did not help" in remark for remark in verdict(read_run(run)).remarks)
    assert "No mixture with the tuned weights beat" in written(run).text


def test_without_a_comparison_no_gain_is_claimed(make_run: RunMaker) -> None:
    run = read_run(make_run(("baseline",)))
    assert verdict(run).outcome == "none"
    assert verdict(run).sentence.startswith("Nothing was compared in this run; base scores nDCG@10 0.")
    assert verdict(RunRecord(run.folder, "x")).sentence == "This run has measured no model yet."


def test_stages_come_in_the_order_of_the_recipe_and_old_folders_do_not_count(make_run: RunMaker) -> None:
    run = make_run(("data", "baseline", "train"))
    (run / "recipe.resolved.yaml").write_text("stages:\n  train: {}\n  data: {}\n  later: {}\n")
    assert [stage.name for stage in read_run(run).stages] == ["train", "data"]
    for name in ("recipe.yaml", "recipe.resolved.yaml", "results.json"):
        (run / name).unlink()
    record = read_run(run)
    assert [stage.name for stage in record.stages] == ["data", "baseline", "train"]  # in which they ended
    assert record.name == "python-docs"
    assert written(run).sections[0] == "data"


def test_what_is_no_run_is_refused_and_an_older_report_stands(make_run: RunMaker, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run folder"):
        write_report(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no stage of this run has ended"):
        write_report(tmp_path / "empty")
    run = make_run()
    (run / "report.html").write_text("older")
    (run / "train" / "result.json").write_text("{torn")
    with pytest.raises(InputError, match=r"train.result\.json: is not JSON"):
        write_report(run)
    (run / "train" / "result.json").unlink()
    with pytest.raises(InputError, match=r"train.result\.json: is missing"):
        write_report(run)
    assert (run / "report.html").read_text() == "older"
    assert not list(run.glob(".report*"))


def test_the_same_run_gives_the_same_page(make_run: RunMaker) -> None:
    run = read_run(make_run(("data", "baseline", "train", "evaluation", "comparison")))
    assert report_page(run) == report_page(run)


def test_how_it_learnt_is_drawn(make_run: RunMaker) -> None:
    """All of training's dynamics that the issue of them names, each as a picture of its own."""
    run = make_run()
    lines = [
        {
            "step": step, "loss": 1 / step, "learning_rate": 2e-5 * (1 - step / 40),
            "gradient_norm/layer-00": 1.0, "update_ratio/layer-00": 1e-3, "embeddings/mean_cosine": 0.5 - step / 100,
            "embeddings/effective_rank": 20.0 + step, "embeddings/alignment": 0.4, "embeddings/uniformity": -2.0,
        }
        for step in range(1, 32, 10)
    ]  # fmt: skip
    stage = next(run.glob("*/metrics.jsonl"))
    stage.write_text("\n".join(map(json.dumps, lines)) + "\n")
    page = write_report(run).read_text(encoding="utf-8")
    for title in (
        "Loss", "Learning rate", "Gradient by layer", "Update by layer", "Alignment and uniformity", "Effective rank",
        "Spread",
    ):  # fmt: skip
        assert f">{title}<" in page, title
