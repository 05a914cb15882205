"""Malformed files of every format: nothing but an InputError is ever raised, and no good row is lost among bad ones."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmith.data import (
    Collection,
    open_rows,
    open_table,
    read_classes,
    read_clicks,
    read_rows,
    read_sts,
    read_texts,
)
from cosmith.errors import InputError

quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)

# More than there are bad ones, which may have labels, scores and groups that these lack.
GOOD = [{"query": f"good {n}", "positive": f"größer {n}", "negative": "no"} for n in range(9)]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("x" * 200_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
records = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("query", "positive", "negative", "label", "scores", "group", ""), values)
)
junk = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=40)
ends = st.sampled_from(["\n", "\r\n", "\n\n", " \n"])


@contextmanager
def written(name: str, content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def planted(good: list[Any], bad: list[Any], places: list[int]) -> list[Any]:
    """The good ones in their order, the first and the last at the ends, and the bad ones between."""
    rows = list(good)
    for each, place in zip(bad, places, strict=False):
        rows.insert(1 + place % (len(rows) - 1), each)
    return rows


def good_queries(path: Path) -> list[str]:
    read = read_rows(path)
    found = [row.query for row in read.rows]
    return [row["query"] for row in GOOD if row["query"] in found]


ALL = [row["query"] for row in GOOD]
places = st.lists(st.integers(0, 99), min_size=8, max_size=8)


class TestNoGoodRowIsLost:
    @given(st.lists(records | junk | values, max_size=8), places, ends, st.booleans())
    @quick
    def test_json_lines(self, bad: list[Any], where: list[int], end: str, packed: bool) -> None:
        lines = [each if isinstance(each, str) else json.dumps(each) for each in planted(GOOD, bad, where)]
        content = end.join(line.replace("\n", " ") for line in lines).encode("utf-8", "surrogatepass")
        content = b"\xef\xbb\xbf" + content
        name = "rows.jsonl.gz" if packed else "rows.jsonl"
        with written(name, gzip.compress(content) if packed else content) as path:
            assert good_queries(path) == ALL

    @given(st.lists(st.lists(junk, max_size=5), max_size=8), places, st.sampled_from(["\n", "\r\n"]))
    @quick
    def test_csv(self, bad: list[list[str]], where: list[int], end: str) -> None:
        table = io.StringIO()
        writer = csv.writer(table, lineterminator=end)
        writer.writerow(list(GOOD[0]))
        writer.writerows(planted([list(row.values()) for row in GOOD], bad, where))
        with written("rows.csv", table.getvalue().encode()) as path:
            assert good_queries(path) == ALL

    @given(st.lists(junk, max_size=8), places, st.sampled_from(["\n", "\r\n", "\n\n"]))
    @quick
    def test_tsv(self, bad: list[str], where: list[int], end: str) -> None:
        lines = planted(["\t".join(row.values()) for row in GOOD], bad, where)
        with written("rows.tsv", end.join(["\t".join(GOOD[0]), *lines]).encode()) as path:
            assert good_queries(path) == ALL

    @given(
        st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=8),
        st.lists(
            st.none() | st.lists(st.none() | st.sampled_from(["", "\0", "p"]), max_size=2), min_size=8, max_size=8
        ),
        places,
        st.sampled_from(["rows.parquet", "rows.arrow"]),
        st.integers(1, 5),
    )
    @quick
    def test_parquet_and_arrow(
        self, queries: list[str | None], lists: list[list[str | None] | None], where: list[int], name: str, size: int
    ) -> None:
        good = [{"query": row["query"], "positive": [row["positive"]], "when": None} for row in GOOD]
        bad = [{"query": query, "positive": each} for query, each in zip(queries, lists, strict=False)]
        table = pa.Table.from_pylist(planted(good, bad, where))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            if name.endswith("parquet"):
                pq.write_table(table, path, row_group_size=size)
            else:
                with path.open("wb") as handle, pa.ipc.new_stream(handle, table.schema) as writer:
                    writer.write_table(table, max_chunksize=size)
            assert good_queries(path) == ALL

    @given(st.lists(junk, max_size=8), places)
    @quick
    def test_a_click_log(self, bad: list[str], where: list[int]) -> None:
        good = [json.dumps({"query": query, "document": "d", "time": 1714550400}) for query in ALL]
        with written("log.jsonl", "\n".join(planted(good, bad, where)).encode()) as path:
            assert [each.query for each in read_clicks(path).clicks] == ALL

    @given(st.lists(junk, max_size=8), st.lists(junk, max_size=8), st.lists(junk, max_size=8), places)
    @quick
    def test_ms_marco(self, documents: list[str], queries: list[str], judged: list[str], where: list[int]) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, good, bad in (
                ("collection.tsv", [f"d{n}\ttext {n}" for n in range(len(ALL))], documents),
                ("queries.train.tsv", [f"q{n}\t{query}" for n, query in enumerate(ALL)], queries),
                ("qrels.train.tsv", [f"q{n}\t0\td{n}\t1" for n in range(len(ALL))], judged),
            ):
                (folder / file).write_bytes("\n".join(planted(good, bad, where)).encode())
            assert [row.query for row in read_rows(folder).rows if row.query in ALL] == ALL


def _content(name: str) -> bytes:
    if name.endswith((".parquet", ".arrow")):
        sink = pa.BufferOutputStream()
        table = pa.Table.from_pylist(GOOD * 5)
        if name.endswith(".parquet"):
            pq.write_table(table, sink)
        else:
            new = pa.ipc.new_file if name.startswith("file") else pa.ipc.new_stream
            with new(sink, table.schema) as writer:
                writer.write_table(table, max_chunksize=7)
        return bytes(sink.getvalue())
    if name.endswith((".csv", ".tsv")):
        comma = "," if name.endswith(".csv") else "\t"
        return "\n".join([comma.join(GOOD[0]), *(comma.join(row.values()) for row in GOOD)]).encode()
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in GOOD).encode()
    return gzip.compress(lines) if name.endswith(".gz") else lines


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Bytes changed, left out, put in, said twice, or cut off."""
    kind = draw(st.sampled_from(["change", "drop", "insert", "repeat", "cut", "encode"]))
    start, size = draw(st.floats(0, 1)), draw(st.integers(1, 12))
    new = draw(st.binary(min_size=size, max_size=size))

    def damaged(content: bytes) -> bytes:
        place = int(start * (len(content) - 1))
        before, there, after = content[:place], content[place : place + size], content[place + size :]
        if kind == "encode":
            return content.decode("latin-1").encode("utf-16")
        return {
            "change": before + new + after, "drop": before + after, "insert": before + new + there + after,
            "repeat": before + there * 3 + after, "cut": before,
        }[kind]  # fmt: skip

    return damaged


