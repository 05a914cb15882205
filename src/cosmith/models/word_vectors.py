"""Files of word vectors as static models, whose tokens are words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cosmith.data.word_vectors import read_word_vectors
from cosmith.models.encoder import Encoder
from cosmith.models.from_vocabulary import static_encoder


def load_word_vectors(path: str | Path, *, name: str | None = None) -> Encoder:
    """A static model of a file of word vectors: a text's vector is the mean of its words', made unit length.

    Texts are cut into runs of letters and digits, and of other signs; capitals are made small where no word of the file
    has one. Words that the file does not have count for nothing, and a text of such has the vector 0.

    Args:
        path: The file; see :func:`cosmith.data.word_vectors.read_word_vectors`.
        name: What to call the model; by default the file's name.

    Raises:
        InputError: When it is not such a file.
    """
    words, vectors = read_word_vectors(path)
    # The words that are not known have a row of their own, of zeros, which changes no direction.
    whole = torch.zeros(len(words) + 1, vectors.shape[1])
    whole[:-1] = torch.from_numpy(vectors.copy())
    return static_encoder(whole, _tokenizer(words), None, name or Path(path).name)


def _tokenizer(known: Sequence[str]) -> Any:
    """A tokenizer whose tokens are these words, and one behind them for all others."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    numbers = {word: number for number, word in enumerate(known)}
    unknown = "[UNK]"
    while unknown in numbers:
        unknown = f"[{unknown}]"
    words = Tokenizer(models.WordLevel({**numbers, unknown: len(numbers)}, unk_token=unknown))
    if all(word == word.lower() for word in numbers):
        words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=words, unk_token=unknown)
