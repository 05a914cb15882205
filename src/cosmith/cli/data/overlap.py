"""`cosmith data overlap`: does training hold what the test asks?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.texts import warn_of_rejected

if TYPE_CHECKING:
    from cosmith.data import Collection, Source
    from cosmith.data.contamination import TrainedOn
    from cosmith.data.split_check import SplitCheck


def overlap(
    context: typer.Context,
    train: Annotated[
        Path, typer.Argument(help="Training rows: a file or folder that `inspect` takes, or a Source's folder.")
    ],
    test: Annotated[Path, typer.Argument(help="A BEIR folder, or a file of rows with queries.")],
    split: Annotated[str, typer.Option("--split", help="The file of qrels/ to look at.")] = "test",
    near: Annotated[
        float | None,
        typer.Option(
            "--near", metavar="JACCARD", help="Also find test queries and documents that are nearly training ones."
        ),
    ] = None,
    query: Annotated[str, typer.Option("--query", help="Column of the queries.")] = "auto",
    positive: Annotated[str, typer.Option("--positive", help="Column of the answers.")] = "auto",
) -> None:
    """Find test queries that are trained on, and count the documents that both sides have. Exits with 1 where it
    finds some.

    Example: cosmith data overlap train.jsonl my-test-set --near 0.9
    """
    from cosmith.data.split_check import check_split

    manner = manner_of(context)
    rows = _source(train, query, positive, manner)
    found = check_split(rows, _collection(test, split, query, positive, manner), near=near)
    examples = [f"  {each.test!r} ({each.how}: {each.train!r})" for each in _shown(found)]
    manner.result("\n".join([*found.describe(), *examples]), found.values())
    if found.crosses:
        raise typer.Exit(1)


def _shown(found: SplitCheck) -> Iterator[TrainedOn]:
    yield from found.overlap.examples
    for near in (found.queries, found.documents):
        if near is not None:
            yield from near.examples


def _source(path: Path, query: str, positive: str, manner: Manner) -> Source:
    from cosmith.data import Source, open_rows

    if (path / "source.json").is_file():
        return Source.load(path)
    file = open_rows(path, query=query, positive=positive, label=None, group=None, document_group=None, scores=None)
    source = Source.from_rows(path.name, file)
    warn_of_rejected(file.rejected, None, manner, otherwise=f"cosmith data inspect {quote(str(path))} counts them")
    return source


def _collection(path: Path, split: str, query: str, positive: str, manner: Manner) -> Collection:
    """A BEIR folder's, or the rows of a file as one."""
    import numpy as np

    from cosmith.data import Collection

    if path.is_dir() and not (path / "source.json").is_file():
        return Collection.read_beir(path, split=split)
    rows = _source(path, query, positive, manner)
    queries, documents = np.unique(rows.query), np.unique(np.concatenate([rows.positives, rows.negatives]))
    owners, answers = rows.known_positives(np.arange(len(rows)))
    relevance: dict[str, dict[str, int]] = {}
    for owner, answer in zip(owners.tolist(), answers.tolist(), strict=True):
        relevance.setdefault(str(owner), {})[str(answer)] = 1
    return Collection(
        name=path.name,
        documents={str(number): rows.texts[number] for number in documents.tolist()},
        queries={str(number): rows.texts[number] for number in queries.tolist()},
        relevance=relevance,
    )
