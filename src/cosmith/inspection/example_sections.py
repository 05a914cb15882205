"""Sections to read: queries that gained and lost, searches before and after, and where the figures come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmith.data.cards import DATA_CARD
from cosmith.inspection import wording
from cosmith.inspection.data_sections import bar
from cosmith.inspection.markup import Markup, element, facts, joined, table
from cosmith.inspection.passages import passage
from cosmith.inspection.run_record import RunRecord, StageView
from cosmith.phrases import size


def changes_section(run: RunRecord) -> Markup | None:
    """The queries that gained and lost most: with the right answer, and what stood on top before and after."""
    stages = [stage for stage in run.of_kind("compare") if stage.result.get("gained") or stage.result.get("lost")]
    if not stages:
        return None
    result = stages[-1].result
    return joined(
        [
            _changes("Gained most", result.get("gained") or []),
            _changes("Lost most", result.get("lost") or []),
        ]
    )


def _changes(title: str, changes: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not changes:
        return None
    return joined([element("h3", title), element("ul", *map(_change, changes), class_="plain")])


def _change(change: Mapping[str, Any]) -> Markup:
    before, after = change.get("rank_before"), change.get("rank_after")
    tops = [
        (f"on top {when}", change.get(f"top_{when}") or "")
        for when, rank in (("before", before), ("after", after))
        if rank != 1
    ]
    columns = [
        element(
            "div", element("p", "right answer", class_="tag good"), passage(change.get("document") or "", lines=10)
        ),
        *(element("div", element("p", name, class_="tag"), passage(text, lines=10)) for name, text in tops if text),
    ]
    moved = element("p", f"rank of the right answer: {_rank(before)} → {_rank(after)}", class_="note")
    return element(
        "li", element("p", change.get("query", ""), class_="query"), moved, element("div", *columns, class_="columns")
    )


def _rank(rank: int | None) -> str:
    return "not found" if rank is None else str(rank)


def searches_section(run: RunRecord) -> Markup | None:
    """Example searches before and after, side by side, answers marked."""
    stages = [stage for stage in run.of_kind("index") if stage.result]
    return joined(map(_index, stages)) if stages else None


def _index(stage: StageView) -> Markup:
    result = stage.result
    known = [
        ("documents", result.get("documents"), wording.count),
        ("chunks that they are found by", result.get("chunks"), wording.count),
        ("numbers a vector", result.get("dimension"), wording.count),
        ("size on disk", result.get("bytes"), size),
        ("time to build", result.get("seconds"), wording.duration),
    ]
    return joined(
        [
            facts((name, write(value)) for name, value, write in known if value is not None),
            element("ul", *map(_search, result.get("searches") or []), class_="plain"),
        ]
    )


def _search(search: Mapping[str, Any]) -> Markup:
    relevant = set(search.get("relevant") or [])
    sides = [(when, search.get(when) or []) for when in ("before", "after")]
    columns = [
        element("div", element("h4", when), element("ol", *(_found(hit, relevant) for hit in hits)))
        for when, hits in sides
        if hits
    ]
    return element(
        "li", element("p", search.get("query", ""), class_="query"), element("div", *columns, class_="columns")
    )


def _found(hit: Mapping[str, Any], relevant: set[str]) -> Markup:
    right = hit.get("id") in relevant
    head = element(
        "p",
        element("span", hit.get("id", ""), class_="id"),
        " ",
        element("small", wording.score(hit["score"])) if hit.get("score") is not None else None,
        " ",
        element("span", "right answer", class_="tag good") if right else None,
    )
    return element("li", head, passage(hit.get("text", ""), characters=320, lines=6), class_="right" if right else None)


def provenance_section(run: RunRecord) -> Markup:
    """Time by stage, versions, machine, recipe: what it takes to see the same figures again."""
    longest = max((stage.seconds for stage in run.stages), default=0.0) or 1.0
    rows = [
        [
            stage.name,
            stage.kind,
            wording.duration(stage.seconds),
            bar(stage.seconds / longest),
            element("code", stage.fingerprint[:12]),
        ]
        for stage in run.stages
    ]
    total = sum(stage.seconds for stage in run.stages)
    machine = run.machine
    memory = machine.get("memory_bytes")
    known = [
        ("base model", run.base),
        ("recipe size", run.size),
        ("all stages", wording.duration(total)),
        ("processor", machine.get("processor")),
        ("cores", machine.get("cores")),
        ("memory", size(memory) if memory else None),
        ("platform", machine.get("platform")),
        *((name, machine.get(name)) for name in ("python", "cosmith", "torch", "transformers")),
    ]
    cards = [
        element("li", element("a", stage.name, href=f"{stage.name}/{DATA_CARD}"))
        for stage in run.stages
        if (stage.folder / DATA_CARD).is_file()
    ]
    return joined(
        [
            facts((name, value) for name, value in known if value),
            table(["stage", "kind", "time", "", "fingerprint"], rows),
            element("h3", "Data cards") if cards else None,
            element("ul", *cards) if cards else None,
            element(
                "details", element("summary", "The recipe"), element("pre", element("code", run.recipe), tabindex="0")
            )
            if run.recipe
            else None,
        ]
    )
