"""Files of word vectors, as word2vec, GloVe and fastText write them in text."""

from __future__ import annotations

import gzip
import zlib
from array import array
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosmith.data.lines import numbered_lines
from cosmith.errors import InputError
from cosmith.phrases import counted

_TREC_FIELDS = 6
_LONGEST_LINE = 1 << 20
_ANEW = "Save or fetch it anew, as text; binary files (.bin) are not read."


def holds_word_vectors(path: Path) -> bool:
    """Whether a file of text begins as one of word vectors does: two whole numbers, or a word and two numbers or more.

    A TREC run, whose second field is ``Q0`` or ``0`` and which has six, is none; nor is what cannot be read as text.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            fields = _fields(file.readline(_LONGEST_LINE).decode("utf-8-sig"))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return False
    if len(fields) == 2:
        return all(map(str.isdecimal, fields))
    run = len(fields) == _TREC_FIELDS and fields[1] in ("Q0", "0")
    return len(fields) > 2 and not run and all(map(_is_number, fields[1:]))


def read_word_vectors(path: str | Path) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Words and their vectors.

    The file has a line a word, the word and its numbers with blanks between; a first line with the count of words and
    of numbers may stand above (word2vec, fastText) or not (GloVe). A name that ends in .gz is unpacked. Of a word that
    stands twice, the first vector counts.

    Args:
        path: The file.

    Returns:
        Distinct words, and float32 ``[words, D]``.

    Raises:
        InputError: When it is not such a file, naming the line, or holds fewer words than it says.
    """
    path = Path(path)
    numbers: dict[str, int] = {}
    values = array("f")
    declared, width = 0, 0
    for line, text in numbered_lines(path):
        fields = _fields(text)
        if line == 1 and len(fields) == 2 and all(map(str.isdecimal, fields)):
            declared, width = int(fields[0]), int(fields[1])
            continue
        if not fields:
            continue
        width = width or len(fields) - 1
        if width < 1 or len(fields) <= width:
            raise InputError(f"has {counted(len(fields) - 1, 'number')}, not {width}", path=path, line=line,
                             remedy=_ANEW)  # fmt: skip
        word = " ".join(fields[:-width])  # some files have words with a blank
        try:
            row = array("f", map(float, fields[-width:]))
        except (ValueError, OverflowError) as error:
            raise InputError(f"is no word with its numbers ({error})", path=path, line=line, remedy=_ANEW) from error
        if not np.isfinite(row).all():
            raise InputError(f"the vector of {word[:60]!r} is not finite", path=path, line=line, remedy=_ANEW)
        declared -= 1
        if word not in numbers:
            numbers[word] = len(numbers)
            values.extend(row)
    if declared > 0 or not numbers:
        problem = f"ends {counted(declared, 'word')} before its first line says" if declared > 0 else "holds no word"
        raise InputError(problem, path=path, remedy=_ANEW)
    return list(numbers), np.frombuffer(values, dtype=np.float32).reshape(len(numbers), width)


def _fields(line: str) -> list[str]:
    """What stands between blanks and tabs; other kinds of blank may be part of a word."""
    return [field for field in line.rstrip("\r\n").replace("\t", " ").split(" ") if field]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
