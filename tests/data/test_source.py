"""Sources: sets of training rows."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Source, SourceSettings, TrainingRow, numbering, open_rows
from cosmith.data.arrow_files import map_batch, write_batch
from cosmith.data.group_names import GroupNames
from cosmith.errors import InputError, StorageError

words = st.sampled_from(["a", "b", "c", "größer", "☃ snow", "line\nbreak", 'quote"', "d" * 300])
finite = st.floats(-1000, 1000, width=32)


@st.composite
def row_lists(draw: st.DrawFn) -> list[TrainingRow]:
    scored, labelled, grouped = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    parts = draw(st.booleans())
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        positives = tuple(draw(st.lists(words, min_size=0 if labelled else 1, max_size=3)))
        negatives = tuple(draw(st.lists(words, max_size=3)))
        texts = len(positives) + len(negatives)
        rows.append(
            TrainingRow(
                draw(words),
                positives,
                negatives,
                scores=tuple(draw(st.lists(finite, min_size=texts, max_size=texts))) if scored else None,
                label=draw(st.integers(-(2**63), 2**63 - 1)) if labelled else None,
                group=draw(words) if grouped else None,
                document_group=draw(words) if parts else None,
            )
        )
    return rows


ROWS = [
    TrainingRow("q1", ("p1", "p2"), ("n1",)),
    TrainingRow("q2", ("p1",), ("n1", "n2", "q1")),
    TrainingRow("q1", ("p3", "p1")),
]


@pytest.fixture
def source() -> Source:
    return Source.from_rows("small", ROWS, SourceSettings(instruction="Find it", batch_size=8))


class TestRows:
    @given(row_lists())
    def test_come_back_as_given(self, rows: list[TrainingRow]) -> None:
        source = Source.from_rows("any", iter(rows))
        assert len(source) == len(rows)
        assert list(source.rows()) == rows
        assert [source.row(number) for number in range(len(rows))] == rows
        texts = source.texts.take(np.arange(len(source.texts)))
        assert len(set(texts)) == len(texts)

    @settings(max_examples=40)  # each waits for the disk several times
    @given(row_lists())
    def test_saved_and_loaded_are_the_same(self, rows: list[TrainingRow]) -> None:
        source = Source.from_rows("any", rows, SourceSettings(task="sts", weight=0.5, in_batch_negatives=True))
        with tempfile.TemporaryDirectory() as folder:
            saved = source.save(Path(folder) / "any")
            loaded = Source.load(Path(folder) / "any")
            assert saved.folder == loaded.folder == Path(folder) / "any"
            for other in (saved, loaded):
                assert list(other.rows()) == rows
                assert (other.name, other.settings) == ("any", source.settings)
                assert other.fingerprint() == source.fingerprint()
                for name in ("query", "positives", "positive_offsets", "negatives", "negative_offsets", "scores"):
                    ours, theirs = getattr(source, name), getattr(other, name)
                    assert (ours is None and theirs is None) or np.array_equal(ours, theirs)
                    assert ours is None or ours.dtype == theirs.dtype
                assert np.array_equal(other.texts.hashes, source.texts.hashes)
                assert other.groups == source.groups
                assert other.document_groups == source.document_groups
                for number, row in enumerate(rows):
                    assert row.group is None or (other.groups or ())[number] == row.group
                assert list(other.select(np.arange(len(rows))[::-1]).rows()) == rows[::-1]

    @given(row_lists(), st.data())
    def test_select(self, rows: list[TrainingRow], data: st.DataObject) -> None:
        source = Source.from_rows("any", rows)
        numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10))
        selected = source.select(numbers)
        assert list(selected.rows()) == [rows[number] for number in numbers]
        kept = np.isin(np.arange(len(rows)), numbers)
        assert list(source.rows_where(kept)) == [row for number, row in enumerate(rows) if number in numbers]
        assert selected.texts is source.texts
        assert selected.folder is None
        if numbers:
            assert selected.fingerprint() == Source.from_rows("x", selected.rows()).fingerprint()

    def test_a_text_is_part_of_the_document_of_the_rows_that_it_answers(self) -> None:
        rows = [
            TrainingRow("q", ("one", "two"), ("three",), document_group="page"),
            TrainingRow("one", ("three",), document_group="other"),
        ]
        source = Source.from_rows("parts", rows)
        documents = dict(zip(source.texts.take(range(4)), source.text_documents.tolist(), strict=True))
        assert documents == {"q": -1, "one": 0, "two": 0, "three": 1}
        assert Source.from_rows("whole", ROWS).text_documents is None

    def test_arrays_are_mapped_not_copied(self, source: Source, tmp_path: Path) -> None:
        before = pa.total_allocated_bytes()
        loaded = Source.from_rows(
            "scored", [TrainingRow(str(n), ("p",), scores=(0.5,), label=n, group=f"group {n}") for n in range(5000)]
        ).save(tmp_path / "s")
        assert isinstance(loaded.groups, GroupNames)
        of_groups = loaded.groups.numbers
        for array in (loaded.query, loaded.positives, loaded.positive_offsets, loaded.scores, loaded.labels, of_groups):
            assert array is not None
            assert not array.flags.owndata
            assert not array.flags.writeable
        assert pa.total_allocated_bytes() - before < 100_000

    def test_saving_leaves_out_texts_of_no_row(self, source: Source, tmp_path: Path) -> None:
        saved = source.select([2]).save(tmp_path / "one")
        assert saved.texts.take(np.arange(len(saved.texts))) == ["q1", "p1", "p3"]
        assert list(saved.rows()) == [ROWS[2]]
        assert b"n1" not in (tmp_path / "one" / "texts.arrow").read_bytes()

    def test_row_numbers_out_of_range(self, source: Source) -> None:
        for number in (-1, 3):
            with pytest.raises(IndexError, match=rf"row number {number} is not within \[0, 3\)"):
                source.row(number)
            with pytest.raises(IndexError, match=rf"row number {number}"):
                source.select([number])


class TestKnownPositives:
    def test_over_all_rows_of_the_same_query(self, source: Source) -> None:
        queries, positives = source.known_positives(np.array([0]))
        assert queries.dtype == positives.dtype == np.int64
        assert list(zip(source.texts.take(queries), source.texts.take(positives), strict=True)) == [
            ("q1", "p1"), ("q1", "p2"), ("q1", "p3"),
        ]  # fmt: skip

    @given(row_lists(), st.data())
    def test_equals_a_plain_loop(self, rows: list[TrainingRow], data: st.DataObject) -> None:
        source = Source.from_rows("any", rows)
        numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
        queries, positives = source.known_positives(np.array(numbers, dtype=np.int64))
        asked = {rows[number].query for number in numbers}
        expected = {(row.query, positive) for row in rows if row.query in asked for positive in row.positives}
        found = list(zip(source.texts.take(queries), source.texts.take(positives), strict=True))
        assert len(found) == len(expected)
        assert set(found) == expected


class TestWithNegatives:
    def test_replaces_them(self, source: Source) -> None:
        mined = source.with_negatives([["p3"], [], ["new", "n2"]])
        assert [row.negatives for row in mined.rows()] == [("p3",), (), ("new", "n2")]
        assert [row.positives for row in mined.rows()] == [row.positives for row in ROWS]
        assert [row.negatives for row in source.rows()] == [row.negatives for row in ROWS]
        assert np.array_equal(mined.query, source.query)
        assert mined.settings == source.settings

    def test_shares_the_texts_when_none_is_new(self, source: Source) -> None:
        assert source.with_negatives([["p3"], ["n1"], []]).texts is source.texts

    def test_leaves_out_scores(self) -> None:
        source = Source.from_rows("scored", [TrainingRow("q", ("p",), ("n",), scores=(1.0, 0.5))])
        assert source.with_negatives([["m"]]).scores is None

    def test_bad_ones(self, source: Source) -> None:
        with pytest.raises(InputError, match="1 list of negatives given for 3 rows"):
            source.with_negatives([["x"]])
        with pytest.raises(InputError, match="row 1: a negative is only whitespace"):
            source.with_negatives([["x"], [" "], []])


_MANY = """
import resource, sys
import pyarrow as pa
from cosmith.data import Source, TrainingRow, open_rows

