"""What everything stands on: errors that say what to do, writes that are whole or not there, progress."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from cosmith import phrases, progress
from cosmith.atomic import atomic_file, atomic_folder, make_folder, require_writable, write_json
from cosmith.errors import CosmithError, InputError, StorageError, nearest


def everything_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write_half_and_raise(handle: IO[str], error: type[BaseException]) -> None:
    handle.write("half")
    handle.flush()
    raise error


def full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestErrors:
    def test_says_where_what_and_what_to_do(self) -> None:
        error = InputError("is empty", path="rows.jsonl", line=7, field="query", remedy="Remove the line.")
        assert str(error) == "rows.jsonl:7 [query]: is empty. Remove the line."
        assert (error.problem, error.path, error.line) == ("is empty", "rows.jsonl", 7)
        assert isinstance(error, CosmithError)
        assert isinstance(error, ValueError)

    @pytest.mark.parametrize(
        ("where", "message"),
        [
            ({}, "is wrong"),
            ({"field": "dim"}, "[dim]: is wrong"),
            ({"line": 3}, "line 3: is wrong"),
            ({"path": "a"}, "a: is wrong"),
        ],
    )
    def test_leaves_out_what_is_not_known(self, where: dict[str, object], message: str) -> None:
        assert str(InputError("is wrong", **where)) == message  # type: ignore[arg-type]

    def test_nearest_name(self) -> None:
        assert nearest("qurey", ["query", "positive"]) == "Did you mean 'query'?"
        assert nearest("xyz", ["query", "positive"]) == "Valid: positive, query."


class TestAtomicFile:
    def test_writes_text_and_bytes_and_makes_parents(self, tmp_path: Path) -> None:
        with atomic_file(tmp_path / "a" / "b.txt") as handle:
            handle.write("Grüße\n")
        with atomic_file(tmp_path / "a" / "c.bin", "wb") as handle:
            handle.write(b"\0\1")
        assert (tmp_path / "a" / "b.txt").read_bytes() == "Grüße\n".encode()
        assert (tmp_path / "a" / "c.bin").read_bytes() == b"\0\1"

    def test_nothing_is_seen_before_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        write_json(path, {"old": 1})
        with atomic_file(path) as handle:
            handle.write("half")
            handle.flush()
            assert json.loads(path.read_text()) == {"old": 1}

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_old_content_survives_an_exception(self, tmp_path: Path, error: type[BaseException]) -> None:
        write_json(tmp_path / "a.json", {"old": 1})
        before = everything_in(tmp_path)
        with pytest.raises(error), atomic_file(tmp_path / "a.json") as handle:
            write_half_and_raise(handle, error)
        assert everything_in(tmp_path) == before

    def test_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_json(tmp_path / "a.json", {"old": 1})
        before = everything_in(tmp_path)
        monkeypatch.setattr(os, "fsync", full_disk)
        with pytest.raises(StorageError, match=r"a\.json: the disk is full.*free some space"):
            write_json(tmp_path / "a.json", {"new": 2})
        assert everything_in(tmp_path) == before

    def test_other_errors_stay_what_they_are(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a.json"):
            (tmp_path / "not there").read_text()


class TestPlaces:
    def test_a_file_in_the_place_of_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for place in (tmp_path / "file", tmp_path / "file" / "run" / "below"):
            with pytest.raises(StorageError, match=r"a file stands in the place.*Choose another place"):
                make_folder(place)
            with pytest.raises(StorageError, match=r"file is a file, not a folder. Choose another place"):
                require_writable(place)

    def test_a_folder_that_may_not_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        require_writable(tmp_path / "new" / "below")
        assert not list(tmp_path.iterdir())
        monkeypatch.setattr(os, "access", lambda place, _: Path(place) != tmp_path)
        with pytest.raises(StorageError, match=r"below: may not be written. Choose another folder") as caught:
            require_writable(tmp_path / "new" / "below")
        assert caught.value.path == tmp_path / "new" / "below"
        (tmp_path / "new").mkdir()
        require_writable(tmp_path / "new" / "below")

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
    def test_the_systems_refusal_is_explained(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "mkdir", refuse)
        with pytest.raises(StorageError, match="run: may not be written"):
            make_folder(tmp_path / "run")


class TestPhrases:
    def test_one_is_one(self) -> None:
        told = [phrases.counted(number, "step") for number in (0, 1, 2, 12_345)]
        assert told == ["0 steps", "1 step", "2 steps", "12,345 steps"]
        assert [phrases.counted(number, "query", "queries") for number in (1, 2)] == ["1 query", "2 queries"]

    def test_shares_and_sizes(self) -> None:
        assert [phrases.share(part) for part in (0, 0.00001, 0.0004, 0.003, 0.213, 0.05, 1)] == [
            "0 %", "less than 0.01 %", "0.04 %", "0.3 %", "21 %", "5.0 %", "100 %"
        ]  # fmt: skip
        assert [phrases.size(number) for number in (12, 5_900_000, 1_734_000_000, 3e12)] == [
            "12 bytes", "5.9 MB", "1.7 GB", "3.0 TB"
        ]  # fmt: skip

    def test_one_line_is_no_wider_than_asked(self) -> None:
        assert phrases.one_line("a\n b\tc ") == "a b c"
        assert phrases.one_line("abcdef", 6) == "abcdef"
        assert phrases.one_line("abcd fgh", 6) == "abcd…"
        assert phrases.one_line("abcdefgh", 6) == "abcde…"


class TestAtomicFolder:
    def test_replaces_as_a_whole(self, tmp_path: Path) -> None:
        for name in ("old", "new"):
            with atomic_folder(tmp_path / "run") as folder:
                (folder / "sub").mkdir()
                (folder / "sub" / name).write_text(name)
        assert everything_in(tmp_path) == {"run/sub/new": "new"}

    def test_old_folder_survives_an_exception(self, tmp_path: Path) -> None:
        with atomic_folder(tmp_path / "run") as folder:
            (folder / "old").write_text("old")
        with pytest.raises(RuntimeError), atomic_folder(tmp_path / "run") as folder, (folder / "new").open("w") as new:
            write_half_and_raise(new, RuntimeError)
        assert everything_in(tmp_path) == {"run/old": "old"}

    def test_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with atomic_folder(tmp_path / "run") as folder:
            (folder / "old").write_text("old")
        monkeypatch.setattr(os, "fsync", full_disk)
        with pytest.raises(StorageError, match="the disk is full"), atomic_folder(tmp_path / "run") as folder:
            (folder / "new").write_text("new")
        assert everything_in(tmp_path) == {"run/old": "old"}


@pytest.mark.skipif(os.name != "posix", reason="sends SIGKILL")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_leaves_the_old(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("old")
        write = "handle.write('new'); handle.flush()"
    else:
        target.mkdir()
        (target / "content").write_text("old")
        write = "(handle / 'content').write_text('new')"
    script = f"""
