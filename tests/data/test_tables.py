"""The one door: Arrow files, folders of shards, of `datasets`, and data sets of the hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cosmith.data import TrainingRow, open_table, read_classes, read_rows, read_sts, read_texts
from cosmith.errors import InputError

datasets = pytest.importorskip("datasets")

PAIRS = [{"anchor": f"q{n}", "positive": f"p{n}", "negative_1": f"n{n}"} for n in range(5)]
ROWS = [TrainingRow(f"q{n}", (f"p{n}",), (f"n{n}",)) for n in range(5)]


def _stream(path: Path, table: pa.Table) -> None:
    with path.open("wb") as handle, pa.ipc.new_stream(handle, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def _file(path: Path, table: pa.Table) -> None:
    with path.open("wb") as handle, pa.ipc.new_file(handle, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


class TestArrow:
    @pytest.mark.parametrize("write", [_stream, _file])
    def test_both_of_its_formats(self, tmp_path: Path, write: Callable[[Path, pa.Table], None]) -> None:
        write(tmp_path / "rows.arrow", pa.Table.from_pylist([*PAIRS, {"anchor": None, "positive": "p"}]))
        read = read_rows(tmp_path / "rows.arrow")
        assert read.rows == ROWS
        assert read.columns == {"query": "anchor", "positive": "positive", "negative": "negative_1"}
        assert [(row.line, row.reason) for row in read.rejected] == [(6, "the query is missing")]

    @pytest.mark.parametrize("keep", [0.3, 0.9])
    @pytest.mark.parametrize("write", [_stream, _file])
    def test_half_of_one(self, tmp_path: Path, write: Callable[[Path, pa.Table], None], keep: float) -> None:
        path = tmp_path / "rows.arrow"
        write(path, pa.Table.from_pylist(PAIRS * 100))
        content = path.read_bytes()
        path.write_bytes(content[: int(keep * len(content))])
        with pytest.raises(InputError, match=r"rows\.arrow: is not a whole Arrow file"):
            read_rows(path)

    @pytest.mark.parametrize("name", ["rows.arrow", "rows.parquet"])
    def test_two_columns_of_one_name(self, tmp_path: Path, name: str) -> None:
        table = pa.table([["a"], ["b"]], names=["query", "query"])
        _file(tmp_path / name, table) if name.endswith("arrow") else pq.write_table(table, tmp_path / name)
        with pytest.raises(InputError, match="two columns are called 'query'"):
            read_rows(tmp_path / name)


class TestSavedByDatasets:
    def test_a_dataset_in_shards(self, tmp_path: Path) -> None:
        datasets.Dataset.from_list(PAIRS).save_to_disk(str(tmp_path / "set"), num_shards=2)
        read = read_rows(tmp_path / "set")
        assert read.rows == ROWS
        assert read.path == tmp_path / "set"
        (tmp_path / "set" / "data-00000-of-00002.arrow").unlink()
        with pytest.raises(InputError, match=r"data-00000-of-00002\.arrow: there is no such file"):
            read_rows(tmp_path / "set")

    def test_splits_are_asked_for(self, tmp_path: Path) -> None:
        parts = {name: datasets.Dataset.from_list(PAIRS[:size]) for name, size in (("train", 4), ("test", 1))}
        datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "set"))
        assert read_rows(f"{tmp_path}/set:train").rows == ROWS[:4]
        assert read_rows(f"{tmp_path}/set:test").rows == ROWS[:1]
        with pytest.raises(InputError, match=r"has several splits: 'train', 'test'. Say which, e.g. .*/set:train\."):
            read_rows(tmp_path / "set")
        with pytest.raises(InputError, match=r"has no split 'tests'. Did you mean 'test'\?"):
            read_rows(f"{tmp_path}/set:tests")

    @pytest.mark.parametrize("content", ["{", "[]", '{"splits": 5}', "{}"])
    def test_a_damaged_description(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "dataset_dict.json").write_text(content)
        with pytest.raises(InputError, match=r"dataset_dict\.json: .*Save the data set again"):
            read_rows(tmp_path)
        (tmp_path / "dataset_dict.json").rename(tmp_path / "state.json")
        with pytest.raises(InputError, match=r"state\.json: .*Save the data set again"):
            read_rows(tmp_path)

    def test_files_elsewhere_are_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "../secret.arrow"}]}')
        with pytest.raises(InputError, match="names no files"):
            read_rows(tmp_path)


def _lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


class TestFolders:
    def test_shards_are_one_table(self, tmp_path: Path) -> None:
        _lines(tmp_path / "part-1.jsonl", [{"query": "q2", "positive": "p2"}, {"query": ""}])
        _lines(tmp_path / "part-0.jsonl", [{"query": "q1", "positive": "p1", "negative": "n"}])
        _lines(tmp_path / ".hidden.jsonl", [{"query": "no", "positive": "no"}])
        (tmp_path / "LICENSE.txt").write_text("as it is")
        (tmp_path / "notes.md").write_text("some")
        read = read_rows(tmp_path)
        assert read.rows == [TrainingRow("q1", ("p1",), ("n",)), TrainingRow("q2", ("p2",))]
        assert [(row.path, row.line) for row in read.rejected] == [(str(tmp_path / "part-1.jsonl"), 2)]
        assert open_table(tmp_path).format == "2 JSON lines files"

    @pytest.mark.parametrize(
        ("train", "test"),
        [
            ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
            ("train/0.parquet", "test/0.parquet"),
            ("my_train.parquet", "my_test.parquet"),
        ],
    )
    def test_splits_by_the_names_of_files(self, tmp_path: Path, train: str, test: str) -> None:
        for name, records in ((train, PAIRS[:4]), (test, PAIRS[4:])):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            pq.write_table(pa.Table.from_pylist(records), tmp_path / name)
        assert read_rows(f"{tmp_path}:train").rows == ROWS[:4]
        assert read_rows(f"{tmp_path}:test").rows == ROWS[4:]
        with pytest.raises(InputError, match="has several splits"):
            read_rows(tmp_path)

    def test_what_is_no_table(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is a folder, not a file, and holds no file of records"):
            read_rows(tmp_path)
        _lines(tmp_path / "a.jsonl", PAIRS)
        with pytest.raises(InputError, match=r"has no splits\. Leave out :train"):
            read_rows(f"{tmp_path}:train")
        with pytest.raises(InputError, match=r"has no splits\. Leave out :train"):
            read_rows(f"{tmp_path / 'a.jsonl'}:train")
        (tmp_path / "b.csv").write_text("query,positive\na,b\n")
        with pytest.raises(InputError, match=r"several formats: \.csv, \.jsonl"):
            read_rows(tmp_path)

    def test_other_readers_have_the_same_door(self, tmp_path: Path) -> None:
        _lines(tmp_path / "texts" / "0.jsonl", [{"text": "a", "label": "x"}])
        _lines(tmp_path / "texts" / "1.jsonl", [{"text": "b", "label": "y"}])
        read = read_texts(tmp_path / "texts", column="text")
        assert (read.ids, read.texts) == (["0.jsonl:1", "1.jsonl:1"], ["a", "b"])
        assert read_classes(tmp_path / "texts").labels == ["x", "y"]
        _lines(tmp_path / "sts" / "0.jsonl", [{"sentence_A": "a", "sentence_B": "b", "label": 0.5}])
        assert read_sts(tmp_path / "sts").scores.tolist() == [0.5]


class TestColumnsByConvention:
    @pytest.mark.parametrize(
        ("record", "row"),
        [
            (
                {"query": "q", "pos": ["a", "b"], "neg": ["c"], "pos_scores": [0.9, 0.8], "neg_scores": [0.1]},
                TrainingRow("q", ("a", "b"), ("c",), scores=(0.9, 0.8, 0.1)),
            ),
            ({"query": "q", "pos": ["a"], "pos_scores": [0.9]}, TrainingRow("q", ("a",), scores=(0.9,))),
            ({"query": "q", "pos": ["a"], "neg": ["c"], "pos_scores": [0.9]}, TrainingRow("q", ("a",), ("c",))),
            ({"sentence_A": "a", "sentence_B": "b", "label": 0.25}, TrainingRow("a", ("b",), scores=(0.25,))),
            ({"sentence1": "a", "sentence2": "b", "label": 1}, TrainingRow("a", ("b",), scores=(1.0,))),
            ({"query": "q", "positive": ["a", "b"], "negative": ["c"]}, TrainingRow("q", ("a", "b"), ("c",))),
            (["q", "p", "n1", "n2"], TrainingRow("q", ("p",), ("n1", "n2"))),
            (["q", "p"], TrainingRow("q", ("p",))),
        ],
    )
    def test_of_json_lines(self, tmp_path: Path, record: Any, row: TrainingRow) -> None:
        (tmp_path / "rows.jsonl").write_text(json.dumps(record) + "\n")
        assert read_rows(tmp_path / "rows.jsonl").rows == [row]

    def test_scores_that_are_too_few(self, tmp_path: Path) -> None:
        record = {"query": "q", "pos": ["a", "b"], "neg": ["c"], "pos_scores": [0.9], "neg_scores": [0.1]}
        _lines(tmp_path / "rows.jsonl", [record, record | {"pos_scores": [0.9, 0.5]}])
        assert [each.reason for each in read_rows(tmp_path / "rows.jsonl").rejected] == ["has 2 scores for 3 texts"]

    def test_triples_of_texts_without_a_header(self, tmp_path: Path) -> None:
        (tmp_path / "triples.train.small.tsv").write_text("what is it\tthis\tthat\nand now\tsoon\tnever\n")
        assert read_rows(tmp_path / "triples.train.small.tsv").rows == [
            TrainingRow("what is it", ("this",), ("that",)), TrainingRow("and now", ("soon",), ("never",)),
        ]  # fmt: skip
        (tmp_path / "triples.tsv").write_text("anchor\tpositive\tnegative\nand now\tsoon\tnever\n")
        assert read_rows(tmp_path / "triples.tsv").rows == [TrainingRow("and now", ("soon",), ("never",))]


class TestHub:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
        """Stands for the hub, with one set of two splits; gives what was asked of it."""
        asked: list[tuple[str, str | None]] = []

        def load_dataset(repository: str, configuration: str | None, *, streaming: bool) -> Any:
            assert streaming
            asked.append((repository, configuration))
            sizes = {"train": 4, "test": 1}
            return datasets.IterableDatasetDict(
                {name: datasets.Dataset.from_list(PAIRS[:size]).to_iterable_dataset() for name, size in sizes.items()}
            )

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    def test_names(self, asked: list[tuple[str, str | None]]) -> None:
        assert read_rows("hf:someone/pairs:test").rows == ROWS[:1]
        assert read_rows("hf:someone/pairs:triplet:train").rows == ROWS[:4]
        with pytest.raises(InputError, match=r"has several splits: 'train', 'test'. Say which, e.g. hf:some"):
            read_rows("hf:someone/pairs")
        with pytest.raises(InputError, match="has several splits"):
            read_rows("hf:someone/pairs:triplet")
        with pytest.raises(InputError, match="has no split 'validation'"):
            read_rows("hf:someone/pairs:validation")
        with pytest.raises(InputError, match="names no data set"):
            read_rows("hf:some one")
        assert asked[0] == ("someone/pairs", None)
        assert asked[1] == asked[3] == ("someone/pairs", "triplet")

    def test_without_a_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def load_dataset(*_: Any, **__: Any) -> Any:
            raise ConnectionError("Couldn't reach 'someone/pairs' on the Hub\nand more")

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        with pytest.raises(InputError, match=r"cannot be opened \(Couldn't reach 'someone/pairs' on the Hub\)"):
            read_rows("hf:someone/pairs")

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(InputError, match=r'pip install "cosmith\[hub\]"'):
            read_rows("hf:someone/pairs")


def test_a_shard_without_a_byte_is_passed_over(tmp_path: Path) -> None:
    for name, rows in (("a", []), ("b", PAIRS[:2]), ("c", PAIRS[2:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_rows(tmp_path).rows == ROWS
    assert open_table(tmp_path).format == "3 JSON lines files, without 1 that hold nothing"
    for name in "bc":
        (tmp_path / f"{name}.jsonl").write_text("")
    with pytest.raises(InputError, match="is empty"):
        open_table(tmp_path)


def test_bytes_are_text_where_they_are_utf8(tmp_path: Path) -> None:
    table = pa.table({"query": [b"q\xc3\xa4", b"\xff"], "positive": pa.array([b"p", b"p"], pa.large_binary())})
    pq.write_table(table, tmp_path / "rows.parquet")
    read = read_rows(tmp_path / "rows.parquet")
    assert [(row.query, row.positives) for row in read.rows] == [("qä", ("p",))]
    assert [row.line for row in read.rejected] == [2]
