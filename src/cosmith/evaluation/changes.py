"""The queries on which two searches differ most, with their texts: what a mean difference is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.scores import Scores
from cosmith.phrases import one_line
from cosmith.retrieval.hits import Hits

if TYPE_CHECKING:
    from cosmith.data import Collection


@dataclass(frozen=True)
class Shown:
    """A document as a report shows it.

    Attributes:
        document_id: Its id.
        text: The start of its text, in one line.
        relevant: Whether it answers the query.
    """

    document_id: str
    text: str
    relevant: bool


@dataclass(frozen=True)
class QueryChange:
    """A query that one search answers better than another.

    Attributes:
        query_id: Its id.
        query: Its text.
        before: The metric before.
        after: The metric after.
        answer: Its most relevant document.
        rank_before: The rank (from 1) of the first relevant document before; None when it was not found.
        rank_after: The same after.
        top_before: What stood first before; None when nothing was found.
        top_after: What stands first after.
    """

    query_id: str
    query: str
    before: float
    after: float
    answer: Shown
    rank_before: int | None
    rank_after: int | None
    top_before: Shown | None
    top_after: Shown | None

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True)
class Changes:
    """The queries that changed most.

    Attributes:
        metric: By which they are ordered.
        gained: Those that gained, most first.
        lost: Those that lost, most first.
    """

    metric: str
    gained: tuple[QueryChange, ...]
    lost: tuple[QueryChange, ...]


def largest_changes(
    before: Scores,
    after: Scores,
    collection: Collection,
    hits_before: Hits,
    hits_after: Hits,
    n: int = 5,
    *,
    metric: str | None = None,
    characters: int = 240,
) -> Changes:
    """The ``n`` queries that gained most and the ``n`` that lost most.

    Args:
        before: Scores of the one search.
        after: Scores of the other, on the same queries.
        collection: The test set.
        hits_before: What ``before`` was made from, a row for each of its queries.
        hits_after: What ``after`` was made from.
        n: How many each way; queries that did not change are never among them.
        metric: By default the main one.
        characters: Where texts are cut.

    Raises:
        InputError: When tasks or queries differ, or the hits do not belong to them.
    """
    metric = metric or after.main
    after.require_same_task(before)
    if before.query_ids != after.query_ids:
        raise InputError("before and after are not scores of the same queries", field="query_ids")
    for name, scores, hits in (("hits_before", before, hits_before), ("hits_after", after, hits_after)):
        if len(hits) != len(scores.query_ids):
            raise InputError(f"there are {len(scores.query_ids)} queries, but hits for {len(hits)}", field=name)
        if metric not in scores.per_query:
            raise InputError(f"{scores.model} has no values by query for {metric!r}", field="metric")
    differences = after.per_query[metric] - before.per_query[metric]
    order = np.argsort(-differences, kind="stable")

    def change(row: int) -> QueryChange:
        query = before.query_ids[row]
        grades = collection.relevance[query]
        found = [[name for name in hits.ids[row] if name] for hits in (hits_before, hits_after)]
        ranks = [next((rank for rank, name in enumerate(names, 1) if grades.get(name, 0) > 0), None) for names in found]
        tops = [names[0] if names else None for names in found]

        def shown(document: str) -> Shown:
            text = one_line(collection.documents.get(document, "(not in the collection)"), characters)
            return Shown(document, text, grades.get(document, 0) > 0)

        return QueryChange(
            query_id=query,
            query=collection.queries[query],
            before=float(before.per_query[metric][row]),
            after=float(after.per_query[metric][row]),
            answer=shown(max(grades, key=lambda document: grades[document])),
            rank_before=ranks[0],
            rank_after=ranks[1],
            top_before=shown(tops[0]) if tops[0] else None,
            top_after=shown(tops[1]) if tops[1] else None,
        )

    gained = [int(row) for row in order[:n] if differences[row] > 0]
    lost = [int(row) for row in order[::-1][:n] if differences[row] < 0]
    return Changes(metric, tuple(map(change, gained)), tuple(map(change, lost)))
