"""TREC's files: runs (what a system found) and qrels (what is relevant), as trec_eval and its kin read and write them.

A run has six columns, ``query Q0 document rank score tag``; qrels have four, ``query 0 document grade``; both by white
space. As in trec_eval the rank and the order of lines count for nothing: documents are ordered by score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosmith.atomic import atomic_file
from cosmith.data.lines import numbered_lines
from cosmith.data.relevance import judgements
from cosmith.errors import InputError
from cosmith.evaluation.metrics import trec_order
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.tasks.retrieval import RetrievalTask, judged_queries, score_hits
from cosmith.retrieval.hits import Hits

if TYPE_CHECKING:
    from cosmith.data import Collection

SUFFIXES = (".run", ".trec")
"""How the files of runs are named."""


def read_trec_run(path: str | Path) -> tuple[tuple[str, ...], Hits]:
    """Read a run.

    Args:
        path: The file; may end in ``.gz``.

    Returns:
        The queries in the order in which they come first, and a row of hits for each, ``[queries, k]`` with the k of
        the longest; best first, equal scores (as float32) by document id descending, as trec_eval has it.

    Raises:
        InputError: When a line is none of a run, or a query names a document twice; it names the line.
    """
    path = Path(path)
    found: dict[str, dict[str, float]] = {}
    for number, line in numbered_lines(path):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 6:
            raise InputError(
                f"has {len(fields)} columns, but a line of a run has six", path=path, line=number,
                remedy="Write: query Q0 document rank score tag.",
            )  # fmt: skip
        query, _, document, _, score, _ = fields
        of_query = found.setdefault(query, {})
        if document in of_query:
            raise InputError(
                f"query {query!r} has the document {document!r} already", path=path, line=number,
                remedy="Remove one of the two lines.",
            )  # fmt: skip
        of_query[document] = _score(score, path, number)
    if not found:
        raise InputError("holds blank lines only", path=path, remedy="Give a file that holds a run.")
    depth = max(map(len, found.values()))
    ids = np.full((len(found), depth), "", dtype=object)
    scores = np.full((len(found), depth), -np.inf, dtype=np.float32)
    for row, of_query in enumerate(found.values()):
        ids[row, : len(of_query)] = list(of_query)
        scores[row, : len(of_query)] = list(of_query.values())
    return tuple(found), _ordered(Hits(ids, scores))


def write_trec_run(path: str | Path, hits: Hits, query_ids: Sequence[str], *, tag: str = "cosmith") -> None:
    """Write a run, atomically; a query for which nothing was found has no line.

    Args:
        path: Where to.
        hits: What was found, ``[queries, k]``.
        query_ids: The query of each row.
        tag: The name of the system; white space in it becomes hyphens.

    Raises:
        InputError: When the rows do not match the queries, or an id is empty or holds white space.
        StorageError: When it cannot be written.
    """
    if len(query_ids) != len(hits):
        raise InputError(f"there are {len(query_ids)} queries, but hits for {len(hits)}", field="query_ids")
    named = "-".join(tag.split()) or "cosmith"
    with atomic_file(path) as handle:
        ordered = _ordered(hits)
        for row, query in enumerate(query_ids):
            for rank, (document, score) in enumerate(ordered.of(row), start=1):
                # Nine digits give every float32 back as it was.
                handle.write(f"{_named(query)} Q0 {_named(document)} {rank} {score:.9g} {named}\n")


def read_qrels(path: str | Path) -> dict[str, dict[str, int]]:
    """Read judgements: TREC's four columns, or BEIR's three with or without a header.

    Returns:
        Query id → document id → grade.

    Raises:
        InputError: When a line is no judgement, or contradicts another one; it names the line.
    """
    relevance: dict[str, dict[str, int]] = {}
    for each in judgements(Path(path)):
        relevance.setdefault(each.query, {})[each.document] = each.grade
    return relevance


def write_qrels(path: str | Path, relevance: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements in TREC's four columns, atomically.

    Args:
        path: Where to.
        relevance: Query id → document id → grade.

    Raises:
        InputError: When an id is empty or holds white space.
        StorageError: When it cannot be written.
    """
    with atomic_file(path) as handle:
        for query, grades in relevance.items():
            for document, grade in grades.items():
                handle.write(f"{_named(query)} 0 {_named(document)} {grade}\n")


def read_run_on(path: str | Path, collection: Collection) -> Hits:
    """A run as what was found in a collection; what it says of queries that are not judged counts for nothing.

    Returns:
        A row for each of :func:`~cosmith.evaluation.judged_queries`, ``[queries, k]``; empty where the run has none.

    Raises:
        InputError: As :func:`read_trec_run`; when the run has no query, or no document, of the collection.
    """
    queries, hits = read_trec_run(path)
    row_of = {query: row for row, query in enumerate(queries)}
    judged = judged_queries(collection)
    ids = np.full((len(judged), hits.depth), "", dtype=object)
    scores = np.full((len(judged), hits.depth), -np.inf, dtype=np.float32)
    for row, query in enumerate(judged):
        if query in row_of:
            ids[row], scores[row] = hits.ids[row_of[query]], hits.scores[row_of[query]]
    for what, known in (
        ("query with a relevant document", bool(row_of.keys() & set(judged))),
        ("document", any(name in collection.documents for name in ids.ravel())),
    ):
        if not known:
            raise InputError(
                f"has no {what} of {collection.name!r}", path=path, remedy="Give the run of this test set."
            )  # fmt: skip
    return Hits(ids, scores)


def evaluate_run(
    path: str | Path,
    collection: Collection,
    *,
    main: str = "ndcg@10",
    seed: int = 0,
    resamples: int = 10_000,
    model: str | None = None,
) -> Scores:
    """How good a run from elsewhere is, by trec_eval's metrics at the usual cut-offs.

    A query for which the run has fewer documents than a cut-off is scored as it is. Queries that the run leaves out
    score 0, see :func:`~cosmith.evaluation.score_hits`.

    Args:
        path: The file of the run.
        collection: The test set.
        main: The metric that counts.
        seed: For the intervals.
        resamples: For the intervals; 0 leaves them out.
        model: What to call the system; by default the file's name.

    Raises:
        InputError: As :func:`read_run_on` and :func:`~cosmith.evaluation.score_hits`.
    """
    task = RetrievalTask(collection.name, collection, main)
    hits = read_run_on(path, collection).filled(task.depth)
    return score_hits(
        hits, collection, model=model or Path(path).name, ks=task.ks, main=main, seed=seed, resamples=resamples
    )


def _ordered(hits: Hits) -> Hits:
    """The hits in trec_eval's order."""
    ids = np.full(hits.ids.shape, "", dtype=object)
    scores = np.full(hits.scores.shape, -np.inf, dtype=np.float32)
    for row, names in enumerate(trec_order(hits)):
        score_of = dict(hits.of(row))
        ids[row, : len(names)] = names
        scores[row, : len(names)] = [score_of[name] for name in names]
    return Hits(ids, scores)


def _score(text: str, path: Path, line: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    with np.errstate(over="ignore"):
        holds = math.isfinite(np.float32(score))
    if not holds:
        raise InputError(
            f"{text!r} is not a number that can be a score", path=path, line=line, field="score",
            remedy="Write: query Q0 document rank score tag.",
        )  # fmt: skip
    return score


def _named(given: str) -> str:
    if not given or len(given.split()) != 1 or given != given.strip():
        raise InputError(
            f"the id {given!r} cannot stand in a TREC file, whose columns are separated by white space",
            field="query_ids", remedy="Rename it.",
        )  # fmt: skip
    return given
