"""Retrieval test sets in the BEIR layout."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Collection
from cosmith.errors import InputError, StorageError

CORPUS = [
    {"_id": "d1", "title": "Tides", "text": "The moon pulls the sea."},
    {"_id": "d2", "title": "", "text": "Yeast makes bread rise."},
    {"_id": "d3", "text": "Ünïcode ☃ text with\nlines"},
]
QUERIES = [
    {"_id": "q1", "text": "why are there tides"},
    {"_id": "q2", "text": " why does bread rise", "title": "no part of a query", "metadata": {"any": "thing"}},
    {"_id": "q3", "text": "asked of another split"},
]
QRELS = ["query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td3\t0", "q2\td2\t1", "q3\td3\t-1"]


def lines(records: list[Any]) -> str:
    return "".join((record if isinstance(record, str) else json.dumps(record)) + "\n" for record in records)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good collection, for tests to spoil."""
    folder = tmp_path / "kitchen"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(lines(CORPUS))
    (folder / "queries.jsonl").write_text(lines(QUERIES))
    (folder / "qrels" / "test.tsv").write_text(lines(QRELS))
    return folder


class TestReading:
    def test_a_good_one(self, folder: Path) -> None:
        collection = Collection.read_beir(folder)
        assert collection.name == "kitchen"
        assert collection.documents == {
            "d1": "Tides The moon pulls the sea.",
            "d2": "Yeast makes bread rise.",
            "d3": "Ünïcode ☃ text with\nlines",
        }
        assert collection.queries == {"q1": "why are there tides", "q2": " why does bread rise"}
        assert collection.relevance == {"q1": {"d1": 2, "d3": 0}, "q2": {"d2": 1}}
        assert collection.rejected == ()
        assert repr(collection) == "Collection('kitchen', 3 documents, 2 queries)"

    @pytest.mark.parametrize(
        "qrels",
        [
            QRELS[1:],
            ["Query_ID corpus-id score", *QRELS[1:]],
            ["score\tquery-id\tcorpus-id", "2\tq1\td1", "0\tq1\td3", "1\tq2\td2"],
            ["q1 0 d1 2", "q1 0 d3 0", "q2 Q0 d2 1"],
            [*QRELS, "", "q1\td1\t2"],
        ],
        ids=["no header", "spaces", "other order", "TREC", "the same line twice"],
    )
    def test_layouts_of_judgements(self, folder: Path, qrels: list[str]) -> None:
        expected = Collection.read_beir(folder)
        (folder / "qrels" / "test.tsv").write_text("\r\n".join(qrels))
        assert Collection.read_beir(folder) == expected

    def test_numbers_as_ids_and_a_byte_order_mark(self, folder: Path) -> None:
        (folder / "corpus.jsonl").write_text(lines([{"_id": 7, "text": "x"}]), encoding="utf-8-sig")
        (folder / "qrels" / "test.tsv").write_text("q1\t7\t1\n")
        assert Collection.read_beir(folder).documents == {"7": "x"}

    def test_a_text_of_two_megabytes_is_kept(self, folder: Path) -> None:
        text = "word " * 400_000 + "end"
        (folder / "corpus.jsonl").write_text(lines([*CORPUS, {"_id": "long", "text": text}]))
        assert Collection.read_beir(folder).documents["long"] == text

    def test_empty_texts_are_put_aside_and_counted(self, folder: Path, tmp_path: Path) -> None:
        (folder / "corpus.jsonl").write_text(lines([*CORPUS, {"_id": "d4", "title": " ", "text": None}]))
        (folder / "queries.jsonl").write_text(lines([*QUERIES, {"_id": "q4", "text": " "}]))
        with (folder / "qrels" / "test.tsv").open("a") as handle:
            handle.write("q4\td1\t1\nq1\td4\t1\n")
        collection = Collection.read_beir(folder, rejected=tmp_path / "rejected.jsonl")
        assert "d4" not in collection.documents
        assert "q4" not in collection.queries
        assert collection.relevance["q1"] == {"d1": 2, "d3": 0}
        told = [(Path(row.path).name, row.line, row.reason) for row in collection.rejected]
        assert told == [
            ("corpus.jsonl", 4, "the text is empty"),
            ("queries.jsonl", 4, "the text is only whitespace"),
            ("test.tsv", 6, "the query-id 'q4' names an empty text, which was put aside"),
            ("test.tsv", 7, "the corpus-id 'd4' names an empty text, which was put aside"),
        ]
        written = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
        assert [(row["line"], row["reason"]) for row in written] == [(line, reason) for _, line, reason in told]


