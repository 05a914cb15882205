"""Rows of documents, queries and judgements: BEIR folders and the files of MS MARCO."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cosmith.data import JudgedFiles, TrainingRow, open_judged_rows, open_rows, read_rows
from cosmith.errors import InputError

CORPUS = [
    '{"_id": "d1", "title": "T", "text": "one"}', '{"_id": "d2", "text": "two"}', "", '{"_id": "d3", "text": " "}',
    '{"_id": "d4", "text": "four"}', "not json", '{"_id": "d1", "text": "another"}',
]  # fmt: skip
QUERIES = ['{"_id": "q1", "text": "first"}', '{"_id": "q2", "text": "zweite ü"}']
QRELS = [
    "query-id\tcorpus-id\tscore", "q2\td1\t1", "q1\td2\t1", "q2\td4\t2", "q1\td3\t1", "q1\td1\t0", "q3\td1\t1",
    "q1\td2", "q1\td4\tmuch",
]  # fmt: skip


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    for name, lines in (("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels/train.tsv", QRELS)):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


class TestBeir:
    def test_rows(self, beir: Path) -> None:
        read = read_rows(beir)
        assert read.rows == [TrainingRow("zweite ü", ("four", "T one")), TrainingRow("first", ("two",), ("T one",))]
        assert read.columns == {"query": "queries.jsonl", "document": "corpus.jsonl", "positive": "train.tsv"}
        assert [(Path(row.path).name, row.line, row.reason) for row in read.rejected] == [
            ("corpus.jsonl", 4, "the text is empty"),
            ("corpus.jsonl", 6, "is not JSON: Expecting value at character 1"),
            ("corpus.jsonl", 7, "the id 'd1' stands on an earlier line already"),
            ("train.tsv", 8, "has 2 fields, not query, document and score"),
            ("train.tsv", 9, "the score 'much' is not a whole number"),
            ("train.tsv", 5, "corpus.jsonl has no usable text of the id 'd3'"),
            ("train.tsv", 7, "queries.jsonl has no usable text of the id 'q3'"),
        ]

    def test_other_judgements(self, beir: Path) -> None:
        (beir / "qrels" / "dev.tsv").write_text("q1 0 d4 1\n")
        assert read_rows(f"{beir}:dev").rows == [TrainingRow("first", ("four",))]
        assert len(read_rows(beir).rows) == 2  # those called train
        with pytest.raises(InputError, match=r"has no judgements 'tests'"):
            read_rows(f"{beir}:tests")
        (beir / "qrels" / "train.tsv").rename(beir / "qrels" / "test.tsv")
        with pytest.raises(InputError, match=r"has several judgements: 'dev', 'test'. Say which, e.g. .*:dev"):
            read_rows(beir)

    def test_no_judgements(self, beir: Path) -> None:
        (beir / "qrels" / "train.tsv").unlink()
        with pytest.raises(InputError, match="documents and queries, but no judgements"):
            read_rows(beir)

    def test_nothing_relevant(self, beir: Path) -> None:
        (beir / "qrels" / "train.tsv").write_text("q1\td1\t0\n")
        with pytest.raises(InputError, match=r"train\.tsv: holds no line that joins a query with a document"):
            read_rows(beir)

    def test_as_a_collection_has_them(self, shared_data: Path) -> None:
        from cosmith.data import Collection

        collection = Collection.read_beir(shared_data / "scifact", split="train")
        rows = {row.query: set(row.positives) for row in open_rows(shared_data / "scifact")}
        expected = {
            collection.queries[query]: {collection.documents[name] for name, grade in judged.items() if grade > 0}
            for query, judged in collection.relevance.items()
        }
        assert {query: {text.strip() for text in texts} for query, texts in rows.items()} == expected


@pytest.fixture
def marco(tmp_path: Path) -> Path:
    (tmp_path / "collection.tsv").write_text("0\tzero text\n1\tone text\n2\ttwo text\n3\t \n4 no tab\n")
    (tmp_path / "queries.train.tsv").write_text("10\tten?\n11\televen?\n")
    (tmp_path / "queries.dev.tsv").write_text("20\ttwenty?\n")
    (tmp_path / "qrels.train.tsv").write_text("10\t0\t1\t1\n11\t0\t2\t1\n10\t0\t0\t1\n12\t0\t0\t1\n")
    (tmp_path / "qrels.dev.tsv").write_text("20\t0\t2\t1\n")
    return tmp_path


class TestMsMarco:
    def test_judgements(self, marco: Path) -> None:
        read = read_rows(marco)
        assert read.rows == [TrainingRow("ten?", ("one text", "zero text")), TrainingRow("eleven?", ("two text",))]
        assert [row.reason for row in read.rejected] == [
            "the text is only whitespace",
            "has 1 fields, not an id and a text",
            "queries.train.tsv has no usable text of the id '12'",
        ]
        assert read_rows(f"{marco}:dev").rows == [TrainingRow("twenty?", ("two text",))]

    def test_triples_of_ids_and_packed_files(self, marco: Path) -> None:
        packed = marco / "collection.tsv.gz"
        packed.write_bytes(gzip.compress((marco / "collection.tsv").read_bytes()))
        (marco / "qidpidtriples.train.tsv").write_text("10\t1\t2\n11\t2\t9\n10 0 1\n10\t1\n")
        files = JudgedFiles(packed, marco / "queries.train.tsv", marco / "qidpidtriples.train.tsv", "three files")
        file = open_judged_rows(files)
        assert list(file) == [
            TrainingRow("ten?", ("one text",), ("two text",)), TrainingRow("ten?", ("zero text",), ("one text",)),
        ]  # fmt: skip
        assert [row.reason for row in file.rejected][2:] == [
            "has 2 fields, not three ids",
            "collection.tsv.gz has no usable text of the id '9'",
        ]
        packed.write_bytes(packed.read_bytes()[:-8])
        with pytest.raises(InputError, match="is not a whole gzip file"):
            list(open_judged_rows(files))
