"""Sections on where searches err, for the pages of comparisons and of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cosmith.evaluation.analysis import ErrorAnalysis
from cosmith.evaluation.comparison_markdown import truncation_sentence
from cosmith.inspection import wording
from cosmith.inspection.markup import Markup, element, joined
from cosmith.inspection.passages import passage

if TYPE_CHECKING:
    from cosmith.evaluation.analysis import Unlabelled, WrongAnswer
    from cosmith.inspection.run_record import RunRecord


def errors_section(analyses: Sequence[ErrorAnalysis], roles: Mapping[str, str]) -> Markup:
    """By length and rank as pictures, what is cut in words, and wrong answers to read, of models on one task."""
    from cosmith.inspection.error_charts import group_chart, rank_chart
    from cosmith.inspection.pictures import figure

    first = analyses[0]
    metric = wording.metric_name(first.metric)
    pictures = [
        figure(
            rank_chart({each.model: each.ranks for each in analyses}, roles), "Rank of the first relevant document",
            f"of {wording.count(first.queries)} queries",
        ),
        figure(
            group_chart({each.model: each.by_query_length for each in analyses}, roles, title=metric),
            f"By length of the query, in {first.unit}", "groups of about equal size, 95 % intervals",
        ),
        figure(
            group_chart({each.model: each.by_document_length for each in analyses}, roles, title=metric),
            f"By mean length of the right answers, in {first.unit}", "groups of about equal size, 95 % intervals",
        ),
    ]  # fmt: skip
    cut = [
        element("p", element("strong", each.model), ": ", truncation_sentence(each.truncation))
        for each in analyses
        if each.truncation is not None
    ]
    return joined(
        [
            element("div", *pictures, class_="figures"),
            element("h3", "What is not read") if cut else None,
            *cut,
            *(_wrong_answers(each, is_open=len(analyses) == 1) for each in analyses if each.wrong),
        ]
    )


def run_errors_section(run: RunRecord) -> Markup | None:
    """Where the models of a run's last comparison err on its first task, and what is likely relevant to judge."""
    stages = [stage for stage in run.of_kind("compare") if stage.result.get("errors")]
    if not stages:
        return None
    result = stages[-1].result
    analyses = [ErrorAnalysis.from_dict(each) for each in result["errors"]]
    likely = unlabelled_section(analyses[-1].unlabelled)
    return joined(
        [
            errors_section(analyses, {result["before"]: "base", result["after"]: "tuned"}),
            element("h3", "Likely relevant, never judged") if likely else None,
            likely,
        ]
    )


def unlabelled_section(found: Sequence[Unlabelled]) -> Markup | None:
    """Documents to judge: they stand above relevant ones, and nobody has."""
    if not found:
        return None
    note = (
        "Nobody has judged these documents, and they stand above one that is relevant. Judge them: each that turns out"
        " to be relevant makes the scores truer."
    )
    return joined(
        [element("p", note, class_="note"), element("ul", *map(_unlabelled, found), class_="plain")]
    )  # fmt: skip


def _unlabelled(each: Unlabelled) -> Markup:
    same = " Its text is that of a relevant one." if each.same_text else ""
    told = f"best rank {each.rank}, found by {', '.join(each.models)}.{same}"
    columns = [
        element("div", element("p", f"never judged: {each.document.document_id}", class_="tag"),
                passage(each.document.text)),
        element("div", element("p", f"judged relevant: {each.answer.document_id}", class_="tag good"),
                passage(each.answer.text)),
    ]  # fmt: skip
    return element(
        "li", element("p", each.query, class_="query"), element("p", told, class_="note"),
        element("div", *columns, class_="columns"),
    )  # fmt: skip


def _wrong_answers(each: ErrorAnalysis, *, is_open: bool) -> Markup:
    return element(
        "details",
        element("summary", f"The wrong answers that {each.model} was surest of"),
        element("ul", *map(_wrong, each.wrong), class_="plain"),
        open=is_open,
    )


def _wrong(wrong: WrongAnswer) -> Markup:
    found = "not found" if wrong.rank is None else f"rank {wrong.rank:,}"
    judged = "judged not to be relevant" if wrong.judged else "never judged"
    columns = [
        element("div", element("p", f"on top: {judged}", class_="tag"), passage(wrong.wrong.text)),
        element("div", element("p", f"right answer: {found}", class_="tag good"), passage(wrong.answer.text)),
    ]
    return element("li", element("p", wrong.query, class_="query"), element("div", *columns, class_="columns"))
