"""The tokenizer of an exported folder, by the tokenizers library alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmith.errors import InputError
from cosmith.models.folder import ModelSpec
from cosmith.models.runtimes.description import ExportedModel
from cosmith.models.tokenization import TextTokenizer


@dataclass(frozen=True)
class PlainTokenizer:
    """What :class:`~cosmith.models.tokenization.TextTokenizer` asks of a transformers tokenizer, without transformers.

    Attributes:
        backend_tokenizer: A ``tokenizers.Tokenizer``.
        eos_token_id, pad_token_id: Its end-of-sequence and padding tokens; None: none.
        all_special_ids: All of its special tokens.
    """

    backend_tokenizer: Any
    eos_token_id: int | None
    pad_token_id: int | None
    all_special_ids: tuple[int, ...]
    is_fast: bool = True

    def __len__(self) -> int:
        return int(self.backend_tokenizer.get_vocab_size())


def read_tokenizer(folder: Path, exported: ExportedModel, spec: ModelSpec) -> TextTokenizer:
    """The tokenizer of an exported folder.

    Raises:
        InputError: When it is missing or broken, or has more tokens than the graphs know.
    """
    from tokenizers import Tokenizer

    path = spec.backbone / "tokenizer.json"
    if not path.is_file():
        raise InputError("has no tokenizer.json", path=folder, remedy="Export the model anew.")
    try:
        words = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exceptions
        raise InputError(f"is no tokenizer ({error})", path=path, remedy="Export the model anew.") from error
    plain = PlainTokenizer(words, exported.end, exported.padding, exported.special)
    if len(plain) > exported.vocabulary:
        raise InputError(
            f"has {len(plain)} tokens where the exported graphs know {exported.vocabulary}", path=path,
            remedy="Export the model anew.",
        )  # fmt: skip
    return TextTokenizer(plain, do_lower_case=spec.do_lower_case, special_tokens=not spec.static)