pa.set_cpu_count(1)
folder, way, count = sys.argv[1], sys.argv[2], 6_000
rows = (TrainingRow(f"q{n}", (f"{n} " + "x" * 10_000,)) for n in range(count))
if way == "write a file":
    with open(folder + "/many.jsonl", "w") as file:
        file.writelines(f'{{"query": "{row.query}", "positive": "{row.positives[0]}"}}\\n' for row in rows)
    rows = open_rows(folder + "/many.jsonl")
Source.from_rows("warm", [TrainingRow("q", ("p",))]).save(folder + "/warm")
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + 20_000_000,) * 2)
if way != "from_rows":
    source = Source.write(folder + "/many", "many", rows)
    assert len(source) == count and source.row(count - 1).positives[0].startswith(f"{count - 1} x")
else:
    Source.from_rows("many", rows)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("way", ["write", "write a file", "from_rows"])
def test_a_source_larger_than_memory_can_be_written(way: str, tmp_path: Path) -> None:
    """60 MB of text under a limit of 20 MB more than nothing takes; in memory, as a check of the limit, it fails."""
    command = [sys.executable, "-c", _MANY, str(tmp_path), way]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (way != "from_rows"), done.stderr
    if way == "from_rows":
        assert "MemoryError" in done.stderr or "malloc" in done.stderr
    assert not [each for each in tmp_path.iterdir() if each.name not in ("warm", "many", "many.jsonl")]


