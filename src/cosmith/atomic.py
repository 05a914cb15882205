"""Writing so that a kill, a crash or a full disk leaves either the old content or the new, never a mixture.

The rule everywhere: temporary name beside the target, fsync, rename. What killed processes left under temporary names
is removed by the next one that writes the same target.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cosmith.errors import InputError, StorageError

_ELSEWHERE = "Choose another folder or change its permissions."


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write at ``path`` into errors that say what stands and what to do.

    Raises:
        StorageError: In place of an error that says that the disk is full or the place may not be written.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            problem, remedy = (
                "the disk is full",
                "Nothing was half-written; free some space and run it again.",
            )
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            problem, remedy = "may not be written", _ELSEWHERE
        else:
            raise
        raise StorageError(problem, path=path, remedy=remedy) from error
    except Exception as error:
        if not type(error).__module__.startswith("safetensors"):
            raise
        # It reports a full disk with an error of its own, and hides the reason in its text.
        remedy = "What was there before stands; check the free space and permissions, then run it again."
        raise StorageError(f"could not be written ({error})", path=path, remedy=remedy) from error


def require_name(path: Path) -> None:
    """Refuse a place that has no name to give to what is written: ``.``, ``..`` and ``/``.

    Raises:
        InputError: In these cases.
    """
    if path.name in ("", ".."):
        raise InputError("has no name of its own", path=path, remedy="Name a new file or folder within it.")


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where it is not there.

    Raises:
        StorageError: When it may not be written, or a file stands in its place or in that of one above it.
    """
    with explained(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            problem = "a file stands in the place of this folder, or of one above it"
            raise StorageError(problem, path=path, remedy="Choose another place.") from error


def require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before the work whose outcome shall stand there; makes nothing.

    Raises:
        StorageError: When the folder, or the nearest one above it that exists, is none or may not be written.
    """
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise StorageError(f"{there} is a file, not a folder", path=folder, remedy="Choose another place.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StorageError("may not be written", path=folder, remedy=_ELSEWHERE)


def require_replaceable(folder: Path, mark: str, what: str) -> None:
    """Refuse to replace a folder as a whole that is not known to be ours.

    Args:
        folder: Where something is to be written.
        mark: The file by which one of ours is known.
        what: What ours is called.

    Raises:
        InputError: When the folder is a file, or holds things but no ``mark``.
    """
    require_name(folder)
    known = (folder / mark).is_file()
    if folder.exists() and not known and (folder.is_file() or any(folder.iterdir())):
        raise InputError(
            f"holds something else than {what}", path=folder, remedy="Choose a new folder, or empty this one."
        )


def _temporary(path: Path, kind: str = "tmp") -> Path:
    require_name(path)
    return path.with_name(f".{path.name}.{_NODE}-{os.getpid()}.{kind}")


# Process numbers mean something on one machine only, and folders are shared by many.
_NODE = re.sub(r"[^A-Za-z0-9_-]", "_", platform.node())[:40]


def _clear_leftovers(target: Path) -> None:
    """Remove what processes of this machine that are no more left beside ``target``; an old folder that one of them
    had moved away, and put nothing in its place, comes back."""
    name = re.compile(rf"\.{re.escape(target.name)}\.{re.escape(_NODE)}-(\d+)\.(tmp|old)")
    for place in list(target.parent.iterdir()):
        found = name.fullmatch(place.name)
        if found is None or _lives(int(found[1])):
            continue
        if found[2] == "old" and not target.exists():
            place.replace(target)
        elif place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file that takes its name only when the block ends well.

    Args:
        path: Where the file shall stand; parent folders are made.
        mode: ``"w"`` (UTF-8 text) or ``"wb"``.

    Raises:
        StorageError: When the disk is full or the place may not be written; the old file stands unchanged.
    """
    target = Path(path)
    with explained(target):
        make_folder(target.parent)
        temporary = _temporary(target)
        _clear_leftovers(target)
        try:
            with temporary.open(mode, encoding=None if "b" in mode else "utf-8") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _fsync(target.parent)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_file(path) as handle:
        json.dump(value, handle, indent=2, ensure_ascii=False)
        handle.write("\n")


def write_json_lines(path: str | Path, values: Iterable[Mapping[str, Any]]) -> int:
    """Write objects as JSON lines, atomically, as they come.

    Returns:
        How many there were.
    """
    count = 0
    with atomic_file(path) as handle:
        for value in values:
            handle.write(json.dumps(value, ensure_ascii=False) + "\n")
            count += 1
    return count


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder to fill; it replaces ``path`` as a whole when the block ends well.

    Raises:
        StorageError: When the disk is full or the place may not be written; the old folder stands unchanged.
    """
    target = Path(path)
    with explained(target):
        make_folder(target.parent)
        temporary = _temporary(target)
        _clear_leftovers(target)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _fsync(file)
            _swap_in(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _fsync(target.parent)


def _swap_in(temporary: Path, target: Path) -> None:
    """Put a filled folder in the place of an old one.

    Where the system can exchange two names at once, that is what is done. Elsewhere it takes two renames (a folder
    cannot replace a full one), and a kill between them leaves the old folder under a temporary name, from which the
    next write of this target brings it back.
    """
    if not target.exists():
        temporary.replace(target)
        return
    if _exchange(temporary, target):
        old = temporary
    else:
        old = _temporary(target, "old")
        target.replace(old)
        temporary.replace(target)
    if old.is_dir():
        shutil.rmtree(old)
    else:
        old.unlink()


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system cannot."""
    places = os.fsencode(one), os.fsencode(other)
    library = ctypes.CDLL(None)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(*places, 2)  # RENAME_SWAP
        else:
            failed = library.renameat2(_HERE, places[0], _HERE, places[1], 2)  # RENAME_EXCHANGE
    except AttributeError:
        return False
    return not failed


_HERE = -100  # AT_FDCWD
