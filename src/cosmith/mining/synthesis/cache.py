"""Answers on disk, so that no question is paid for twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from cosmith.atomic import make_folder, require_name
from cosmith.errors import InputError, StorageError
from cosmith.mining.synthesis.chat import Completion

_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL, refusal TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL
) WITHOUT ROWID
"""


class AnswerCache:
    """A file of answers by the hash of what was asked (:meth:`ChatRequest.key`); questions are not in it, nor any key.

    SQLite with a write-ahead log: an answer stands from the moment that :meth:`put` returns, whatever ends the process
    then, and several processes may read and write at once.

    Args:
        path: The file; made where it is absent.

    Raises:
        InputError: When the file is something else.
        StorageError: When it may not be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        require_name(self.path)
        make_folder(self.path.parent)
        with self._explained():
            self._connection = sqlite3.connect(self.path, timeout=60.0, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise InputError(f"is a cache of version {version}", path=self.path, remedy="Name another file.")
            self._connection.execute(_TABLE)
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    def get(self, key: str) -> Completion | None:
        """The answer to a question; None where it has not been asked."""
        with self._explained():
            row = self._connection.execute(
                "SELECT text, finish, refusal, input_tokens, output_tokens, estimated FROM answers WHERE key = ?",
                (key,),
            ).fetchone()
        if row is None:
            return None
        text, finish, refusal, read, written, estimated = row
        return Completion(text, finish, refusal, read, written, bool(estimated), cached=True)

    def put(self, key: str, answer: Completion) -> None:
        """Keep an answer; the first one to a question stays."""
        values = (key, _storable(answer.text), answer.finish, _storable(answer.refusal), answer.input_tokens,
                  answer.output_tokens, int(answer.estimated))  # fmt: skip
        with self._explained():
            self._connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def items(self) -> Iterator[tuple[str, Completion]]:
        """All answers with the hashes of their questions, by these."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT key, text, finish, refusal, input_tokens, output_tokens, estimated FROM answers ORDER BY key"
            )
            for key, text, finish, refusal, read, written, estimated in rows:
                yield key, Completion(text, finish, refusal, read, written, bool(estimated), cached=True)

    def __len__(self) -> int:
        with self._explained():
            (count,) = self._connection.execute("SELECT count(*) FROM answers").fetchone()
        return int(count)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            remedy = "The answers so far stand; check the free space and permissions, then run it again."
            raise StorageError(f"the cache cannot be used ({error})", path=self.path, remedy=remedy) from error
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"is no cache of answers ({error})", path=self.path, remedy="Name another file, or delete this one."
            ) from error


def _storable(text: str) -> str:
    """The text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