import os, signal
from cosmith.atomic import atomic_{kind}
with atomic_{kind}({str(target)!r}) as handle:
    {write}
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert (target if kind == "file" else target / "content").read_text() == "old"


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(time, "monotonic", moved.monotonic)
    monkeypatch.setattr(progress, "_style", "silent")  # put back after the test
    return moved


class TestProgress:
    def test_plain_lines(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        progress.set_style("plain")
        with progress.track("Encoding", 100, "texts") as bar:
            for seconds in (1.0, 4.0, 5.0, 20.0):
                clock.now = seconds
                bar.advance(25, f"at {seconds:g}")
        assert capsys.readouterr().err.splitlines() == [
            "Encoding: 50/100 texts, 12.5/s, 4 s left  at 4",  # none in the first two seconds, then every ten
            "Encoding: 100/100 texts, 5.0/s, 0 s left  at 20",  # and not once more at the end
        ]

    def test_the_last_line_says_how_it_ended(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        progress.set_style("plain")
        with progress.track("Encoding", 100, "texts") as bar:
            for seconds in (4.0, 8.0):
                clock.now = seconds
                bar.advance(50)
        assert [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()] == [
            "Encoding: 50/100 texts",
            "Encoding: 100/100 texts",
        ]

    def test_what_stood_before_says_nothing_of_the_rate(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        progress.set_style("plain")
        with progress.track("Encoding", 100, "texts") as bar:
            bar.skip(80)
            clock.now = 4.0
            bar.advance(10)
        assert capsys.readouterr().err.splitlines()[0] == "Encoding: 90/100 texts, 2.5/s, 4 s left"

    def test_without_a_total_there_is_no_time_left(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        progress.set_style("plain")
        with progress.track("Encoding", None, "texts") as bar:
            clock.now = 4.0
            bar.advance(10)
        assert capsys.readouterr().err.splitlines() == ["Encoding: 10 texts, 2.5/s"]

    def test_what_is_counted_by_another_is_a_part_of_it(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        progress.set_style("plain")
        with progress.track("Encoding", 100, "texts") as bar:
            with progress.counted_by(bar, 50), progress.track("Batches", 5, "batches") as inner:
                clock.now = 4.0
                inner.advance(2)
            with progress.untold(), progress.track("Reading", 9, "lines") as lines:
                lines.advance(9)
            with progress.counted_by(bar, 50):  # of which nothing is told
                clock.now = 20.0
        assert capsys.readouterr().err.splitlines() == [
            "Encoding: 20/100 texts, 5.0/s, 16 s left",
            "Encoding: 100/100 texts, 5.0/s, 0 s left",
        ]

    def test_json_lines(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        progress.set_style("json")
        with progress.track("Encoding", 4, "texts") as bar:
            clock.now = 4.0
            bar.advance(2)
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line) == {
            "event": "progress", "what": "Encoding", "done": 2, "total": 4, "unit": "texts", "per_second": 0.5,
            "status": "",
        }  # fmt: skip

    @pytest.mark.parametrize("style", ["plain", "json", "silent"])
    def test_short_work_says_nothing(
        self, clock: Clock, capsys: pytest.CaptureFixture[str], style: progress.Style
    ) -> None:
        progress.set_style(style)
        with progress.track("Encoding", 4) as bar:
            clock.now = 1.9
            bar.advance(4)
        assert capsys.readouterr() == ("", "")

    def test_auto_is_plain_without_a_terminal(self, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
        progress.set_style("auto")
        with progress.track("Encoding", 4, "texts") as bar:
            clock.now = 3.0
            bar.advance(1)
        assert capsys.readouterr().err.startswith("Encoding: 1/4 texts")

    def test_live(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(progress, "_style", "silent")
        progress.set_style("live")
        with progress.track("Encoding", 4, "texts") as bar:
            bar.skip(2)
            with progress.counted_by(bar, 2), progress.track("Batches", 8) as inner:
                inner.advance(8, "done")
        assert "4/4" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("seconds", "shown"),
        [(44.6, "45 s"), (185, "3:05"), (7385, "2:03:05"), (float("inf"), "?"), (float("nan"), "?")],
    )
    def test_clock(self, seconds: float, shown: str) -> None:
        assert progress.clock(seconds) == shown