def test_a_file_can_be_gone_through_again(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"query": "q1", "positive": "p1"}\n{"query": "", "positive": "p2"}\n')
    file = open_rows(path)
    assert file.columns == {"query": "query", "positive": "positive"}
    for _ in range(2):
        assert list(file) == [TrainingRow("q1", ("p1",))]
        assert [(each.line, each.reason) for each in file.rejected] == [(2, "the query is empty")]
    path.write_text('{"query": "", "positive": "p2"}\n')
    with pytest.raises(InputError, match="1 row, none of which can be used; the first: the query is empty"):
        Source.write(tmp_path / "none", "none", open_rows(path))
    assert not (tmp_path / "none").exists()


def test_written_is_as_saved(tmp_path: Path) -> None:
    said = SourceSettings(task="sts")
    written = Source.write(tmp_path / "new" / "written", "some", iter(ROWS), said)
    Source.from_rows("some", ROWS, said).save(tmp_path / "saved")
    assert written.folder == tmp_path / "new" / "written"
    for name in ("texts.arrow", "rows.arrow", "source.json"):
        assert (written.folder / name).read_bytes() == (tmp_path / "saved" / name).read_bytes()
    with pytest.raises(InputError, match="row 1: the query is empty"):
        Source.write(tmp_path / "saved", "bad", [ROWS[0], TrainingRow("", ("p",))])
    assert list(Source.load(tmp_path / "saved").rows()) == ROWS
    with pytest.raises(InputError, match="would have no rows"):
        Source.write(tmp_path / "none", "none", [])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new", "saved"]


@given(row_lists(), st.sampled_from([1, 3, 1000]))
@settings(max_examples=40)  # each waits for the disk several times
def test_written_on_disk_is_byte_for_byte_what_memory_gives(rows: list[TrainingRow], most_texts: int) -> None:
    said = SourceSettings(task="sts", weight=0.5)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        patch.setattr(numbering, "_MOST_TEXTS", most_texts)
        written = Source.write(folder / "written", "some", iter(rows), said)
        saved = Source.from_rows("some", rows, said).save(folder / "saved")
        for file in ("texts.arrow", "rows.arrow", "source.json"):
            assert (folder / "written" / file).read_bytes() == (folder / "saved" / file).read_bytes()
        assert written.fingerprint() == saved.fingerprint()
        assert list(written.rows()) == rows
        assert {each.name for each in folder.iterdir()} == {"written", "saved"}


