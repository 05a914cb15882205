"""Lines of text files, one after another; a line that is not UTF-8 is told as such, so that it may be put aside."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from cosmith.data.records import require_file
from cosmith.errors import InputError
from cosmith.phrases import counted
from cosmith.progress import track

_BEGIN = 1 << 20  # bytes by whose lines it is told whether a file is UTF-8 at all
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16; that of UTF-32 begins with the first, or with zeros


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        number: Counted from 1.
        text: The line with its end; U+FFFD stands for what is not UTF-8.
        problem: Why it cannot be read, or empty.
    """

    number: int
    text: str
    problem: str = ""


def lines_of(path: Path, what: str = "") -> Iterator[Line]:
    """The lines of a file (gzip if it ends in .gz), without byte order mark.

    Args:
        path: The file.
        what: What the progress is called; ``Reading NAME`` when left out.

    Raises:
        InputError: When it is missing, empty, not a whole gzip file, or of another encoding (:func:`require_utf8`).
    """
    raw = _raw_lines(path, what)
    begin = begin_of(raw)
    require_utf8(begin, path)
    for number, line in enumerate(chain(begin, raw), 1):
        yield decoded(line, number)


def numbered_lines(path: Path, what: str = "") -> Iterator[tuple[int, str]]:
    """The same of a file of which no line may be left out, by number and text.

    Args:
        path: The file.
        what: What the progress is called.

    Raises:
        InputError: As :func:`lines_of`, and when a line is not UTF-8.
    """
    for number, text, problem in lines_of(path, what):
        if problem:
            raise InputError(problem, path=path, line=number, remedy=_as_utf8(path, "latin1"))
        yield number, text


def decoded(line: bytes, number: int) -> Line:
    """A line of a file as text."""
    encoding = "utf-8-sig" if number == 1 else "utf-8"
    try:
        return Line(number, line.decode(encoding))
    except UnicodeDecodeError as error:
        # Without the place: reasons are counted, and the same fault stands at another place of each line.
        return Line(number, line.decode(encoding, "replace"), f"is not UTF-8 (byte 0x{error.object[error.start]:02x})")


def begin_of(lines: Iterable[bytes]) -> list[bytes]:
    """The first lines of a file, of a megabyte in all."""
    begin, size = [], 0
    for line in lines:
        begin.append(line)
        size += len(line)
        if size >= _BEGIN:
            break
    return begin


def require_utf8(begin: list[bytes], path: Path) -> None:
    """Refuse a file of another encoding: of its first lines more than one, and more than a tenth, are not UTF-8, and
    more of them than are UTF-8 that is not ASCII, which hardly occurs by chance.

    Args:
        begin: Its first lines (:func:`begin_of`).
        path: The file.

    Raises:
        InputError: In these cases, and when it begins as UTF-16 does.
    """
    if begin and begin[0].startswith(_BYTE_ORDER_MARKS) and b"\0" in begin[0]:
        raise InputError("is not UTF-8 but UTF-16", path=path, line=1, remedy=_as_utf8(path, "utf-16"))
    there = bad = foreign = 0
    first: Line | None = None
    for number, line in enumerate(begin, 1):
        if not line.strip():
            continue
        there += 1
        if line.isascii():
            continue
        if (each := decoded(line, number)).problem:
            bad, first = bad + 1, first or each
        else:
            foreign += 1
    if first is not None and bad > max(1, there // 10, foreign):
        problem = f"{first.problem}, as are {bad:,} of its first {counted(there, 'line')}"
        raise InputError(problem, path=path, line=first.number, remedy=_as_utf8(path, "latin1"))


def broken_gzip(error: Exception, path: Path, lines: int) -> InputError:
    """What is said of a gzip file that is damaged or cut short.

    Args:
        error: What was wrong.
        path: The file.
        lines: How many could be read.
    """
    return InputError(
        f"is not a whole gzip file ({error}); {counted(lines, 'line')} of it can be read",
        path=path,
        line=lines + 1,
        remedy=f"Pack or copy it again; or take what can be read: gzip -dc {quote(path.name)} > PART",
    )


def _raw_lines(path: Path, what: str) -> Iterator[bytes]:
    require_file(path)
    packed = path.suffix.lower() == ".gz"
    size, seen = path.stat().st_size // 1000, 0
    with path.open("rb") as file, track(what or f"Reading {path.name}", size, "kB") as bar:
        lines = gzip.GzipFile(fileobj=file) if packed else file
        number = 0
        try:
            for number, line in enumerate(lines, 1):
                yield line
                if number % 256 == 0:
                    here = file.tell() // 1000  # of a gzip file: of what is packed
                    bar.advance(here - seen)
                    seen = here
            bar.advance(size - seen)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise broken_gzip(error, path, number) from error
        if not number:
            raise InputError("is empty", path=path, remedy="Give a file that holds something.")


def _as_utf8(path: Path, encoding: str) -> str:
    return f"Save it as UTF-8, for example: iconv -f {encoding} -t utf-8 {quote(path.name)}"
