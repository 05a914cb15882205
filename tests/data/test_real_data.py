"""The real data sets: what is read has the counts that their sources publish."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cosmith.data import Collection, Source, TextTable, TrainingRow, read_rows, read_sts, read_texts


@pytest.mark.parametrize(
    ("name", "split", "documents", "queries"),
    [
        ("scifact", "train", 5183, 809),
        ("scifact", "test", 5183, 300),
        ("medquad", "train", 15809, 12948),
        ("medquad", "test", 15809, 1397),
        ("cranfield", "test", 1398, 225),
    ],
)
def test_collections(shared_data: Path, name: str, split: str, documents: int, queries: int) -> None:
    collection = Collection.read_beir(shared_data / name, split)
    assert (len(collection.documents), len(collection.queries)) == (documents, queries)
    assert collection.rejected == ()
    assert all(any(grade > 0 for grade in grades.values()) for grades in collection.relevance.values())


@pytest.mark.parametrize(("split", "count"), [("train", 5749), ("dev", 1500), ("test", 1379)])
def test_stsb(shared_data: Path, split: str, count: int) -> None:
    pairs = read_sts(shared_data / "stsb" / f"{split}.tsv")
    assert len(pairs) == count
    assert pairs.rejected == ()
    assert (pairs.scores.min(), pairs.scores.max()) == (0, 5)


@pytest.mark.parametrize(
    ("name", "rows", "rejected"),
    [
        ("wikiqa/train.jsonl", 857, 0),
        ("tatoeba/deu-eng.tsv", 1000, 0),
        ("tatoeba/swh-eng.tsv", 390, 0),
        ("twitter-url/test.tsv", 9334, 786),  # those without a label are undecided
        ("stsb/train.tsv", 5749, 0),
    ],
)
def test_rows(shared_data: Path, name: str, rows: int, rejected: int) -> None:
    read = read_rows(shared_data / name)
    assert (len(read.rows), len(read.rejected)) == (rows, rejected)


def test_a_source_of_medquad(shared_data: Path, tmp_path: Path) -> None:
    collection = Collection.read_beir(shared_data / "medquad", "train")
    rows = [
        TrainingRow(collection.queries[query], tuple(collection.documents[document] for document in grades))
        for query, grades in collection.relevance.items()
    ]
    source = Source.from_rows("medquad", rows).save(tmp_path / "medquad")
    assert list(source.rows()) == rows
    queries, positives = source.known_positives(np.arange(len(source)))
    assert len(queries) == len({(row.query, positive) for row in rows for positive in row.positives})
    assert len(positives) == len(queries)


def test_texts(shared_data: Path) -> None:
    read = read_texts(shared_data / "medquad" / "corpus.jsonl")
    assert len(read.texts) == 15809
    collection = Collection.read_beir(shared_data / "medquad")
    assert dict(zip(read.ids, read.texts, strict=True)) == collection.documents
    table, numbers = TextTable.from_texts(read.texts)
    assert table.take(numbers) == read.texts
