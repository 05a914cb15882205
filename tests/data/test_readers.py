"""Readers of rows, texts and graded pairs."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith import progress
from cosmith.data import Rejected, Source, TrainingRow, read_classes, read_rows, read_sts, read_texts
from cosmith.errors import ColumnError, InputError

Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file: bytes, a text, or records as the suffix says."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_bytes(content.encode())
        elif name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(content), path)
        elif name.endswith(".csv"):
            with path.open("w", newline="") as handle:
                writer = csv.DictWriter(handle, list(content[0]))
                writer.writeheader()
                writer.writerows(content)
        elif name.endswith(".tsv"):
            rows = [list(content[0]), *(record.values() for record in content)]
            path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
        else:
            path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in content))
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
        return path

    return write


PAIRS = [{"query": "größer?", "positive": 'ja, "sehr"'}, {"query": "q2", "positive": "p2"}]
FORMATS = ["rows.jsonl", "rows.json", "rows.jsonl.gz", "rows.csv", "rows.tsv", "rows.parquet", "ROWS.JSONL"]


class TestFormats:
    @pytest.mark.parametrize("name", FORMATS)
    def test_rows(self, write: Write, name: str) -> None:
        read = read_rows(write(name, PAIRS))
        assert read.rows == [TrainingRow("größer?", ('ja, "sehr"',)), TrainingRow("q2", ("p2",))]
        assert read.rejected == []
        assert read.columns == {"query": "query", "positive": "positive"}

    @pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
    def test_lists_as_flagembedding_has_them(self, write: Write, name: str) -> None:
        read = read_rows(
            write(name, [{"query": "q", "pos": ["p", "r"], "neg": ["n"]}, {"query": "q", "pos": ["p"], "neg": []}])
        )
        assert read.rows == [TrainingRow("q", ("p", "r"), ("n",)), TrainingRow("q", ("p",))]
        assert read.columns == {"query": "query", "positive": "pos", "negative": "neg"}

    @pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.tsv", "rows.parquet"])
    def test_everything_a_row_may_have(self, write: Write, name: str) -> None:
        nested = name.endswith(("jsonl", "parquet"))
        record = {
            "Anchor": "q", "answer": "p", "negative_2": "n2", "negative_1": "n1", "negative_10": "n10", "label": "3",
            "group": "g", "document_group": 5, "scores": [1, 0.5, 0.25, 0] if nested else "[1,0.5,0.25,0]", "more": "x",
        }  # fmt: skip
        read = read_rows(write(name, [record]))
        assert read.rows == [
            TrainingRow(
                "q", ("p",), ("n1", "n2", "n10"), scores=(1.0, 0.5, 0.25, 0.0), label=3, group="g", document_group="5"
            )
        ]
        assert read.columns == {
            "query": "Anchor", "positive": "answer", "negative": "negative_1, negative_2, negative_10",
            "label": "label", "group": "group", "document_group": "document_group", "scores": "scores",
        }  # fmt: skip

    def test_graded_pairs_and_numbers(self, write: Write) -> None:
        path = write("rows.jsonl", [{"sentence1": "a", "sentence2": "b", "score": 4.5, "group": 7, "label": 0}])
        assert read_rows(path).rows == [TrainingRow("a", ("b",), scores=(4.5,), label=0, group="7")]

    @pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.csv.gz"])
    def test_progress_ends_where_the_file_does(
        self, write: Write, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [{"query": f"query {number * 7919}", "positive": f"{number * 104729}" * 9} for number in range(900)]
        path = write(name, "query,positive\n" + "".join("{query},{positive}\n".format(**row) for row in rows)
                     if "csv" in name else rows)  # fmt: skip
        monkeypatch.setattr(progress, "_style", "json")
        clock = itertools.count(step=1.5)
        monkeypatch.setattr(time, "monotonic", lambda: next(clock))
        assert len(read_rows(path).rows) == 900
        told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        last = [line for line in told if line["what"] == f"Reading {name}"][-1]
        assert last["done"] == last["total"] == path.stat().st_size // 1000

    def test_a_text_of_two_megabytes(self, write: Write) -> None:
        text = "word " * 400_000 + "end"
        for name in ("rows.csv", "rows.tsv", "rows.jsonl"):
            assert read_rows(write(name, [{"query": "q", "positive": text}])).rows[0].positives == (text,)

    def test_tsv_has_no_quotes(self, write: Write) -> None:
        path = write("rows.tsv", 'query\tpositive\n"It\'s black," he said\t"unclosed\nq2\tp2\n')
        assert read_rows(path).rows[0] == TrainingRow('"It\'s black," he said', ('"unclosed',))

    def test_csv_with_line_breaks_in_fields_and_windows_ends(self, write: Write) -> None:
        content = '\ufeffquery,positive\r\n"two\r\nlines","p\n\n1"\r\n\r\nq2,\r\n"q,3",p3\r\n'
        read = read_rows(write("rows.csv", content))
        assert read.rows == [TrainingRow("two\r\nlines", ("p\n\n1",)), TrainingRow("q,3", ("p3",))]
        assert [(row.line, row.record) for row in read.rejected] == [(7, "q2,")]

    @given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), min_size=1, max_size=8))
    def test_csv_as_python_writes_it(self, pairs: list[tuple[str, str]]) -> None:
        def usable(text: str) -> bool:
            return bool(text.strip()) and "\0" not in text

        pairs = [(a, b) for a, b in pairs if usable(a) and usable(b)] + [("q", "p")]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            with path.open("w", newline="", encoding="utf-8") as handle:
                csv.writer(handle).writerows([("query", "positive"), *pairs])
            read = read_rows(path)
        assert [(row.query, row.positives[0]) for row in read.rows] == pairs
        assert read.rejected == []

    def test_rows_become_a_source(self, write: Write) -> None:
        assert len(Source.from_rows("s", read_rows(write("rows.jsonl", PAIRS)).rows)) == 2


GOOD = {"query": "q", "positive": "p"}


class TestRejected:
    @pytest.mark.parametrize(
        ("record", "reason"),
        [
            ({"query": "", "positive": "p"}, "the query is empty"),
            ({"query": " \t", "positive": "p"}, "the query is only whitespace"),
            ({"query": None, "positive": "p"}, "the query is missing"),
            ({"positive": "p"}, "the query is missing"),
            ({"query": 5, "positive": "p"}, "the query is not a text but of type int"),
            ({"query": "a\0b", "positive": "p"}, "the query holds a NUL character"),
            ({"query": "q", "positive": " "}, "the positive is only whitespace"),
            ({"query": "q", "positive": {"a": 1}}, "the positive is not a text but of type dict"),
            ({"query": "q", "positive": ["p", ""]}, "positive 2 is empty"),
            ({"query": "q", "positive": [None]}, "positive 1 is missing"),
            ({"query": "q", "positive": []}, "has no positive"),
            ({"query": "q", "positive": ""}, "has no positive"),
            ({"query": "q"}, "has no positive"),
            ({"query": "q", "positive": "p", "negative": ["n", "\0"]}, "negative 2 holds a NUL character"),
            ("{broken", "is not JSON: Expecting property name enclosed in double quotes at character 2"),
            ("null", "is not a JSON object but of type NoneType"),
            (
                '{"query": "\\udc00", "positive": "p"}',
                "the query holds half of a surrogate pair, which is no character",
            ),
            ('{"query": ' * 50_000, "is nested too deeply"),
            ("9" * 5000, "is not JSON that can be read: Exceeds the limit"),
        ],
    )
    def test_a_json_row(self, write: Write, tmp_path: Path, record: Any, reason: str) -> None:
        text = record if isinstance(record, str) else json.dumps(record)
        path = write("rows.jsonl", f"{json.dumps(GOOD)}\n\n{text}\n{json.dumps(GOOD)}")
        read = read_rows(path, rejected=tmp_path / "rejected.jsonl")
        assert len(read.rows) == 2
        (rejected,) = read.rejected
        assert rejected.line == 3
        assert rejected.reason.startswith(reason)
        assert rejected.record == text[:500]
        assert rejected.path == str(path)
        (written,) = (tmp_path / "rejected.jsonl").read_text().splitlines()
        assert Rejected(**json.loads(written)) == rejected

    @pytest.mark.parametrize(
        ("extra", "reason"),
        [
            ({"label": None}, "has no label"),
            ({"label": "card"}, "the label 'card' is not a whole number"),
            ({"label": 1.5}, "the label 1.5 is not a whole number"),
            ({"label": 2**63}, "the label 9223372036854775808 does not fit into 64 bits"),
            ({"label": 1, "group": 1.5}, "the group is not a text but of type float"),
            ({"label": 1, "scores": [1, 2]}, "has 2 scores for 1 text"),
            ({"label": 1, "scores": ["x"]}, "score 1 'x' is not a number"),
            ({"label": 1, "scores": None}, "score 1 is missing"),
            ({"label": 1, "scores": [float("nan")]}, "score 1 nan is not a number"),
            ({"label": 1, "scores": "[1,"}, "the scores '[1,' are not a list of numbers"),
        ],
    )
    def test_labels_groups_and_scores(self, write: Write, extra: dict[str, Any], reason: str) -> None:
        good = GOOD | {"label": 1, "group": "g", "scores": [0.5]}
        path = write("rows.jsonl", [good, good | extra])
        read = read_rows(path)
        assert [row.reason for row in read.rejected] == [reason]
        assert len(read_rows(path, label=None, group=None, scores=None).rows) == 2

    @pytest.mark.parametrize(
        ("name", "content", "line", "reason"),
        [
            ("rows.csv", "query,positive\nq,p\nq,p,more\n", 3, "has 3 fields, but the header has 2"),
            ("rows.csv", 'query,positive\n"a\nb",p\n"x"y,p\nq,p\n', 4, "is not CSV: "),
            ("rows.tsv", "query\tpositive\nq\tp\njust one\n", 3, "has 1 fields, but the header has 2"),
            ("rows.tsv", "query\tpositive\nq\tp\n\t\n", 3, "the query is empty"),
        ],
    )
    def test_a_delimited_row(self, write: Write, name: str, content: str, line: int, reason: str) -> None:
        read = read_rows(write(name, content))
        assert read.rows[0].positives == ("p",)
        assert [row.line for row in read.rejected] == [line]
        assert read.rejected[0].reason.startswith(reason)

    def test_a_parquet_row(self, write: Write) -> None:
        read = read_rows(write("rows.parquet", [GOOD, {"query": None, "positive": "p"}]))
        assert read.rejected[0].line == 2
        assert json.loads(read.rejected[0].record) == {"query": None, "positive": "p"}

    def test_nothing_is_left_from_an_earlier_run(self, write: Write, tmp_path: Path) -> None:
        target = tmp_path / "rejected.jsonl"
        read_rows(write("rows.jsonl", [GOOD, {}]), rejected=target)
        assert target.exists()
        read_rows(write("rows.jsonl", [GOOD]), rejected=target)
        assert not target.exists()


class TestColumns:
    def test_missing(self, write: Write) -> None:
        with pytest.raises(
            InputError,
            match=r"rows.csv \[positive\]: no column is called positive or .*; its columns: 'query', 'postive'. "
            r"Did you mean 'postive'\? Say positive='postive'",
        ):
            read_rows(write("rows.csv", "query,postive\nq,p\n"))
        with pytest.raises(InputError, match=r"\[query\]: no column is called query or .*'a', 'b'. Say which it is"):
            read_rows(write("rows.csv", "a,b\nq,p\n"))

    def test_named(self, write: Write) -> None:
        path = write("rows.csv", "a,b,c,d,query,positive\n1,2,3,4,5,6\n")
        read = read_rows(path, query="a", positive="b", negative=["d", "c"])
        assert read.rows == [TrainingRow("1", ("2",), ("4", "3"))]
        assert read_rows(path, negative="c").rows == [TrainingRow("5", ("6",), ("3",))]
        with pytest.raises(InputError, match=r"\[negative\]: has no column 'posit'. Did you mean 'positive'\?"):
            read_rows(path, negative="posit")

    def test_several(self, write: Write) -> None:
        path = write("rows.csv", "question,passage,answer\nq,p,a\n")
        with pytest.raises(InputError, match=r"several columns could be the positive: 'passage', 'answer'. Say which"):
            read_rows(path)
        assert read_rows(path, positive="answer").rows == [TrainingRow("q", ("a",))]
        canonical = write("rows.csv", "question,query,document,positive\nx,q,d,p\n")
        assert read_rows(canonical).rows == [TrainingRow("q", ("p",))]

    def test_that_first_stand_in_a_later_row(self, write: Write) -> None:
        read = read_rows(write("rows.jsonl", [GOOD, GOOD | {"negative": "n"}]))
        assert [row.negatives for row in read.rows] == [(), ("n",)]

    def test_labels_instead_of_positives(self, write: Write) -> None:
        path = write("rows.jsonl", [{"query": "q", "label": 4}])
        assert read_rows(path, positive=None).rows == [TrainingRow("q", (), label=4)]

    def test_twice_in_a_header(self, write: Write) -> None:
        for name, content in (("r.csv", "query,query\na,b\n"), ("r.tsv", "query\tquery\na\tb\n")):
            with pytest.raises(InputError, match="two columns are called 'query'"):
                read_rows(write(name, content))


class TestBadFiles:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("rows.jsonl", "", "rows.jsonl: is empty"),
            ("rows.jsonl", "\n \n", "rows.jsonl: holds blank lines only"),
            ("rows.csv", "\n\n", "rows.csv: holds blank lines only"),
            ("rows.csv", "query,positive\n", "rows.csv: has a header, but no rows"),
            ("rows.tsv", "query\tpositive\n", "rows.tsv: has a header, but no rows"),
            ("rows.jsonl", "{}\n", r"\[query\]: no column is called .*; its columns: none"),
            ("rows.jsonl", "\nnot json\n", r"rows.jsonl:2: is not JSON: .* Give a file with a JSON object a line"),
            ("rows.json", "[\n{}\n]", r"rows.json:1: is a JSON array; one object a line is needed. Convert it"),
            (
                "rows.csv",
                b"query,positive\nq,\xfc\nq,caf\xe9\n",
                r"csv:2: .* 2 of its first 3 .*iconv -f latin1",
            ),
            ("rows.csv", b"query,caf\xe9\nq,p\n", "rows.csv:1: its header is not UTF-8"),
            ("rows.tsv", b"query\tcaf\xe9\nq\tp\n", "rows.tsv:1: its header is not UTF-8"),
            ("rows.tsv", "q".encode("utf-16"), "rows.tsv:1: is not UTF-8 but UTF-16. .*iconv -f utf-16"),
            ("rows.csv", 'query,"positive\nq,p\n', "rows.csv:1: its header opens a quote and never closes it"),
            ("rows.csv", "query;positive\nq;p\nq;p;n\n", "rows.csv:1: its header has semicolons and no commas"),
            ("rows.csv", '"a"b,positive\nq,p\n', "rows.csv:1: its header is not CSV"),
            ("rows.parquet", b"PAR1 and then nothing", "rows.parquet: is not a whole Parquet file"),
            ("rows.xlsx", "x", r"its suffix '.xlsx' does not say how to read it. Name it by what it holds: .jsonl"),
            ("rows.jsonl", "[1", r"rows.jsonl:1: is a JSON array"),
            ("rows.jsonl", "5\n", r"rows.jsonl:1: is not a JSON object but of type int"),
            ("rows", "x", "its suffix '' does not say how to read it"),
            (
                "rows.jsonl",
                json.dumps({"query": "", "positive": "p"}),
                "jsonl:1: has 1 row, none of which can be used",
            ),
        ],
    )
    def test_say_what_is_wrong(self, write: Write, name: str, content: str | bytes, message: str) -> None:
        path = write(name, content)
        for _ in range(2):
            with pytest.raises(InputError, match=message) as caught:
                read_rows(path)
            assert caught.value.remedy

    def test_missing_and_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "rows.jsonl").mkdir()
        with pytest.raises(InputError, match="is a folder, not a file"):
            read_rows(tmp_path / "rows.jsonl")
        with pytest.raises(InputError, match=r"none\.csv: there is no such file"):
            read_rows(tmp_path / "none.csv")
        for name, problem in (("none", "there is no such file"), (".", "is a folder, not a file")):
            with pytest.raises(InputError, match=problem):
                read_rows(tmp_path / name)

    def test_half_of_a_gzip_file(self, tmp_path: Path) -> None:
        whole = gzip.compress(json.dumps(GOOD).encode() * 100)
        for content in (whole[:-12], b"no gzip"):
            (tmp_path / "rows.jsonl.gz").write_bytes(content)
            with pytest.raises(InputError, match=r"not a whole gzip file .* 0 lines of it can be read.* gzip -dc"):
                read_rows(tmp_path / "rows.jsonl.gz")
        numbered = gzip.compress("".join(f'{{"query": "{n**9}", "positive": "p"}}\n' for n in range(9999)).encode())
        (tmp_path / "rows.jsonl.gz").write_bytes(numbered[: len(numbered) // 2])
        with pytest.raises(InputError, match=r"gz:\d{4}: is not a whole gzip file .*; [3-6],?\d{3} lines of it can"):
            read_rows(tmp_path / "rows.jsonl.gz")

    def test_parquet_texts_that_are_not_utf8(self, tmp_path: Path) -> None:
        broken = pa.array([b"caf\xe9"]).cast(pa.binary()).view(pa.string())
        pq.write_table(pa.table({"query": broken, "positive": ["p"]}), tmp_path / "rows.parquet")
        with pytest.raises(InputError, match=r"rows\.parquet: a text is not UTF-8"):
            read_rows(tmp_path / "rows.parquet")

    def test_no_row_can_be_used(self, write: Write, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"rows.csv:2: has 2 rows, none of which can .* first: has no positive"):
            read_rows(write("rows.csv", "query,positive\nq,\nr,\n"), rejected=tmp_path / "rejected.jsonl")
        assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 2


class TestTexts:
    @pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.tsv", "t.parquet"])
    def test_with_ids(self, write: Write, name: str) -> None:
        read = read_texts(write(name, [{"id": "b", "text": "one", "x": "y"}, {"id": "a", "text": "two", "x": "y"}]))
        assert (read.ids, read.texts, read.rejected) == (["b", "a"], ["one", "two"], [])

    def test_plain_lines(self, write: Write) -> None:
        read = read_texts(write("t.txt.gz", b"one, two\r\n\n   \n  three\tfour"))
        assert (read.ids, read.texts) == (["1", "4"], ["one, two", "  three\tfour"])

    def test_a_beir_corpus_reads_as_a_collection_does(self, write: Write) -> None:
        path = write("corpus.jsonl", [{"_id": 1, "title": "T", "text": "x"}, {"_id": 2, "title": "", "text": ""}])
        read = read_texts(path)
        assert (read.ids, read.texts) == (["1"], ["T x"])
        assert [(row.line, row.reason) for row in read.rejected] == [(2, "the text is empty")]
        assert read_texts(path, column="text").texts == ["x"]

    @pytest.mark.parametrize(
        ("query", "answer"), [("question", "answer"), ("query", "positive"), ("Anchor", "passage")]
    )
    def test_of_pairs_the_answers_are_the_documents_and_neither_is_the_text(
        self, write: Write, query: str, answer: str
    ) -> None:
        path = write("pairs.csv", f"id,{query},{answer}\n7,q,a\n")
        read = read_texts(path, part="document")
        assert (read.texts, read.columns) == (["a"], {"text": answer, "id": "id"})
        with pytest.raises(InputError, match=rf"could be the text: '{query}', '{answer}'. Say which: column='{query}'"):
            read_texts(path)
        for part in ("text", "document"):
            assert read_texts(path, column=query, part=part).texts == ["q"]
            assert read_texts(write("one.csv", f"id,{query}\n7,q\n"), part=part).columns["text"] == query

    def test_the_columns_that_were_read(self, write: Write) -> None:
        row = {"_id": "1", "title": "t", "text": "x", "question": "q"}
        for part in ("text", "document"):
            assert read_texts(write("c.jsonl", [row]), part=part).columns == {
                "text": "text",
                "title": "title",
                "id": "_id",
            }
        assert read_texts(write("c.txt", b"one\n")).columns == {}

    def test_the_only_column_there_is(self, write: Write) -> None:
        assert read_texts(write("t.csv", "utterance\nhello\n")).texts == ["hello"]

    def test_bad_ones(self, write: Write) -> None:
        with pytest.raises(InputError, match=r"t.jsonl:2 \[id\]: the id '1' stands on line 1 already"):
            read_texts(write("t.jsonl", [{"id": 1, "text": "x"}, {"id": "1", "text": "y"}]))
        read = read_texts(write("t.jsonl", [{"id": 1, "text": "x"}, {"id": None, "text": "y"}, {"id": 3, "text": " "}]))
        assert [(row.line, row.reason) for row in read.rejected] == [
            (2, "the id is missing"), (3, "the text is only whitespace"),
        ]  # fmt: skip
        with pytest.raises(
            InputError, match=r"\[column\]: no column is called text or .*'a', 'b'. Say which it is: column='COLUMN'"
        ):
            read_texts(write("t.csv", "a,b\n1,2\n"))


class TestSts:
    def test_pairs(self, write: Write) -> None:
        path = write(
            "s.tsv", 'sentence1\tsentence2\tscore\tsource\n"a\tb\t4.5\tx\nc\td\t0\tx\ne\tf\t\tx\ng\th\tnan\tx\n'
        )
        pairs = read_sts(path)
        assert (pairs.first, pairs.second) == (['"a', "c"], ["b", "d"])
        assert pairs.scores.dtype == np.float64
        assert pairs.scores.tolist() == [4.5, 0.0]
        assert len(pairs) == 2
        assert [(row.line, row.reason) for row in pairs.rejected] == [
            (4, "the score is missing"), (5, "the score 'nan' is not a number"),
        ]  # fmt: skip

    def test_missing_score(self, write: Write) -> None:
        with pytest.raises(InputError, match=r"\[score\]: no column is called score or .*; its columns: 'sent"):
            read_sts(write("s.csv", "sentence1,sentence2\na,b\n"))
        with pytest.raises(InputError, match=r"Call the columns sentence1, sentence2 and score\."):
            read_sts(write("s.csv", "left,right,score\na,b,1\n"))


class TestClasses:
    def test_names_and_numbers_are_classes_and_what_has_none_is_put_aside(self, tmp_path: Path) -> None:
        path = tmp_path / "classes.jsonl"
        rows = [
            {"text": "a", "Intent": "pay"},
            {"text": "b", "Intent": 7},
            {"text": "c"},
            {"text": " ", "Intent": "pay"},
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        read = read_classes(path, rejected=tmp_path / "rejected.jsonl")
        assert (read.texts, read.labels) == (["a", "b"], ["pay", "7"])
        assert read.columns == {"text": "text", "label": "Intent"}
        assert [each.line for each in read.rejected] == [3, 4]
        assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 2

    def test_columns_are_named_by_the_arguments(self, tmp_path: Path) -> None:
        path = tmp_path / "classes.csv"
        path.write_text("passage,kind\none,x\n")
        with pytest.raises(InputError, match="no column is called label or class") as caught:
            read_classes(path)
        assert caught.value.field == "label"
        assert read_classes(path, label="kind").labels == ["x"]
        with pytest.raises(InputError, match="no column 'body'") as caught:
            read_classes(path, label="kind", text="body")
        assert caught.value.field == "text"


def test_a_click_log_is_not_taken_for_pairs_unless_its_answers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("query,document,action,time\nvpn,how to connect to the vpn,click,2024-01-01\n")
    with pytest.raises(ColumnError, match="is a click log") as refused:
        read_rows(path)
    assert "cosmith data pairs --clicks" in str(refused.value)
    assert read_rows(path, positive="document").rows == [TrainingRow("vpn", ("how to connect to the vpn",))]
