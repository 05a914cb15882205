"""Files of word vectors, as word2vec, GloVe and fastText write them in text: a static model whose tokens are words."""

from __future__ import annotations

import gzip
import zlib
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cosmith.data.tabular import numbered_lines
from cosmith.errors import InputError
from cosmith.models.encoder import Encoder
from cosmith.models.from_vocabulary import static_encoder
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


def load_word_vectors(path: str | Path, *, name: str | None = None) -> Encoder:
    """A static model of a file of word vectors: a text's vector is the mean of its words', made unit length.

    The file has a line a word, the word and its numbers with blanks between; a first line with the count of words and
    of numbers may stand above (word2vec, fastText) or not (GloVe). A name that ends in .gz is unpacked. Texts are cut
    into runs of letters and digits, and of other signs; capitals are made small where no word of the file has one.
    Words that the file does not have count for nothing, and a text of such has the vector 0. Of a word that stands
    twice, the first vector counts.

    Args:
        path: The file.
        name: What to call the model; by default the file's name.

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
    vectors = torch.frombuffer(values, dtype=torch.float32).view(len(numbers), width)
    # The words that are not known have a row of their own, of zeros, which changes no direction.
    whole = torch.cat([vectors, torch.zeros(1, width)])
    return static_encoder(whole, _tokenizer(numbers), None, name or path.name)


def _tokenizer(numbers: dict[str, int]) -> Any:
    """A tokenizer whose tokens are these words, and one behind them for all others."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    unknown = "[UNK]"
    while unknown in numbers:
        unknown = f"[{unknown}]"
    words = Tokenizer(models.WordLevel({**numbers, unknown: len(numbers)}, unk_token=unknown))
    if all(word == word.lower() for word in numbers):
        words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=words, unk_token=unknown)


def _fields(line: str) -> list[str]:
    """What stands between blanks and tabs; other kinds of blank may be part of a word."""
    return [field for field in line.rstrip("\r\n").replace("\t", " ").split(" ") if field]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
