"""Answers on disk, so that no question is paid for twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from cosmith.data.sqlite_files import explained_sqlite, open_sqlite
from cosmith.mining.synthesis.chat import Completion

_VERSION, _WHAT = 1, "cache of answers"
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
        self._connection = open_sqlite(self.path, _TABLE, _VERSION, _WHAT)

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

    def _explained(self) -> AbstractContextManager[None]:
        return explained_sqlite(self.path, _WHAT)


def _storable(text: str) -> str:
    """The text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