NAMES = ["a.jsonl", "a.jsonl.gz", "a.csv", "a.tsv", "a.txt", "a.parquet", "file.arrow", "stream.arrow"]
READERS: list[Callable[[Path], Any]] = [
    read_rows, read_texts, read_sts, read_classes, read_clicks,
    lambda path: list(open_rows(path, query="query", positive="negative")),
    lambda path: list(open_table(path).records()),
]  # fmt: skip


class TestOnlyInputErrors:
    @pytest.mark.parametrize("name", NAMES)
    @given(change=st.lists(damage(), min_size=1, max_size=3))
    @quick
    def test_damaged_files(self, name: str, change: list[Callable[[bytes], bytes]]) -> None:
        content = _content(name)
        for each in change:
            content = each(content) or content
        with written(name, content) as path:
            for read in READERS:
                try:
                    read(path)
                except InputError as error:
                    assert error.remedy  # noqa: PT017 - most often there is no error

    @pytest.mark.parametrize("name", NAMES)
    @given(content=st.binary(max_size=60))
    @quick
    def test_any_bytes(self, name: str, content: bytes) -> None:
        with written(name, content) as path:
            for read in READERS:
                try:
                    read(path)
                except InputError as error:
                    assert error.remedy  # noqa: PT017 - as above

    @given(st.sampled_from(["corpus.jsonl", "queries.jsonl", "qrels/train.tsv"]), damage())
    @quick
    def test_damaged_folders(self, name: str, change: Callable[[bytes], bytes]) -> None:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "qrels").mkdir()
            for file in ("corpus.jsonl", "queries.jsonl"):
                lines = [json.dumps({"_id": f"{n}", "text": f"text {n}"}) for n in range(5)]
                (folder / file).write_text("\n".join(lines))
            (folder / "qrels" / "train.tsv").write_text("".join(f"{n}\t{n}\t1\n" for n in range(5)))
            (folder / name).write_bytes(change((folder / name).read_bytes()))
            for read in (read_rows, lambda path: Collection.read_beir(path, "train")):
                try:
                    read(folder)
                except InputError as error:
                    assert error.remedy  # noqa: PT017 - as above
