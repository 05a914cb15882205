"""Co-clicked queries: two queries after which people chose the same document mean much the same.

Clicks as edges between queries and documents, and queries that share documents as alike: Beeferman & Berger, KDD 2000,
"Agglomerative clustering of a search engine query log"; Craswell & Szummer, SIGIR 2007, "Random walks on the click
graph". A pair weighs what both queries have: the lower of their clicks on the document, added up over documents.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.ragged import Int64
from cosmith.data.weak_supervision.pair import Pair, folded
from cosmith.data.weak_supervision.settings import require_count, require_number
from cosmith.data.weak_supervision.spill import Spill


class Clicked(Protocol):
    """A row of a click log, as :class:`cosmith.data.ClickedDocument` is one."""

    @property
    def query(self) -> str:
        """What was searched for."""

    @property
    def document(self) -> str:
        """The id of the document that was chosen."""

    @property
    def count(self) -> float:
        """How often; rows of the same query and document are added up."""


@dataclass(frozen=True)
class CoClicked:
    """A query finds another one that led to the same document.

    Attributes:
        least_clicks: What a query must have on a document to count; single clicks are often mistakes.
        per_document: The most queries of a document that are paired with each other, those with most clicks.

    Raises:
        InputError: When a value is not possible.
    """

    least_clicks: float = 2
    per_document: int = 5

    def __post_init__(self) -> None:
        require_number("least_clicks", self.least_clicks)
        require_count("per_document", self.per_document, least=2)


def co_clicked_pairs(clicks: Iterable[Clicked], form: CoClicked, folder: Path | None = None) -> Iterator[Pair]:
    """Pairs of queries that led to the same document, the heaviest first; the query with more clicks on it is found.

    Texts stand on the disk; in memory are 40 bytes a row of the log, and 48 bytes a pair.

    Args:
        clicks: Rows of a click log, in any order.
        form: The settings.
        folder: Where the texts stand meanwhile.
    """
    spill = Spill(folder)
    queries, documents, counts = array("Q"), array("Q"), array("d")
    for click in clicks:
        spill.add([click.query, click.document])
        queries.append(_hash(folded(click.query)))
        documents.append(_hash(click.document))
        counts.append(click.count)
    if not len(spill):
        return
    edges = _Edges.added_up(queries, documents, counts)
    enough = edges.clicks >= form.least_clicks
    for row in edges.row[~enough].tolist():
        yield _dropped(spill[row], "too few clicks")
    rank = edges.rank_within_document(enough)
    used = enough & (rank < form.per_document)
    for row in edges.row[enough & ~used].tolist():
        yield _dropped(spill[row], "others have more clicks on the document")
    yield from _paired(edges, np.flatnonzero(used), spill)


@dataclass(frozen=True)
class _Edges:
    """Queries and documents with their clicks, each pair once, by document."""

    query: npt.NDArray[np.uint64]
    document: npt.NDArray[np.uint64]
    clicks: npt.NDArray[np.float64]
    row: Int64

    @classmethod
    def added_up(cls, queries: array[int], documents: array[int], counts: array[float]) -> _Edges:
        query, document = np.array(queries, dtype=np.uint64), np.array(documents, dtype=np.uint64)
        order = np.lexsort((query, document))
        new = np.ones(len(order), dtype=bool)
        new[1:] = (query[order][1:] != query[order][:-1]) | (document[order][1:] != document[order][:-1])
        begins = np.flatnonzero(new)
        # The sort is stable: the first row of a pair is the first in the log.
        return cls(
            query[order][begins],
            document[order][begins],
            np.add.reduceat(np.array(counts, dtype=np.float64)[order], begins),
            order[begins],
        )

    def rank_within_document(self, among: npt.NDArray[np.bool_]) -> Int64:
        """The place of each edge by its clicks among those of its document, from 0; ties: the first in the log."""
        order = np.lexsort((self.row, -self.clicks, ~among, self.document))
        place = np.arange(len(order))
        new = np.ones(len(order), dtype=bool)
        new[1:] = self.document[order][1:] != self.document[order][:-1]
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = place - np.maximum.accumulate(np.where(new, place, 0))
        return rank


def _paired(edges: _Edges, used: Int64, spill: Spill) -> Iterator[Pair]:
    """The pairs of the edges of each document, each once, the heaviest first."""
    firsts, seconds, keys, weights = array("q"), array("q"), array("Q"), array("d")
    borders = np.flatnonzero(np.diff(edges.document[used])) + 1
    for of_document in np.split(used, borders):
        # The more clicks, the later, so that the second of a pair is the one that is found.
        by_clicks = of_document[np.lexsort((-edges.row[of_document], edges.clicks[of_document]))]
        if len(by_clicks) == 1:
            yield _dropped(spill[int(edges.row[by_clicks[0]])], "the only query of its document")
        for first, second in combinations(by_clicks.tolist(), 2):
            firsts.append(first)
            seconds.append(second)
            low, high = sorted((int(edges.query[first]), int(edges.query[second])))
            keys.append(xxhash.xxh3_64_intdigest(low.to_bytes(8, "little") + high.to_bytes(8, "little")))
            weights.append(min(edges.clicks[first], edges.clicks[second]))
    if not keys:
        return
    weight = np.array(weights, dtype=np.float64)
    # Of the documents that a pair shares, that on which both have most clicks stands for it.
    order = np.lexsort((-weight, np.array(keys, dtype=np.uint64)))
    sorted_keys = np.array(keys, dtype=np.uint64)[order]
    begins = np.flatnonzero(np.append(True, sorted_keys[1:] != sorted_keys[:-1]))
    total = np.add.reduceat(weight[order], begins)
    best = order[begins]
    for number in best[np.lexsort((best, -total))].tolist():
        query, document = spill[int(edges.row[firsts[number]])]
        other, _ = spill[int(edges.row[seconds[number]])]
        yield Pair("co-clicked", query, other, document, document)


def _dropped(record: list[str], problem: str) -> Pair:
    query, document = record
    return Pair("co-clicked", query, "", document, document, problem=problem)


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))
