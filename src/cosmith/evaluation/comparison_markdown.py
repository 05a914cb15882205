"""A comparison as Markdown: the table, the queries won and lost, and where each model errs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cosmith.evaluation.analysis.answers import Unlabelled, WrongAnswer
from cosmith.evaluation.analysis.errors import ErrorAnalysis
from cosmith.evaluation.analysis.groups import Group
from cosmith.evaluation.analysis.lengths import Truncation
from cosmith.evaluation.comparison_report import ComparisonReport, ItemChange, WonAndLost
from cosmith.evaluation.tables import markdown_table
from cosmith.phrases import counted, one_line, share


def comparison_as_markdown(report: ComparisonReport) -> str:
    """The whole of it, as text that ends in a line break."""
    parts = ["# Comparison", report.table.markdown()]
    parts += [part for each in report.changes for part in _changes(each)]
    parts += [part for each in report.analyses for part in _analysis(each)]
    for task, found in report.unlabelled.items():
        parts += _unlabelled(task, found)
    return "\n\n".join(parts) + "\n"


def changes_lines(changes: Sequence[WonAndLost]) -> list[str]:
    """The queries won and lost as a terminal shows them: those of one pair of models on one task, or, of several pairs,
    the one that each wins most, and the one that it loses most."""
    there = [each for each in changes if each.won or each.lost]
    if len(there) == 1:
        return _all_changes(there[0])
    return [line for each in there for line in _largest_changes(each)]


def _all_changes(each: WonAndLost) -> list[str]:
    pair = each.pair
    return [
        line
        for verb, changes in (("wins", each.won), ("loses", each.lost))
        if changes
        for line in (
            f"{pair.task}: {pair.first} {verb} most against {pair.second} on",
            *(f"  {change.first:.3f} : {change.second:.3f}  {one_line(change.text, 100)}" for change in changes),
        )
    ]


def _largest_changes(each: WonAndLost) -> list[str]:
    pair = each.pair
    return [f"{pair.task}: where {pair.first} and {pair.second} differ most"] + [
        f"  {verb:5} {change.first:.3f} : {change.second:.3f}  {one_line(change.text, 100)}"
        for verb, changes in (("wins", each.won), ("loses", each.lost))
        for change in changes[:1]
    ]


def _changes(each: WonAndLost) -> list[str]:
    pair = each.pair
    parts = []
    for verb, changes in (("wins", each.won), ("loses", each.lost)):
        if changes:
            parts.append(f"## {pair.task}: where {pair.first} {verb} against {pair.second}")
            parts.append("\n".join(line for change in changes for line in _change(change, pair.first, pair.second)))
    return parts


def _change(change: ItemChange, first: str, second: str) -> list[str]:
    lines = [f"- **{_plain(change.text)}** ({first} {change.first:.3f}, {second} {change.second:.3f})"]
    found = change.found
    if found is not None:
        ranks = f"{_rank(found.rank_after)} and {_rank(found.rank_before)}"
        lines.append(f"  - right answer, the first at {ranks}: {_plain(found.answer.text)}")
        tops = ((first, found.rank_after, found.top_after), (second, found.rank_before, found.top_before))
        lines += [
            f"  - {model} has on top: {_plain(top.text)}" for model, rank, top in tops if rank != 1 and top is not None
        ]
    return lines


def _analysis(each: ErrorAnalysis) -> list[str]:
    parts = [f"## Where {each.model} errs on {each.task}"]
    parts.append(_groups(f"By the length of the query, {each.metric}", each.unit, each.by_query_length))
    parts.append(_groups(f"By the mean length of its answers, {each.metric}", each.unit, each.by_document_length))
    rows = [[group.label, f"{group.count:,}", share(group.count / each.queries)] for group in each.ranks]
    parts.append(markdown_table("Rank of the first relevant document", ["rank", "queries", "share"], rows))
    if each.truncation is not None:
        parts.append(truncation_sentence(each.truncation))
    if each.wrong:
        parts.append("**The wrong answers that it was surest of**")
        parts.append("\n".join(map(_wrong, each.wrong)))
    return parts


def _wrong(wrong: WrongAnswer) -> str:
    judged = "judged not relevant" if wrong.judged else "never judged"
    found = f"({judged}; the right answer at {_rank(wrong.rank)})"
    return f"- **{_plain(wrong.query)}**: {_plain(wrong.wrong.text)} {found}"


def truncation_sentence(cut: Truncation) -> str:
    """What is not read, and what is scored where it is not, in words."""
    told = (
        f"{cut.documents_cut:,} of {cut.documents:,} documents ({share(cut.documents_cut / cut.documents)}) and"
        f" {counted(cut.queries_cut, 'query', 'queries')} are longer than {counted(cut.limit, 'token')};"
        f" {share(cut.tokens_lost)} of the documents' tokens are not read."
    )
    if cut.answer_cut is None or cut.answer_whole is None:
        return told
    return (
        f"{told} The {counted(cut.answer_cut.count, 'query', 'queries')} of which an answer is cut"
        f" {'scores' if cut.answer_cut.count == 1 else 'score'} {_of_group(cut.answer_cut)}, the other"
        f" {cut.answer_whole.count:,} {_of_group(cut.answer_whole)}."
    )


def _of_group(group: Group) -> str:
    """What its queries score; one says nothing of how others would."""
    return f"{group.value:.3f}" + (f" {group.interval}" if group.count > 1 else "")


def _unlabelled(task: str, found: Sequence[Unlabelled]) -> list[str]:
    if not found:
        return []
    lines = [
        f"- **{_plain(each.query)}**: {_plain(each.document.text)} (`{each.document.document_id}`,"
        f" {'the same text as a relevant one; ' if each.same_text else ''}found by {', '.join(each.models)})"
        for each in found
    ]
    return [f"## {task}: likely relevant, never judged", "\n".join(lines)]


def _groups(title: str, unit: str, groups: Iterable[Group]) -> str:
    rows = [[group.label, f"{group.count:,}", _of_group(group)] for group in groups]
    return markdown_table(title, [unit, "queries", "score"], rows)


def _rank(rank: int | None) -> str:
    return "no rank" if rank is None else f"rank {rank}"


def _plain(text: str) -> str:
    """A text in one line in which Markdown sees no markup of its own."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", one_line(text, 240))
