"""Files in which some bytes are wrong: what cannot be read is put aside, and nothing beside it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmith.data import Source, open_rows, open_table, read_clicks, read_rows, read_texts
from cosmith.data.test_sets import read_word_pairs
from cosmith.errors import InputError

quick = settings(
    max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None
)

ROWS = [
    ("good 0", "plain"), ("good 1", "größer, grüner"), ("good 2", 'he said "no"'), ("good 3", "a line\nand, another"),
    ("good 4", "5 in the evening"), ("good 5", '"all of it"'), ("good 6", "日本語"), ("good 7", "plain"),
]  # fmt: skip
MORE = [(f"more {n}", "plain") for n in range(50)]
"""Lines enough that a few that are not UTF-8 are no tenth of them."""


def in_format(suffix: str) -> list[bytes]:
    """Header and rows of a good file, a record each."""
    if suffix == ".jsonl":
        return [json.dumps({"query": q, "positive": p}, ensure_ascii=False).encode() + b"\n" for q, p in ROWS + MORE]
    if suffix == ".tsv":
        texts = [(q, p.replace("\n", " ")) for q, p in ROWS + MORE]
        return ["\t".join(each).encode() + b"\n" for each in [("query", "positive"), *texts]]
    lines = []
    for row in [("query", "positive"), *ROWS, *MORE]:
        line = io.StringIO()
        quoting = csv.QUOTE_ALL if suffix == "all.csv" else csv.QUOTE_MINIMAL
        csv.writer(line, lineterminator="\n", quoting=quoting).writerow(row)
        lines.append(line.getvalue().encode())
    return lines


bytes_that_hurt = st.lists(
    st.sampled_from([b"\xff", b"\xe9", b"\xc3", b'"', b"\n", b"\r", b"\0", b",", b"\t", b"\\", b"x", "ü".encode()]),
    min_size=1, max_size=6,
).map(b"".join) | st.binary(min_size=1, max_size=6)  # fmt: skip


class TestNoUntouchedRowIsLost:
    @pytest.mark.parametrize("suffix", [".jsonl", ".tsv", ".csv", "all.csv"])
    @given(record=st.integers(0, len(ROWS) - 1), place=st.floats(0, 1), new=bytes_that_hurt, kept=st.integers(0, 9))
    @quick
    def test_bytes_put_into_a_record(
        self, tmp_path: Path, suffix: str, record: int, place: float, new: bytes, kept: int
    ) -> None:
        """Bytes are put into one record, or in the place of up to nine others of it."""
        lines = in_format(suffix)
        number = record + len(lines) - len(ROWS + MORE)
        line = lines[number]
        start = round(place * (len(line) - 1))  # the end of the line is its last byte, and stays
        lines[number] = line[:start] + new + line[min(start + 9 - kept, len(line) - 1) :]
        path = tmp_path / f"rows{suffix}"
        path.write_bytes(b"".join(lines))
        queries = [row.query for row in read_rows(path).rows]
        untouched = [query for query, _ in ROWS + MORE if query != f"good {record}"]
        assert [query for query in queries if query in untouched] == untouched

    @pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/train.tsv"])
    @given(line=st.integers(0, 7), place=st.floats(0, 1), new=bytes_that_hurt)
    @quick
    def test_bytes_put_into_a_beir_folder(self, tmp_path: Path, file: str, line: int, place: float, new: bytes) -> None:
        (tmp_path / "qrels").mkdir(exist_ok=True)
        files = {
            "corpus.jsonl": [json.dumps({"_id": f"d{n}", "text": f"answer {n}"}).encode() for n in range(50)],
            "queries.jsonl": [json.dumps({"_id": f"q{n}", "text": f"good {n}"}).encode() for n in range(50)],
            "qrels/train.tsv": [f"q{n}\td{n}\t1".encode() for n in range(50)],
        }
        start = round(place * len(files[file][line]))
        files[file][line] = files[file][line][:start] + new + files[file][line][start:]
        for name, lines in files.items():
            (tmp_path / name).write_bytes(b"\n".join(lines) + b"\n")
        found = {row.query: row.positives for row in read_rows(tmp_path).rows}
        for number in range(50):
            if number != line:
                assert f"answer {number}" in found[f"good {number}"]


def test_a_line_that_is_not_utf8_is_put_aside_in_every_format(tmp_path: Path) -> None:
    bad = "caf\xe9".encode("latin-1")
    contents = {
        "rows.jsonl": (b'{"query": "q", "positive": "p"}\n', b'{"query": "%s", "positive": "p"}\n'),
        "rows.csv": (b"query,positive\nq,p\n", b"%s,p\n"),
        "rows.tsv": (b"query\tpositive\nq\tp\n", b"%s\tp\n"),
    }
    for name, (begin, line) in contents.items():
        path = tmp_path / name
        path.write_bytes(begin + line % bad + line % b"after")
        read = read_rows(path, rejected=tmp_path / "rejected.jsonl")
        number = begin.count(b"\n") + 1
        assert [row.query for row in read.rows] == ["q", "after"]
        assert [(row.line, row.reason) for row in read.rejected] == [(number, "is not UTF-8 (byte 0xe9)")]
        assert "caf\N{REPLACEMENT CHARACTER}" in (tmp_path / "rejected.jsonl").read_text(encoding="utf-8")
        assert len(Source.write(tmp_path / f"{name}.source", "rows", open_rows(path))) == 2
    (tmp_path / "texts.txt").write_bytes(b"one\n%s\nthree\n" % bad)
    texts = read_texts(tmp_path / "texts.txt")
    assert (texts.texts, [row.line for row in texts.rejected]) == (["one", "three"], [2])
    (tmp_path / "log.csv").write_bytes(b"query,document\nq,d\n%s,d\n" % bad)
    assert [row.line for row in read_clicks(tmp_path / "log.csv").rejected] == [3]
    (tmp_path / "words.txt").write_bytes(b"cup mug 8\n%s mug 3\n" % bad)
    assert [row.line for row in read_word_pairs(tmp_path / "words.txt").rejected] == [2]


def test_ms_marco_with_lines_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "collection.tsv").write_bytes(b"0\tzero\n1\tcaf\xe9\n2\ttwo\n")
    (tmp_path / "queries.train.tsv").write_bytes(b"7\tseven?\n8\teight?\n")
    (tmp_path / "qrels.train.tsv").write_bytes(b"7\t0\t0\t1\n\xff\t0\t2\t1\n8\t0\t2\t1\n8\t0\t1\t1\n")
    read = read_rows(tmp_path)
    assert [(row.query, row.positives) for row in read.rows] == [("seven?", ("zero",)), ("eight?", ("two",))]
    assert [row.reason for row in read.rejected] == [
        "is not UTF-8 (byte 0xe9)", "is not UTF-8 (byte 0xff)", "collection.tsv has no usable text of the id '1'",
    ]  # fmt: skip


class TestAnotherEncodingIsRefused:
    def test_when_more_than_a_tenth_of_the_lines_show_it(self, tmp_path: Path) -> None:
        path = tmp_path / "rows.tsv"

        def lines(foreign: int, of: int) -> bytes:
            texts = ["q\tgr\xfc\xdfe" if number < foreign else "q\tp" for number in range(of - 1)]
            return "\n".join(["query\tpositive", *texts]).encode("latin-1")

        path.write_bytes(lines(10, 100))
        assert len(read_rows(path).rejected) == 10
        path.write_bytes(lines(11, 100))
        with pytest.raises(InputError, match=r"rows.tsv:2: .*byte 0xfc.* 11 of its first 100 lines.*iconv"):
            read_rows(path)

    def test_not_when_more_lines_are_utf8_beyond_ascii(self, tmp_path: Path) -> None:
        lines = [*["q\tgrün".encode()] * 4, *[b"q\t\xff"] * 3]
        (tmp_path / "rows.tsv").write_bytes(b"\n".join([b"query\tpositive", *lines]))
        assert len(read_rows(tmp_path / "rows.tsv").rows) == 4

    def test_in_ms_marco(self, tmp_path: Path) -> None:
        (tmp_path / "collection.tsv").write_bytes(b"0\tgr\xfcn\n1\tcaf\xe9\n2\ttwo\n")
        (tmp_path / "queries.train.tsv").write_bytes(b"7\tseven?\n")
        (tmp_path / "qrels.train.tsv").write_bytes(b"7\t0\t2\t1\n")
        with pytest.raises(InputError, match=r"collection.tsv:1: is not UTF-8.* 2 of its first 3 lines.*iconv"):
            read_rows(tmp_path)


class TestQuotes:
    def read(self, path: Path, text: str) -> tuple[list[str], list[tuple[int, str]]]:
        path.write_text(text)
        read = read_rows(path)
        return [row.query for row in read.rows], [(row.line, row.reason) for row in read.rejected]

    def test_one_that_is_never_closed_costs_its_line(self, tmp_path: Path) -> None:
        found = self.read(tmp_path / "a.csv", 'query,positive\na,"two\nlines"\nb,"open\nc,p\nd,p\n')
        assert found == (["a", "c", "d"], [(4, "opens a quote and never closes it")])

    def test_one_that_takes_in_good_rows_costs_its_line(self, tmp_path: Path) -> None:
        queries, rejected = self.read(tmp_path / "a.csv", 'query,positive\na,"open\nb,p\nc,"of, course"\nd,p\n')
        assert (queries, [line for line, _ in rejected]) == (["b", "c", "d"], [2])

    def test_a_text_of_several_lines_whose_end_is_wrong_is_put_aside_line_by_line(self, tmp_path: Path) -> None:
        queries, rejected = self.read(tmp_path / "a.csv", 'query,positive\na,"first\nsecond\nthird"x,\nb,p\n')
        assert (queries, [line for line, _ in rejected]) == (["b"], [2, 3, 4])

    def test_a_record_of_several_lines_with_a_field_too_many_is_one(self, tmp_path: Path) -> None:
        found = self.read(tmp_path / "a.csv", 'query,positive\na,"dear sir,\nthank you, and\nbye",x\nb,p\n')
        assert found == (["b"], [(2, "has 3 fields, but the header has 2")])


class TestWhatPartsColumns:
    @pytest.mark.parametrize(("sign", "called"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
    def test_other_signs_than_commas(self, tmp_path: Path, sign: str, called: str) -> None:
        rows = [["query", "positive"], ["a, b", "x"], ["c", 'one\ntwo; "three", four|five\tsix'], ["d", "y"]]
        with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8-sig") as handle:
            csv.writer(handle, delimiter=sign).writerows(rows)
        table = open_table(tmp_path / "rows.csv")
        assert (table.columns, table.format) == (("query", "positive"), f"CSV with {called} between its columns")
        assert [[row.query, *row.positives] for row in read_rows(tmp_path / "rows.csv").rows] == rows[1:]

    def test_quoted_names_and_a_bad_row(self, tmp_path: Path) -> None:
        lines = ['"query";"positive"', *['"q, r";"p"'] * 12, "q;p;n"]
        (tmp_path / "rows.csv").write_text("\r\n".join(lines))
        read = read_rows(tmp_path / "rows.csv")
        assert ([row.query for row in read.rows], len(read.rejected)) == (["q, r"] * 12, 1)

    def test_one_column_whose_name_holds_such_a_sign(self, tmp_path: Path) -> None:
        (tmp_path / "texts.csv").write_text('text|note\nhello\n"you, there"\n')
        table = open_table(tmp_path / "texts.csv")
        assert (table.columns, table.format) == (("text|note",), "CSV")
        assert read_texts(tmp_path / "texts.csv").texts == ["hello", "you, there"]

    def test_commas_in_the_header_are_what_parts_it(self, tmp_path: Path) -> None:
        (tmp_path / "rows.csv").write_text("query,positive;or not\na;b,c\n")
        assert open_table(tmp_path / "rows.csv").columns == ("query", "positive;or not")
