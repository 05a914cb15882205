"""The page of a comparison: all that was found, in one file, whatever the texts hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from cosmith.data import Collection
from cosmith.evaluation import (
    ComparisonReport,
    TaskFound,
    compare_models,
    comparison_as_markdown,
    explain_comparison,
    judged_queries,
    score_hits,
)
from cosmith.evaluation.analysis import Truncation
from cosmith.evaluation.analysis.groups import Group
from cosmith.inspection import comparison_page, write_comparison
from cosmith.retrieval import Hits

SPITEFUL = "<script>alert('x')</script> & | *stars* `ticks`"
DOCUMENTS = {f"d{n}": f"{SPITEFUL} number {n} " + "long " * n for n in range(40)}
QUERIES = {f"q{n}": f"{SPITEFUL} asks for {n} " + "much " * n for n in range(24)}
COLLECTION = Collection("docs", DOCUMENTS, QUERIES, {f"q{n}": {f"d{n}": 1} for n in range(24)})


def found_by(seed: int) -> Hits:
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.random((24, 12))).astype(np.float32)
    ids = np.array([rng.permutation(list(DOCUMENTS))[:12] for _ in range(24)], dtype=object)
    if seed == 0:  # the first model is right on all but two
        for row in range(22):
            ids[row] = [f"d{row}", *(name for name in ids[row] if name != f"d{row}")][:12]
    return Hits(ids, scores)


@pytest.fixture(scope="module")
def report() -> ComparisonReport:
    hits = {"good": found_by(0), "weak & <b>": found_by(1), "poor": found_by(2)}
    scores = [score_hits(each, COLLECTION, model=model, ks=(1, 10), resamples=200) for model, each in hits.items()]
    assert scores[0].query_ids == judged_queries(COLLECTION)
    return explain_comparison(compare_models(scores, resamples=200), {"docs": TaskFound(COLLECTION, hits)}, examples=3)


class Tags(HTMLParser):
    """Counts what opens and closes, and collects the text."""

    void = frozenset({"meta", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_needs_nothing_else(report: ComparisonReport) -> None:
    page = comparison_page(report)
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert "script" not in tags.seen
    assert not {"link", "img", "iframe", "b"} & tags.seen
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert len(re.findall("<svg", page)) == 5, "scores, differences, ranks, and two by length"
    for title in ("Scores", "Differences", "Won and lost", "Errors on docs", "likely relevant, never judged"):
        assert title in tags.text
    assert re.search(r"good scores highest on docs, 0\.\d+: better than weak & <b> and poor\.", tags.text)
    assert tags.text.count("first right answer: ") > 3


def test_of_several_tasks_the_top_of_the_page_is_about_their_mean(report: ComparisonReport) -> None:
    import dataclasses

    scores = list(report.table.scores["docs"].values())
    both = compare_models([*scores, *(dataclasses.replace(each, task="more") for each in scores)], resamples=200)
    page = comparison_page(explain_comparison(both, {}, examples=1))
    assert "scores highest on the mean of 2 tasks, " in page
    assert "On the macro average: with 2 tasks, true differences of" in page


def test_three_files_are_written(report: ComparisonReport, tmp_path: Path) -> None:
    paths = write_comparison(tmp_path / "out", report)
    assert [path.name for path in paths] == ["comparison.html", "comparison.md", "comparison.json"]
    assert sorted(tmp_path.joinpath("out").iterdir()) == sorted(paths)


def test_texts_are_no_markup_in_markdown(report: ComparisonReport) -> None:
    text = comparison_as_markdown(report)
    assert "<script>" not in text
    assert r"\*stars\* \`ticks\`" in text
    assert "# Comparison" in text
    assert "## Where good errs on docs" in text
    assert "**Rank of the first relevant document**" in text
    for line in text.splitlines():
        if line.startswith("| ") and "task" in line:
            assert "a: good" in line


def test_what_is_cut_is_told_in_words(report: ComparisonReport) -> None:
    import dataclasses

    whole = Group.of("whole", np.array([0.5, 0.7]))
    cut = Truncation(64, 16, 4, 1, 0.25, Group.of("cut", np.array([0.1, 0.3])), whole)
    analyses = tuple(dataclasses.replace(each, truncation=cut) for each in report.analyses)
    page = comparison_page(dataclasses.replace(report, analyses=analyses))
    assert "4 of 16 documents (25 %) and 1 query are longer than 64 tokens; 25 % of the documents&#x27; tokens" in page
    assert "The 2 queries of which an answer is cut score 0.200" in page
    assert [each.what for each in cut.cuts()] == ["documents", "queries"]
    assert cut.cuts()[1].of == 4


def test_one_model_alone_is_analysed() -> None:
    scores = score_hits(found_by(0), COLLECTION, model="good", ks=(1, 10), resamples=200)
    found = {"docs": TaskFound(COLLECTION, {"good": found_by(0)})}
    page = comparison_page(explain_comparison(compare_models([scores]), found, examples=2))
    assert "good scores nDCG@10 0." in page
    assert "Differences" not in page
    assert "Errors on docs" in page
