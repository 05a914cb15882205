"""Whatever ends a process, the old content or the new stands, and nothing is left lying about for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cosmith import atomic
from cosmith.atomic import atomic_file, atomic_folder, require_replaceable
from cosmith.errors import InputError


def killed(body: str, *arguments: object) -> None:
    """Run a program that kills itself."""
    program = "import os, signal, sys\nfrom pathlib import Path\nfrom cosmith import atomic\n" + textwrap.dedent(body)
    ended = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=False)
    assert ended.returncode == -signal.SIGKILL


def content(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


KILLED_WITHIN = """
    with atomic.atomic_folder(sys.argv[1]) as place:
        (place / "a").write_text("new")
        os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_BETWEEN_RENAMES = """
    atomic._exchange = lambda one, other: False  # as on a file system that cannot
    whole, done = Path.replace, []
    def replace(self, target):
        if done:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(whole(self, target))
    Path.replace = replace
    with atomic.atomic_folder(sys.argv[1]) as place:
        (place / "a").write_text("new")
"""


@pytest.mark.parametrize("body", [KILLED_WITHIN, KILLED_BETWEEN_RENAMES])
def test_what_a_killed_process_left_is_cleared_and_the_old_comes_back(tmp_path: Path, body: str) -> None:
    target = tmp_path / "folder"
    with atomic_folder(target) as place:
        (place / "a").write_text("old")
    killed(body, target)
    assert len(list(tmp_path.iterdir())) == 2  # what it left
    with atomic_file(target.with_name("other")) as handle:  # of another target: nothing of ours is touched
        handle.write("x")
    target.with_name("other").unlink()
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ZeroDivisionError), atomic_folder(target):
        raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
    assert content(target) == {"a": "old"}


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_folder_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanged: bool) -> None:
    if not exchanged:
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    for name in ("a", "b"):
        with atomic_folder(tmp_path / "folder") as place:
            (place / name).write_text(name)
    assert content(tmp_path / "folder") == {"b": "b"}
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_temporary_files_of_living_processes_and_other_machines_stay(tmp_path: Path) -> None:
    mine = atomic._temporary(tmp_path / "file")
    others = [tmp_path / ".file.elsewhere-1.tmp", tmp_path / ".file.notes", mine.with_name(mine.name.replace(
        str(os.getpid()), str(os.getppid())))]  # fmt: skip
    for other in others:
        other.write_text("busy")
    with atomic_file(tmp_path / "file") as handle:
        handle.write("done")
    assert {file.name for file in tmp_path.iterdir()} == {"file", *(other.name for other in others)}


def test_only_what_is_ours_is_replaced(tmp_path: Path) -> None:
    require_replaceable(tmp_path, "modules.json", "a model")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds something else than a model"):
        require_replaceable(tmp_path, "modules.json", "a model")