class TestFingerprint:
    @pytest.mark.parametrize(
        "other",
        [
            ROWS[:2],
            [ROWS[1], ROWS[0], ROWS[2]],
            [TrainingRow("q1", ("p1",), ("p2", "n1")), *ROWS[1:]],
            [TrainingRow("q1", ("p2", "p1"), ("n1",)), *ROWS[1:]],
            [TrainingRow(row.query, row.positives, row.negatives, label=1) for row in ROWS],
            [TrainingRow(row.query, row.positives, row.negatives, group="g") for row in ROWS],
            [TrainingRow(row.query, row.positives, row.negatives, document_group="g") for row in ROWS],
        ],
    )
    def test_changes_with_the_rows(self, source: Source, other: list[TrainingRow]) -> None:
        assert Source.from_rows("small", other, source.settings).fingerprint() != source.fingerprint()

    def test_changes_with_the_settings_not_with_the_name(self, source: Source) -> None:
        assert Source.from_rows("small", ROWS).fingerprint() != source.fingerprint()
        assert Source.from_rows("renamed", ROWS, source.settings).fingerprint() == source.fingerprint()


class TestBadRows:
    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (TrainingRow("", ("p",)), "row 1: the query is empty"),
            (TrainingRow("q", ("p", " ")), "row 1: a positive is only whitespace"),
            (TrainingRow("q", ("p",), ("a\0",)), "row 1: a negative holds a NUL character"),
            (TrainingRow("q", ()), "row 1: has neither a positive nor a label"),
            (TrainingRow("q", "pos"), r"row 1: the positives are a text.*Write \(text,\)"),  # type: ignore[arg-type]
            (TrainingRow("q", ("p",), scores=(1.0,)), r"\[scores\]: row 1: has a value for scores, unlike"),
            (TrainingRow("q", ("p",), label=1), r"\[label\]: row 1: has a value for label"),
            (TrainingRow("q", ("p",), group="g"), r"\[group\]: row 1: has a value for group"),
            (
                TrainingRow("q", ("p",), document_group="g"),
                r"\[document_group\]: row 1: has a value for document_group",
            ),
        ],
    )
    def test_named_with_their_number(self, row: TrainingRow, message: str) -> None:
        with pytest.raises(InputError, match=message):
            Source.from_rows("bad", [TrainingRow("q", ("p",)), row])

    @pytest.mark.parametrize("scores", [(1.0, 2.0), (), (float("nan"),), (float("inf"),), (1e300,)])
    def test_scores(self, scores: tuple[float, ...]) -> None:
        with pytest.raises(InputError, match=r"\[scores\]: row 0"):
            Source.from_rows("bad", [TrainingRow("q", ("p",), scores=scores)])

    def test_none_at_all(self) -> None:
        with pytest.raises(InputError, match="'empty' would have no rows"):
            Source.from_rows("empty", [])


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"task": "retreival"}, r"\[task\]: unknown task 'retreival'. Did you mean 'retrieval'\?"),
            ({"weight": 0.0}, r"\[weight\]"),
            ({"weight": float("nan")}, r"\[weight\]"),
            ({"batch_size": 0}, r"\[batch_size\]"),
            ({"max_query_length": -1}, r"\[max_query_length\]"),
        ],
    )
    def test_impossible_ones(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            SourceSettings(**settings)

    def test_in_batch_negatives_by_task(self) -> None:
        used = {task: SourceSettings(task=task).uses_in_batch_negatives for task in ("retrieval", "bitext", "sts")}
        assert used == {"retrieval": True, "bitext": True, "sts": False}
        assert SourceSettings(task="sts", in_batch_negatives=True).uses_in_batch_negatives
        assert not SourceSettings(in_batch_negatives=False).uses_in_batch_negatives


class TestFolder:
    def test_holds_what_it_should(self, source: Source, tmp_path: Path) -> None:
        source.save(tmp_path / "s")
        about = json.loads((tmp_path / "s" / "source.json").read_text())
        assert (about["name"], about["rows"], about["texts"]) == ("small", 3, 7)
        assert about["settings"]["instruction"] == "Find it"
        assert about["fingerprint"] == source.fingerprint()
        assert {path.name for path in (tmp_path / "s").iterdir()} == {"source.json", "texts.arrow", "rows.arrow"}

    def test_may_be_written_over_itself(self, source: Source, tmp_path: Path) -> None:
        first = source.save(tmp_path / "s")
        second = first.with_negatives([["x"], [], []]).save(tmp_path / "s")
        assert second.row(0).negatives == ("x",)
        assert list(first.rows()) == ROWS  # still mapped to what it was
        assert [path.name for path in tmp_path.iterdir()] == ["s"]

    def test_never_replaces_something_else(self, source: Source, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(InputError, match=r"holds something else than a source\. Choose a new folder"):
            source.save(tmp_path)
        with pytest.raises(InputError, match="something else than a source"):
            source.save(tmp_path / "thesis.tex")
        assert (tmp_path / "thesis.tex").read_text() == "years of work"

    def test_full_disk_leaves_the_old_one(
        self, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        source.save(tmp_path / "s")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StorageError, match="the disk is full"):
                source.select([0]).save(tmp_path / "s")
        assert list(Source.load(tmp_path / "s").rows()) == ROWS
        assert [path.name for path in tmp_path.iterdir()] == ["s"]

    def test_of_something_else(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"holds no source \(no source.json\)"):
            Source.load(tmp_path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"version": 99}, r"source.json \[version\]: is of format version 99"),
            ({"format": "parquet"}, "source.json: cannot be understood"),
            ({"rows": 4}, "holds other numbers of rows and texts"),
            ({"settings": {"instruktion": "x"}}, r"unknown setting 'instruktion'. Did you mean 'instruction'\?"),
            ({"settings": {"weight": -1}}, r"\[weight\]"),
            ({"settings": None}, "source.json: cannot be understood"),
        ],
    )
    def test_description_that_does_not_fit(
        self, source: Source, tmp_path: Path, change: dict[str, Any], message: str
    ) -> None:
        source.save(tmp_path / "s")
        path = tmp_path / "s" / "source.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(InputError, match=message):
            Source.load(tmp_path / "s")

    @pytest.mark.parametrize("name", ["source.json", "texts.arrow", "rows.arrow"])
    def test_damaged(self, source: Source, tmp_path: Path, name: str) -> None:
        source.save(tmp_path / "s")
        path = tmp_path / "s" / name
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(InputError, match=rf"{name}.*build the source again|{name}.*Build it again"):
            Source.load(tmp_path / "s")
        path.unlink()
        with pytest.raises(InputError):
            Source.load(tmp_path / "s")

    def test_rows_that_refer_to_no_text(self, source: Source, tmp_path: Path) -> None:
        source.save(tmp_path / "s")
        Source.from_rows("longer", [TrainingRow(f"q{n}", (f"x{n}", f"y{n}")) for n in range(3)]).save(tmp_path / "l")
        (tmp_path / "l" / "rows.arrow").replace(tmp_path / "s" / "rows.arrow")
        with pytest.raises(InputError, match=r"rows\.arrow \[positives\]: refers to texts beyond the 7"):
            Source.load(tmp_path / "s")

    def test_rows_that_refer_to_no_group(self, tmp_path: Path) -> None:
        Source.from_rows("s", [TrainingRow("q", ("p",), group="g")]).save(tmp_path / "s")
        batch, _ = map_batch(tmp_path / "s" / "rows.arrow", {})
        wrong = pa.DictionaryArray.from_arrays(
            pa.array([1], pa.int32()), pa.array(["g"], pa.large_string()), safe=False
        )
        columns = [wrong if name == "group" else batch[name] for name in batch.schema.names]
        write_batch(tmp_path / "wrong.arrow", pa.record_batch(columns, names=batch.schema.names))
        (tmp_path / "wrong.arrow").replace(tmp_path / "s" / "rows.arrow")
        with pytest.raises(InputError, match=r"rows\.arrow \[group\]: refers to names beyond the 1"):
            Source.load(tmp_path / "s")
