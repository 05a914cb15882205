"""Texts of a file by their ids, found by where their lines begin, so that the file may be larger than memory."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import xxhash

from cosmith.data.lines import begin_of, broken_gzip, decoded, require_utf8
from cosmith.data.ragged import Int64
from cosmith.data.record_values import UnusableError, name_of, shown, text_of
from cosmith.data.records import require_file
from cosmith.data.rows import Rejected, RejectedRows
from cosmith.data.tabular import parsed_json
from cosmith.data.texts import document_text
from cosmith.progress import track

Parse = Callable[[str], tuple[str, str]]
"""The id and the text of a line; :class:`UnusableError` says why it has none."""


def json_text(line: str) -> tuple[str, str]:
    """The id and the text of a line of a BEIR corpus: ``_id``, and ``title`` with ``text``."""
    record = parsed_json(1, line)
    if record.problem:
        raise UnusableError(record.problem)
    text = document_text(record.values.get("title"), record.values.get("text"))
    return name_of(record.values.get("_id"), "the id"), text_of(text, "the text")


def tsv_text(line: str) -> tuple[str, str]:
    """The id and the text of a line of MS MARCO's: an id and a passage or query; or an id, address, title and body."""
    fields = line.rstrip("\r\n").split("\t")
    if len(fields) == 4:
        return name_of(fields[0], "the id"), text_of(document_text(fields[2], fields[3]), "the text")
    if len(fields) != 2:
        raise UnusableError(f"has {len(fields)} fields, not an id and a text")
    return name_of(fields[0], "the id"), text_of(fields[1], "the text")


class LineTexts:
    """The texts of a file with one a line; 32 bytes for each are held in memory.

    Args:
        path: The file; one that ends in .gz is unpacked into a temporary one.
        parse: What a line means.
        rejected: Takes the lines that cannot be used, and those whose id has stood before.

    Attributes:
        path: The file.

    Raises:
        InputError: When it is missing, empty, of another encoding, or not a whole gzip file.
    """

    def __init__(self, path: Path, parse: Parse, rejected: RejectedRows) -> None:
        require_file(path)
        self.path, self._parse = path, parse
        self._file = _unpacked(path)
        require_utf8(begin_of(self._file), path)
        self._file.seek(0)
        hashes, starts, sizes, lines = array("Q"), array("q"), array("q"), array("q")
        place, total = 0, os.fstat(self._file.fileno()).st_size // 1000
        with track(f"Finding the texts of {path.name}", total, "kB") as bar:
            for number, line in enumerate(self._file, 1):
                start, place = place, place + len(line)
                bar.advance(place // 1000 - start // 1000)
                if not line.strip():
                    continue
                try:
                    given, _ = parse(_decoded(line))
                except UnusableError as reason:
                    rejected.append(_rejected(number, str(reason), line, path))
                    continue
                hashes.append(_hash(given))
                starts.append(start)
                sizes.append(len(line))
                lines.append(number)
        found = np.array(hashes, dtype=np.uint64)
        order = np.argsort(found, kind="stable")
        self._hashes, self._starts = found[order], np.array(starts, dtype=np.int64)[order]
        self._sizes = np.array(sizes, dtype=np.int64)[order]
        repeated = np.flatnonzero(self._hashes[1:] == self._hashes[:-1]) + 1
        for entry in repeated.tolist():
            given, _ = self._read(entry)
            problem = f"the id {shown(given)} stands on an earlier line already"
            rejected.append(_rejected(lines[int(order[entry])], problem, self._line(entry), path))

    def __len__(self) -> int:
        return len(self._hashes)

    def entries(self, ids: list[str]) -> Int64:
        """Where the texts with these ids [m] are: int64 [m], -1 for those that are not there."""
        wanted = np.array([_hash(given) for given in ids], dtype=np.uint64)
        places = np.searchsorted(self._hashes, wanted)  # the first of equal ones, which stood first in the file
        there = places < len(self._hashes)
        there[there] = self._hashes[places[there]] == wanted[there]
        return np.where(there, places, -1).astype(np.int64)

    def text(self, entry: int) -> str:
        """The text at such a place."""
        return self._read(entry)[1]

    def _read(self, entry: int) -> tuple[str, str]:
        return self._parse(_decoded(self._line(entry)))

    def _line(self, entry: int) -> bytes:
        return os.pread(self._file.fileno(), int(self._sizes[entry]), int(self._starts[entry]))


def _unpacked(path: Path) -> IO[bytes]:
    if path.suffix.lower() != ".gz":
        return path.open("rb")
    whole: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its texts are asked for
    lines = 0
    try:
        with gzip.open(path) as packed:
            while piece := packed.read1(1 << 20):
                whole.write(piece)
                lines += piece.count(b"\n")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise broken_gzip(error, path, lines) from error
    whole.seek(0)
    return whole


def _decoded(line: bytes) -> str:
    _, text, problem = decoded(line, 1)
    if problem:
        raise UnusableError(problem)
    return text.strip("\r\n")


def _hash(given: str) -> int:
    return xxhash.xxh3_64_intdigest(given.encode("utf-8", "surrogatepass"))


def _rejected(line: int, reason: str, raw: bytes, path: Path) -> Rejected:
    return Rejected(line, reason, raw.decode("utf-8", "replace").strip("\r\n")[:500], str(path))
