"""As ``test_fuzzed_readers``, for what is said by columns, by the layout of a folder, or by both."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmith.data import Collection, open_rows, read_classes, read_rows, read_sts, read_texts
from cosmith.data.documents import open_documents
from cosmith.data.weak_supervision import open_threads
from cosmith.errors import InputError

quick = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)

NUMBERS = range(9)  # more than there are bad ones, among which a column may have values that good ones lack
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(
    st.none() | st.text(max_size=3) | st.floats(), max_size=3
)  # fmt: skip
junk = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=30)
places = st.lists(st.integers(0, 99), min_size=8, max_size=8)
ROWS: dict[str, list[Any]] = {
    "sentence-transformers": [
        {"anchor": f"q{n}", "positive": f"a{n}", "negative_1": "x", "negative_2": "y"} for n in NUMBERS
    ],
    "tuples": [[f"q{n}", f"a{n}", "x"] for n in NUMBERS],
    "FlagEmbedding": [
        {"query": f"q{n}", "pos": [f"a{n}"], "neg": ["x"], "pos_scores": [0.9], "neg_scores": [0.1]} for n in NUMBERS
    ],
    "reranking": [{"query": f"q{n}", "positive": [f"a{n}", "b"], "negative": ["x"]} for n in NUMBERS],
    "graded pairs": [{"sentence_A": f"q{n}", "sentence_B": f"a{n}", "label": 0.5} for n in NUMBERS],
    "labelled": [{"query": f"q{n}", "label": n} for n in NUMBERS],
}
"""Good rows of each set of columns."""


@contextmanager
def folder_of(**files: str | bytes) -> Iterator[Path]:
    """A folder with these files; ``__`` in a name stands for a full stop."""
    with tempfile.TemporaryDirectory() as place:
        for name, content in files.items():
            path = Path(place) / name.replace("__", ".")
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        yield Path(place)


def planted(good: list[str], bad: list[str], where: list[int]) -> str:
    """Lines: the good ones in their order, the first and the last at the ends, and the bad ones between."""
    lines = list(good)
    for each, place in zip(bad, where, strict=False):
        lines.insert(1 + place % (len(lines) - 1), each)
    return "\n".join(lines)


def with_bad(good: list[Any], data: st.DataObject) -> str:
    """JSON lines, among which are records of the same columns with any values, and what is no JSON."""
    if isinstance(good[0], dict):
        wrong: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=dict.fromkeys(good[0], values))
    else:
        wrong = st.lists(values, max_size=4)
    bad = data.draw(st.lists(wrong.map(json.dumps) | junk, max_size=8))
    return planted([json.dumps(row) for row in good], bad, data.draw(places))


def found_of(good: list[str], texts: list[str]) -> list[str]:
    return [text for text in texts if text in good]


QUERIES = [f"q{n}" for n in NUMBERS]


class TestNoGoodRowIsLost:
    @pytest.mark.parametrize("columns", ROWS)
    @given(data=st.data())
    @quick
    def test_columns_of_rows(self, columns: str, data: st.DataObject) -> None:
        with folder_of(rows__jsonl=with_bad(ROWS[columns], data)) as folder:
            positive = None if columns == "labelled" else "auto"
            read = read_rows(folder / "rows.jsonl", positive=positive)
            assert set(QUERIES) <= {row.query for row in read.rows}

    @given(data=st.data())
    @quick
    def test_shards(self, data: st.DataObject) -> None:
        parts = [with_bad(rows, data) for rows in (ROWS["reranking"][:4], ROWS["reranking"][4:])]
        with folder_of(a__jsonl=parts[0], b__jsonl=parts[1]) as folder:
            assert found_of(QUERIES, [row.query for row in read_rows(folder).rows]) == QUERIES

    @given(data=st.data())
    @quick
    def test_classes_sts_and_texts(self, data: st.DataObject) -> None:
        files = {
            "classes": [{"text": f"q{n}", "label": "c"} for n in NUMBERS],
            "sts": [{"sentence1": f"q{n}", "sentence2": "b", "score": n} for n in NUMBERS],
            "texts": [{"_id": f"i{n}", "text": f"q{n}"} for n in NUMBERS],
        }
        with folder_of(**{f"{name}__jsonl": with_bad(good, data) for name, good in files.items()}) as folder:
            assert set(QUERIES) <= set(read_classes(folder / "classes.jsonl").texts)
            assert set(QUERIES) <= set(read_sts(folder / "sts.jsonl").first)
            assert set(QUERIES) <= set(read_texts(folder / "texts.jsonl").texts)
            assert set(QUERIES) <= {each.text for each in open_documents(folder / "texts.jsonl")}

    @given(bad=st.lists(junk, max_size=8), where=places)
    @quick
    def test_plain_text(self, bad: list[str], where: list[int]) -> None:
        with folder_of(texts__txt=planted(QUERIES, bad, where)) as folder:
            assert set(QUERIES) <= set(read_texts(folder / "texts.txt").texts)

    @given(data=st.data())
    @quick
    def test_threads(self, data: st.DataObject) -> None:
        good = [{"title": f"q{n}", "answers": [{"text": "a", "accepted": True}]} for n in NUMBERS]
        with folder_of(threads__jsonl=with_bad(good, data)) as folder:
            assert set(QUERIES) <= {each.title for each in open_threads(folder / "threads.jsonl")}

    @given(data=st.data())
    @quick
    def test_beir(self, data: st.DataObject) -> None:
        corpus = [{"_id": f"d{n}", "title": "", "text": f"a{n}"} for n in NUMBERS]
        queries = [{"_id": f"i{n}", "text": f"q{n}"} for n in NUMBERS]
        judged = planted([f"i{n}\td{n}\t1" for n in NUMBERS], data.draw(st.lists(junk, max_size=8)), data.draw(places))
        with folder_of(corpus__jsonl=with_bad(corpus, data), queries__jsonl=with_bad(queries, data)) as folder:
            (folder / "qrels").mkdir()
            (folder / "qrels" / "train.tsv").write_text(judged, encoding="utf-8")
            rows = {row.query: row.positives for row in read_rows(folder).rows}
            # A second text of an id is put aside, whichever of the two was meant.
            assert {query: rows[query] for query in QUERIES} == {f"q{n}": (f"a{n}",) for n in NUMBERS}

    @given(bad=st.lists(junk, max_size=8), where=places)
    @quick
    def test_triples_of_ms_marco(self, bad: list[str], where: list[int]) -> None:
        texts = planted([f"q{n}\ta{n}\tx" for n in NUMBERS], bad, where)
        ids = planted([f"i{n}\td{n}\td0" for n in NUMBERS[1:]], bad, where)
        files = {
            "collection__tsv": "".join(f"d{n}\ta{n}\n" for n in NUMBERS),
            "queries__train__tsv": "".join(f"i{n}\tq{n}\n" for n in NUMBERS),
            "qidpidtriples__train__tsv": ids,
        }
        with folder_of(**files) as folder, folder_of(triples__train__small__tsv=texts) as other:
            assert found_of(QUERIES, [row.query for row in read_rows(folder).rows]) == QUERIES[1:]
            read = read_rows(other / "triples.train.small.tsv")
            assert found_of(QUERIES, [row.query for row in read.rows]) == QUERIES


def saved_by_datasets() -> dict[str, bytes]:
    """The files of a folder that ``Dataset.save_to_disk`` writes."""
    table = pa.Table.from_pylist(ROWS["reranking"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    state = json.dumps({"_data_files": [{"filename": "data.arrow"}], "_split": None}).encode()
    return {"data.arrow": bytes(sink.getvalue()), "state.json": state}


FOLDERS: dict[str, dict[str, bytes]] = {
    "saved by datasets": saved_by_datasets(),
    "splits of datasets": {
        **{f"train/{name}": content for name, content in saved_by_datasets().items()},
        "dataset_dict.json": b'{"splits": ["train"]}',
    },
    "MS MARCO": {
        "collection.tsv": b"d0\ta\nd1\tb\n", "queries.train.tsv": b"i0\tq\n", "qrels.train.tsv": b"i0\t0\td0\t1\n",
    },
    "BEIR": {
        "corpus.jsonl": b'{"_id": "d", "text": "a"}\n', "queries.jsonl": b'{"_id": "i", "text": "q"}\n',
        "qrels/train.tsv": b"query-id\tcorpus-id\tscore\ni\td\t1\n",
    },
}  # fmt: skip
READERS: list[Callable[[Path], Any]] = [
    read_rows, read_texts, lambda path: list(open_documents(path)), lambda path: list(open_threads(path)),
    lambda path: Collection.read_beir(path, "train"), lambda path: list(open_rows(f"{path}:train")),
]  # fmt: skip


class TestOnlyInputErrors:
    @pytest.mark.parametrize("layout", FOLDERS)
    @given(data=st.data())
    @quick
    def test_damaged_folders(self, layout: str, data: st.DataObject) -> None:
        """One of the files has bytes changed, is cut, empty, or is not there."""
        files = dict(FOLDERS[layout])
        name = data.draw(st.sampled_from(sorted(files)))
        content = files.pop(name)
        place, new = data.draw(st.integers(0, len(content))), data.draw(st.binary(max_size=6))
        change = data.draw(st.sampled_from(["change", "insert", "cut", "empty", "missing", "any"]))
        if change != "missing":
            files[name] = {
                "change": content[:place] + new + content[place + len(new) :], "insert": content[:place] + new
                + content[place:], "cut": content[:place], "empty": b"", "any": new,
            }[change]  # fmt: skip
        with tempfile.TemporaryDirectory() as where:
            for each, written in files.items():
                path = Path(where) / each
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(written)
            for read in READERS:
                try:
                    read(Path(where))
                except InputError as error:
                    assert error.remedy  # noqa: PT017 - there is not always an error
