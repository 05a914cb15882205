"""Queries with the texts that answer each: among candidates of their own, or among those of all queries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cosmith.data.collection import Collection
from cosmith.data.row_readers import open_rows
from cosmith.data.rows import Rejected, write_rejected
from cosmith.errors import InputError


@dataclass(frozen=True)
class CandidateLists:
    """Queries, each with candidates of its own.

    Attributes:
        queries: The queries [n].
        positives: The texts that answer each, one or more.
        negatives: The candidates that do not, one or more.
        rejected: The records that cannot be used.
        instruction: What the queries ask for, put before them by models that take instructions.

    Raises:
        InputError: When there are not as many of one as of the others, or a query lacks an answer or an other text:
            whatever the order, it would score the same.
    """

    queries: list[str]
    positives: list[tuple[str, ...]]
    negatives: list[tuple[str, ...]]
    rejected: tuple[Rejected, ...] = ()
    instruction: str = ""

    def __post_init__(self) -> None:
        if not len(self.queries) == len(self.positives) == len(self.negatives):
            raise InputError(
                f"there are {len(self.queries)} queries with {len(self.positives)} lists of positives and"
                f" {len(self.negatives)} of negatives",
                field="queries",
            )
        for what, lists in (("positive", self.positives), ("negative", self.negatives)):
            if (row := next((row for row, texts in enumerate(lists) if not texts), None)) is not None:
                raise InputError(
                    f"the query {self.queries[row]!r} has no {what}", field=f"{what}s", remedy="Leave it out."
                )

    def __len__(self) -> int:
        return len(self.queries)


def read_candidates(path: str | Path, *, rejected: str | Path | None = None) -> CandidateLists:
    """Read queries with their positives and negatives, from the columns that :func:`cosmith.data.read_rows` finds.

    A query without a positive or without a negative is put aside, as MTEB does.

    Args:
        path: As :func:`cosmith.data.open_rows` takes it.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`cosmith.data.read_rows`; and when no query has both.
    """
    file = open_rows(path, label=None, group=None, document_group=None, scores=None)
    bad: list[Rejected] = []
    rows = []
    for where, line, row in file.placed(bad):
        if row.negatives:
            rows.append(row)
        else:
            bad.append(Rejected(line, "has no negative", row.query[:500], str(where)))
    if rejected is not None:
        write_rejected(rejected, bad)
    if not rows:
        raise InputError(
            "has no query with a negative", path=file.path, field="negative",
            remedy="Give each query a list of candidates that do not answer it.",
        )  # fmt: skip
    return CandidateLists(
        [row.query for row in rows], [row.positives for row in rows], [row.negatives for row in rows], tuple(bad)
    )


def read_pairs_as_collection(path: str | Path, name: str, *, rejected: str | Path | None = None) -> Collection:
    """Read queries with the texts that answer them as a retrieval set over the texts of all rows.

    Equal texts are one document, equal queries one query; negatives are documents that are not relevant.

    Args:
        path: As :func:`cosmith.data.open_rows` takes it.
        name: What to call the collection.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: As :func:`cosmith.data.read_rows`.
    """
    file = open_rows(path, label=None, group=None, document_group=None, scores=None)
    bad: list[Rejected] = []
    documents: dict[str, str] = {}
    queries: dict[str, str] = {}
    relevance: dict[str, dict[str, int]] = {}
    for row in file.into(bad):
        query = queries.setdefault(row.query, f"q{len(queries)}")
        for grade, texts in ((0, row.negatives), (1, row.positives)):
            for text in texts:
                document = documents.setdefault(text, f"d{len(documents)}")
                judged = relevance.setdefault(query, {})
                judged[document] = max(grade, judged.get(document, 0))
    if rejected is not None:
        write_rejected(rejected, bad)
    return Collection(
        name,
        {given: text for text, given in documents.items()},
        {given: text for text, given in queries.items()},
        relevance,
        tuple(bad),
    )