def spoil(name: str, *records: Any, raw: bytes | None = None) -> Callable[[Path], None]:
    """Put other content in a file."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(lines(list(records)).encode() if raw is None else raw)

    return write


BAD = {
    "no corpus": (lambda folder: (folder / "corpus.jsonl").unlink(), "corpus.jsonl: there is no such file"),
    "empty corpus": (spoil("corpus.jsonl"), "corpus.jsonl: is empty"),
    "blank queries": (spoil("queries.jsonl", raw=b"\n \n"), "queries.jsonl: holds blank lines only"),
    "not JSON": (spoil("corpus.jsonl", CORPUS[0], '{"_id": "d2", '), "corpus.jsonl:2: is not JSON: "),
    "not an object": (spoil("corpus.jsonl", CORPUS[0], '"d2"'), "corpus.jsonl:2: is not a JSON object but of type str"),
    "an array": (spoil("corpus.jsonl", json.dumps(CORPUS)), "corpus.jsonl:1: is a JSON array; .* jq -c"),
    "deep": (spoil("corpus.jsonl", "[]"[:0] + '{"a":' * 100_000), "corpus.jsonl:1: is nested too deeply"),
    "about: not JSON": (spoil("cosmith.json", raw=b"{instruction: x}"), "cosmith.json: is not JSON"),
    "about: not UTF-8": (spoil("cosmith.json", raw=b'{"instruction": "caf\xe9"}'), "cosmith.json: is not JSON"),
    "about: not an object": (
        spoil("cosmith.json", raw=b'["x"]'),
        "cosmith.json: is not a JSON object but of type list",
    ),
    "about: a wrong key": (
        spoil("cosmith.json", {"instructions": "x"}),
        r"cosmith.json \[instructions\]: unknown key 'instructions'. Write",
    ),
    "about: no text": (
        spoil("cosmith.json", {"instruction": 5}),
        r"\[instruction\]: the instruction is not a text but of type int",
    ),
    "about: NUL": (spoil("cosmith.json", {"instruction": "a\0b"}), "the instruction holds a NUL character"),
    "no id column": (
        spoil("corpus.jsonl", {"id": "d1", "text": "x"}),
        r"corpus.jsonl:1 \[_id\]: has no '_id'; its columns: 'id', 'text'. Did you mean 'id'\?",
    ),
    "no text column": (
        spoil("queries.jsonl", QUERIES[0], {"_id": "q2", "txt": "x"}),
        r"queries.jsonl:2 \[text\]: has no 'text'; .*Did you mean 'txt'\?",
    ),
    "empty id": (spoil("corpus.jsonl", {"_id": "", "text": "x"}), r"corpus.jsonl:1 \[_id\]: the id is empty"),
    "wrong type": (
        spoil("corpus.jsonl", CORPUS[0], {"_id": "d2", "text": ["x"]}),
        r"corpus.jsonl:2 \[text\]: the text is not a text but of type list",
    ),
    "wrong title": (
        spoil("corpus.jsonl", {"_id": "d2", "title": 5, "text": "x"}),
        r"corpus.jsonl:1 \[text\]: the text is not a text but of type int",
    ),
    "not UTF-8": (
        spoil("corpus.jsonl", raw=lines(CORPUS[:1]).encode() + b'{"_id": "d2", "text": "caf\xe9"}\n'),
        r"corpus.jsonl:2: is not UTF-8 \(byte 0xe9\). Mend that line",
    ),
    "NUL": (
        spoil("queries.jsonl", QUERIES[0], {"_id": "q2", "text": "a\0b"}),
        r"queries.jsonl:2 \[text\]: the text holds a NUL character",
    ),
    "half a surrogate pair": (
        spoil("corpus.jsonl", r'{"_id": "d1", "text": "\ud83d"}'),
        r"corpus.jsonl:1 \[text\]: the text holds half of a surrogate pair",
    ),
    "an id twice": (
        spoil("corpus.jsonl", *CORPUS, {"_id": "d1", "text": "again"}),
        r"corpus.jsonl:4 \[_id\]: the id 'd1' stands on line 1 already",
    ),
    "a query id twice": (
        spoil("queries.jsonl", *QUERIES, QUERIES[1]),
        r"queries.jsonl:4 \[_id\]: the id 'q2' stands on line 2 already",
    ),
    "unknown document": (
        spoil("qrels/test.tsv", *QRELS, "q1\td9\t1"),
        r"test.tsv:6 \[corpus-id\]: corpus.jsonl has no 'd9'. Add it to corpus.jsonl, or remove the line",
    ),
    "unknown ids": (
        spoil("qrels/test.tsv", *QRELS, "q9\td1\t1", "q8\td8\t1"),
        r"test.tsv:6 \[query-id\]: queries.jsonl has no 'q9' \(and 2 more unknown ids\)",
    ),
    "nothing relevant": (
        spoil("qrels/test.tsv", QRELS[0], "q1\td1\t0", "q2\td2\t-2"),
        r"test.tsv \[score\]: says of no document that it is relevant",
    ),
    "only a header": (spoil("qrels/test.tsv", QRELS[0]), "says of no document that it is relevant"),
    "empty judgements": (spoil("qrels/test.tsv"), "test.tsv: is empty"),
    "blank judgements": (spoil("qrels/test.tsv", raw=b"\n"), "test.tsv: holds blank lines only"),
    "a graded score": (
        spoil("qrels/test.tsv", *QRELS, "q1\td2\t0.5"),
        r"test.tsv:6 \[score\]: '0.5' is not a whole number",
    ),
    "no score column": (
        spoil("qrels/test.tsv", "query-id\tcorpus-id\trelevance", "q1\td1\t1"),
        r"test.tsv:1 \[score\]: has no column 'score'; its header: 'query-id', 'corpus-id', 'relevance'",
    ),
    "too few columns": (
        spoil("qrels/test.tsv", *QRELS, "q1\td2"),
        "test.tsv:6: has 2 columns, but the first line has 3",
    ),
    "two columns": (spoil("qrels/test.tsv", "q1\t1"), "test.tsv:1: has 2 columns"),
    "contradiction": (
        spoil("qrels/test.tsv", *QRELS, "q1\td1\t0"),
        r"test.tsv:6 \[score\]: query 'q1' and document 'd1' have another score on line 2",
    ),
}


@pytest.mark.parametrize(("spoiled", "message"), BAD.values(), ids=BAD)
def test_bad_input_says_where_and_why(
    folder: Path, tmp_path: Path, spoiled: Callable[[Path], None], message: str
) -> None:
    spoiled(folder)
    with pytest.raises(InputError, match=message) as caught:
        Collection.read_beir(folder, rejected=tmp_path / "rejected.jsonl")
    assert caught.value.remedy
    assert not (tmp_path / "rejected.jsonl").exists()


def test_missing_folder_and_split(folder: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        Collection.read_beir(folder / "elsewhere")
    with pytest.raises(
        InputError, match=r"\[split\]: there are no judgements of the split 'tset'. Did you mean 'test'"
    ):
        Collection.read_beir(folder, "tset")


@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        ({}, "'made' has no relevant documents"),
        ({"q": {"d": 0}}, "'made' has no relevant documents"),
        ({"q": {"x": 1}}, "unknown document 'x'"),
        ({"x": {"d": 1}}, "unknown query 'x'"),
    ],
)
def test_made_in_python(relevance: dict[str, dict[str, int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Collection("made", {"d": "text"}, {"q": "text"}, relevance)


ids = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=5)
contents = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
contents = contents.filter(lambda text: bool(text.strip()))


@st.composite
def collections(draw: st.DrawFn) -> Collection:
    documents = draw(st.dictionaries(ids, contents.map(str.strip), min_size=1, max_size=6))
    queries = draw(st.dictionaries(ids, contents, min_size=1, max_size=6))
    grades = st.dictionaries(st.sampled_from(list(documents)), st.integers(-3, 3), max_size=4)
    relevance = {query: draw(grades) | {next(iter(documents)): draw(st.integers(1, 5))} for query in queries}
    return Collection("any", documents, queries, relevance, instruction=draw(st.one_of(st.just(""), contents)))


class TestWriting:
    @settings(max_examples=40)  # each waits for the disk several times
    @given(collections())
    def test_round_trip(self, collection: Collection) -> None:
        with tempfile.TemporaryDirectory() as folder:
            collection.write_beir(folder, "dev")
            again = Collection.read_beir(folder, "dev", name="any")
        assert again == collection
        assert again.fingerprint() == collection.fingerprint()

    def test_fingerprint_changes_with_the_content(self, folder: Path) -> None:
        collection = Collection.read_beir(folder)
        assert Collection.read_beir(folder, name="renamed").fingerprint() == collection.fingerprint()
        prints = {collection.fingerprint()}
        for name, old, new in (
            ("cosmith.json", "", '{"instruction": "Find it"}'), ("corpus.jsonl", "moon", "sun"),
            ("queries.jsonl", "tides", "ebbs"), ("qrels/test.tsv", "d1\t2", "d1\t1"),
        ):  # fmt: skip
            before = (folder / name).read_text() if (folder / name).exists() else ""
            (folder / name).write_text(before.replace(old, new))
            prints.add(Collection.read_beir(folder).fingerprint())
        assert len(prints) == 5

    def test_an_instruction_goes_with_the_collection(self, folder: Path) -> None:
        assert not Collection.read_beir(folder).instruction
        asked = dataclasses.replace(Collection.read_beir(folder), instruction="Wozu? …")
        asked.write_beir(folder)
        assert json.loads((folder / "cosmith.json").read_text()) == {"instruction": "Wozu? …"}
        assert Collection.read_beir(folder) == asked
        with pytest.raises(InputError, match=r"cosmith.json: its splits \(test\) have another instruction"):
            dataclasses.replace(asked, instruction="").write_beir(folder, "dev")
        assert Collection.read_beir(folder) == asked
        dataclasses.replace(asked, instruction="").write_beir(folder)
        assert not Collection.read_beir(folder).instruction

    def test_splits_share_a_folder(self, folder: Path, tmp_path: Path) -> None:
        whole = Collection.read_beir(folder)
        target = tmp_path / "both"
        splits = {}
        for split, query in (("dev", "q1"), ("test", "q2")):
            splits[split] = Collection(
                split, whole.documents, {query: whole.queries[query]}, {query: whole.relevance[query]}
            )
            splits[split].write_beir(target, split)
        for split, collection in splits.items():
            assert Collection.read_beir(target, split, name=split) == collection

    def test_splits_that_contradict_each_other(self, folder: Path, tmp_path: Path) -> None:
        whole = Collection.read_beir(folder)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        fewer = Collection("fewer", {"d1": "Tides"}, whole.queries, {"q1": {"d1": 1}})
        with pytest.raises(InputError, match=r"splits \(test\) are over other documents.*folder of its own"):
            fewer.write_beir(folder, "dev")
        other = Collection("other", whole.documents, {"q1": "something else"}, {"q1": {"d1": 1}})
        with pytest.raises(InputError, match=r"splits \(test\) have another query of the id 'q1'"):
            other.write_beir(folder, "dev")
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        fewer.write_beir(folder, "test")  # the only split there is may be replaced
        assert Collection.read_beir(folder).documents == {"d1": "Tides"}

    @pytest.mark.parametrize(
        ("document", "text", "message"),
        [
            ("d\t1", "x", r"\[_id\]: the id 'd\\t1' holds a tab or line break"),
            ("", "x", "the id '' is empty"),
            ("d", " ", "the text of 'd' is only whitespace"),
            ("d", "\ud800", "the text of 'd' holds half of a surrogate pair"),
        ],
    )
    def test_what_the_layout_cannot_hold(self, tmp_path: Path, document: str, text: str, message: str) -> None:
        collection = Collection("bad", {document: text}, {"q": "query"}, {"q": {document: 1}})
        with pytest.raises(InputError, match=message):
            collection.write_beir(tmp_path / "bad")
        assert not (tmp_path / "bad").exists()

    @pytest.mark.parametrize("after", range(3))
    def test_full_disk_changes_nothing(self, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        collection = Collection.read_beir(folder)
        calls = []

        def full(descriptor: int) -> None:
            calls.append(descriptor)
            if len(calls) > after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        monkeypatch.setattr(os, "fsync", full)
        changed = Collection("changed", {**collection.documents, "d9": "new"}, collection.queries, {"q1": {"d9": 1}})
        with pytest.raises(StorageError, match="the disk is full"):
            changed.write_beir(folder)
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_querys_own_instruction_is_appended_as_mteb_does(tmp_path: Path) -> None:
    Collection("c", {"d": "text"}, {"q": "ask", "r": "bare", "s": "other"}, {q: {"d": 1} for q in "qrs"}).write_beir(
        tmp_path
    )
    lines = ['{"_id": "q", "text": "ask", "instruction": "Only of last year."}', '{"_id": "r", "text": "bare"}',
             '{"_id": "s", "text": "other", "instruction": null}']  # fmt: skip
    (tmp_path / "queries.jsonl").write_text("\n".join(lines) + "\n")
    queries = Collection.read_beir(tmp_path).queries
    assert dict(queries) == {"q": "ask Only of last year.", "r": "bare", "s": "other"}
    (tmp_path / "queries.jsonl").write_text(
        lines[0].replace('"Only of last year."', "7") + "\n" + lines[1] + "\n" + lines[2]
    )
    with pytest.raises(InputError, match="the instruction") as error:
        Collection.read_beir(tmp_path)
    assert error.value.line == 1
