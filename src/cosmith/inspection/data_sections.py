"""Sections on what goes in: the data, what training will cost, mined negatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmith.inspection import charts, wording
from cosmith.inspection.markup import Markup, element, facts, joined, table
from cosmith.inspection.pair_forms import pair_forms
from cosmith.inspection.passages import passage
from cosmith.inspection.pictures import figure
from cosmith.inspection.run_record import RunRecord, StageView
from cosmith.phrases import one_line, share, size

DATA_KINDS = (
    "python-functions", "source", "collection", "sts", "task", "classes", "graded-pairs", "weak-pairs", "self-pairs",
    "synthesise",
)  # fmt: skip


def data_section(run: RunRecord) -> Markup | None:
    """Where the texts come from: counts, what was dropped and why, splits, examples."""
    stages = run.of_kind(*DATA_KINDS)
    return joined(_data(stage, len(stages) > 1) for stage in stages) if stages else None


def _data(stage: StageView, titled: bool) -> Markup:
    result = stage.result
    counts = [
        ("packages", result.get("packages")),
        ("documented functions", result.get("functions")),
        ("usable pairs", result.get("pairs")),
        ("classes", result.get("classes")),
        ("graded pairs", result.get("graded_pairs")),
        ("pairs that are alike", result.get("alike")),
        ("negatives found by words", result.get("negatives_by_words")),
        ("negatives drawn", result.get("negatives_drawn")),
        ("documents", result.get("documents")),
        ("pairs by a title", result.get("from_titles")),
        ("distractors in the test set", result.get("distractors")),
    ]
    examples = [
        element(
            "li",
            element("p", example.get("query", ""), class_="query"),
            _origin(example),
            passage(example.get("document", ""), lines=9),
        )
        for example in ([] if result.get("forms") else result.get("examples", [])[:3])
    ]
    return joined(
        [
            element("h3", stage.name) if titled else None,
            element("p", f"From {stage.config['path']}") if stage.config.get("path") else None,
            element("p", f"Written by {result['model']}: {result['told']}") if result.get("told") else None,
            facts((name, wording.count(number)) for name, number in counts if number is not None),
            _written(result.get("by_sort") or {}, result.get("samples") or {}),
            _splits(result.get("splits") or {}),
            dropped_table(result.get("dropped") or {}, "left out"),
            pair_forms(result["forms"], result["examples"]) if result.get("forms") else None,
            element("h3", "Examples") if examples else None,
            element("ul", *examples, class_="plain") if examples else None,
        ]
    )


def _origin(example: Mapping[str, Any]) -> Markup | None:
    return element("p", example["package"], class_="note") if example.get("package") else None


def _written(counts: Mapping[str, int], samples: Mapping[str, Sequence[Mapping[str, str]]]) -> Markup | None:
    """How much a language model wrote of each sort, with an example of it."""
    rows = [[sort, wording.count(count), samples[sort][0]["query"]] for sort, count in counts.items()]
    return table(["written", "rows", "for example"], rows) if rows else None


def _splits(splits: Mapping[str, Mapping[str, int]]) -> Markup | None:
    if not splits:
        return None
    columns = [
        name
        for name in ("pairs", "queries", "documents", "packages", "crossing", "nearly_crossing")
        if any(name in part for part in splits.values())
    ]
    rows = [
        [name, *(wording.count(part[column]) if column in part else "" for column in columns)]
        for name, part in splits.items()
    ]
    return table(["split", *columns], rows)


def dropped_table(dropped: Mapping[str, int], what: str) -> Markup | None:
    """Reasons with bars as long as their share of the most frequent one; behind how many there are of ``what``."""
    if not dropped:
        return None
    most = max(dropped.values())
    rows = [[reason, wording.count(number), bar(number / most)] for reason, number in dropped.items()]
    total = wording.count(sum(dropped.values()))
    return element("details", element("summary", f"{total} {what}, and why"), table(["reason", "number", ""], rows))


def bar(part: float) -> Markup:
    """A bar as long as ``part`` of its cell."""
    return element("span", element("span", style=f"width:{100 * part:.1f}%"), class_="bar")


def cleaning_section(run: RunRecord) -> Markup | None:
    """What was left out of rows and texts: filter by filter, with examples to judge the filters by."""
    stages = run.of_kind("clean")
    return joined(_cleaning(stage, len(stages) > 1) for stage in stages) if stages else None


def _cleaning(stage: StageView, titled: bool) -> Markup:
    steps = stage.result["steps"]
    rows = [
        [
            step["name"],
            wording.count(step["before"]),
            wording.count(step["before"] - step["after"]),
            wording.count(step["changed"]) if step["changed"] else "",
            ", ".join(f"{reason} {wording.count(number)}" for reason, number in step["dropped"].items()),
        ]
        for step in steps
    ]
    examples = [
        [step["name"], passage(each["text"], characters=220, lines=5), each["reason"], one_line(each["evidence"], 100)]
        for step in steps
        for each in step["examples"][:3]
    ]
    return joined(
        [
            element("h3", stage.name) if titled else None,
            table(["filter", "before", "left out", "shortened", "why"], rows),
            element(
                "details",
                element("summary", "What was left out, for example"),
                table(["filter", "text", "why", "seen by"], examples),
            )
            if examples
            else None,
        ]
    )


def cost_section(run: RunRecord) -> Markup | None:
    """What training would take, said before it began."""
    stages = run.of_kind("estimate")
    return joined(_cost(stage.result) for stage in stages) if stages else None


def _cost(result: Mapping[str, Any]) -> Markup:
    known: list[tuple[str, str | None]] = [
        ("steps", _with(result, "steps", wording.count)),
        ("tokens a step", _with(result, "tokens_per_step", wording.count)),
        ("time, without evaluations", _with(result, "seconds", wording.duration)),
        ("peak memory", _with(result, "peak_bytes", size)),
        ("computed on", " in ".join(str(result[key]) for key in ("device", "precision") if result.get(key)) or None),
        ("padding would waste", _with(result, "padding_share", share)),
        ("queries cut", _with(result, "cut_queries", _cut)),
        ("documents cut", _with(result, "cut_documents", _cut)),
    ]
    pictures = []
    for side, plural in (("query", "queries"), ("document", "documents")):
        lengths = (result.get("lengths") or {}).get(side)
        if lengths and lengths.get("counts"):
            cut = lengths.get("max_length")
            beyond = lengths.get("beyond")
            chart = charts.histogram(
                lengths["edges"], lengths["counts"], title="tokens", mark=cut, mark_label=f"cut at {cut}"
            )
            note = f"{share(beyond)} are longer still" if beyond else None
            pictures.append(figure(chart, f"Length of {plural}", note))
    return joined(
        [
            facts((name, value) for name, value in known if value),
            element("div", *pictures, class_="figures") if pictures else None,
        ]
    )


def _cut(cut: Mapping[str, Any]) -> str:
    part = share(cut["count"] / cut["of"])
    return f"{wording.count(cut['count'])} of {wording.count(cut['of'])} ({part})"


def _with(result: Mapping[str, Any], key: str, write: Any) -> str | None:
    return None if result.get(key) is None else str(write(result[key]))


def negatives_section(run: RunRecord) -> Markup | None:
    """Hard negatives: how many, how near they are, examples to judge them by."""
    stages = run.of_kind("mine")
    return joined(_negatives(stage.result) for stage in stages) if stages else None


def _negatives(result: Mapping[str, Any]) -> Markup:
    known = [
        ("rows", _with(result, "rows", wording.count)),
        ("negatives", _with(result, "negatives", wording.count)),
        ("mean score of answers", _with(result, "mean_positive_score", wording.score)),
        ("mean score of negatives", _with(result, "mean_negative_score", wording.score)),
        ("left out as likely answers", _with(result, "rejected_likely_positives", wording.count)),
        ("of these answers, by a rough estimate", _with(result, "estimated_positives", wording.count)),
        ("rows with too few", _with(result, "short_rows", wording.count)),
        ("rows with none", _with(result, "bare_rows", wording.count)),
    ]
    warnings = [element("p", each, class_="note") for each in (result.get("told") or [])[1:]]
    histograms = result.get("histograms") or {}
    picture = (
        element(
            "div",
            figure(charts.score_histograms(histograms, {"answers": "tuned", "negatives": "base"}), "Scores"),
            class_="figures",
        )
        if histograms
        else None
    )
    examples = [
        element(
            "li",
            element("p", example.get("query", ""), class_="query"),
            element(
                "div",
                _tagged("answer", example.get("positive", ""), good=True),
                *(_tagged("hard negative", text) for text in (example.get("negatives") or [])[:1]),
                class_="columns",
            ),
        )
        for example in result.get("examples", [])[:3]
    ]
    return joined(
        [
            facts((name, value) for name, value in known if value),
            *warnings,
            picture,
            element("h3", "Examples") if examples else None,
            element("ul", *examples, class_="plain") if examples else None,
            _likely(result),
        ]
    )


def judged_section(run: RunRecord) -> Markup | None:
    """Rows that a model has judged: their scores, which of them were kept, examples to judge the judge by."""
    stages = run.of_kind("score", "filter", "round-trip")
    return joined(_judged(stage, len(stages) > 1) for stage in stages) if stages else None


def _judged(stage: StageView, titled: bool) -> Markup:
    result = stage.result
    known = [
        ("judged by", result.get("model")),
        ("rows", _with(result, "rows", wording.count)),
        ("rows kept", _with(result, "kept", wording.count)),
        ("lowest score kept", _with(result, "threshold", wording.score)),
        ("documents searched", _with(result, "searched", wording.count)),
        ("rows whose document came first", _with(result, "found_first", wording.count)),
        ("mean score of answers", _with(result, "mean_positive_score", wording.score)),
        ("mean score of negatives", _with(result, "mean_negative_score", wording.score)),
        ("rows with a negative above an answer", _with(result, "outscored_rows", wording.count)),
    ]
    roles = {"answers": "tuned", "negatives": "base", "kept": "tuned", "left out": "base"}
    chart = charts.score_histograms(result["histograms"], roles, title=f"{result['measure']} with the query")
    examples = [
        [name, one_line(each["query"], 200), passage(each["document"], characters=220, lines=5),
         wording.score(each["score"])]
        for name, some in (result.get("examples") or {}).items()
        for each in some[:3]
    ]  # fmt: skip
    return joined(
        [
            element("h3", stage.name) if titled else None,
            facts((name, value) for name, value in known if value),
            element("div", figure(chart, "Scores"), class_="figures"),
            element(
                "details",
                element("summary", "Rows on both sides of the line"),
                table(["", "query", "document", "score"], examples),
            )
            if examples
            else None,
            _likely(result),
        ]
    )


def _likely(result: Mapping[str, Any]) -> Markup | None:
    """Documents that look like answers to a model, though the rows do not say so."""
    likely = [
        [
            one_line(each.get("query", ""), 200),
            passage(each.get("document", ""), characters=220, lines=5),
            _scores(each),
        ]
        for each in result.get("likely_positives", [])[:5]
    ]
    if not likely:
        return None
    return element(
        "details",
        element("summary", "Likely answers that nobody has marked"),
        table(["query", "document", "its score; the answer's"], likely),
    )


def _tagged(tag: str, text: str, *, good: bool = False) -> Markup:
    return element("div", element("p", tag, class_="tag good" if good else "tag"), passage(text, lines=9))


def _scores(likely: Mapping[str, Any]) -> str:
    return "; ".join(wording.score(likely[key]) for key in ("score", "positive_score") if likely.get(key) is not None)
