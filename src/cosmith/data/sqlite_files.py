"""SQLite files with a write-ahead log: what was committed stands, whatever ends the process; several may share one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosmith.atomic import make_folder, require_name
from cosmith.errors import InputError, StorageError

_PATIENCE = 60.0  # seconds to wait for another process
_PAUSE = 0.02


def open_sqlite(path: Path, table: str, version: int, what: str) -> sqlite3.Connection:
    """Open a file, or make it.

    Args:
        path: The file; folders above it are made.
        table: ``CREATE TABLE IF NOT EXISTS …``, or several statements.
        version: Of the layout; files of another one are refused.
        what: What it is called in errors, e.g. ``"cache of answers"``.

    Returns:
        A connection without implicit transactions, which any thread may use, one at a time.

    Raises:
        InputError: When the file is something else.
        StorageError: When it may not be written.
    """
    require_name(path)
    make_folder(path.parent)
    with explained_sqlite(path, what):
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        _keep_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, version):
            raise InputError(f"is a {what} of version {found}", path=path, remedy="Name another file.")
        connection.executescript(table)
        connection.execute(f"PRAGMA user_version = {version}")
    return connection


def _keep_log(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on; where another process does so at this moment SQLite gives up at once, whatever its
    timeout, so that it is asked again."""
    ends = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
        time.sleep(_PAUSE)


@contextmanager
def explained_sqlite(path: Path, what: str) -> Iterator[None]:
    """Turn SQLite's errors into those that say what stands and what to do.

    Raises:
        InputError: The file is something else, or damaged.
        StorageError: The disk is full, or the file may not be written.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        remedy = "What is in it stands; check the free space and permissions, then run it again."
        raise StorageError(f"the {what} cannot be used ({error})", path=path, remedy=remedy) from error
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"is no {what} ({error})", path=path, remedy="Name another file, or delete this one."
        ) from error
